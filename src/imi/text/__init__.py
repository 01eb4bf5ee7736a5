"""What a text is made of: lexical tokens, chunks, and readers of files."""
