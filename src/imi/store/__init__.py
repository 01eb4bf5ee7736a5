"""The SQLite file that is the truth of a collection."""
