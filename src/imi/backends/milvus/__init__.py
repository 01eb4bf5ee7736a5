"""Milvus: one field for each prefix, reranked by the whole vector, and Milvus's BM25 over imi's own tokens."""
