"""PostgreSQL with pgvector: rows in a table, a graph over a prefix of their vectors, full text in a tsvector."""
