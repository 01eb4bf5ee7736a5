"""Collections on engines that are there already: PostgreSQL with pgvector, Qdrant, Milvus; and Ray for embedding.

`collection.py` has the verbs, `engine.py` what an engine must do for them, and a package an engine does it. An engine
searches in its own way, by its own ladder: prefixes first, the whole vector for the few that are left.
"""
