"""Milvus: a field a prefix, reranked by the whole vector, and its own BM25 over the project's tokens."""
