"""Formats of plain text with markup: each gives the blocks of a text, its markup taken out, its places kept."""
