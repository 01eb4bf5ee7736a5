"""The recipe of the built-in text model."""
