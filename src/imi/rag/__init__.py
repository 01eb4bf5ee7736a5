"""Retrieval-augmented generation: passages for a question, answers with checked citations, agents."""
