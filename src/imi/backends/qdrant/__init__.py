"""Qdrant: a point a row, a named vector a prefix, and the whole funnel in one request of nested prefetches."""
