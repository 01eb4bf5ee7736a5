"""imi inside the frameworks of others: embeddings, vector stores and retrievers, thin over a collection's own verbs.

`imi.bridges.langchain` and `imi.bridges.llamaindex` are imported by name; each needs its framework's core package.
"""
