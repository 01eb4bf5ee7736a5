"""The server: OpenAI's embeddings contract and a search API over collections, in one process."""
