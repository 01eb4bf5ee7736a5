"""Models that turn texts and pictures into vectors."""
