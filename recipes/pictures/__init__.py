"""The recipe of the built-in picture tower."""
