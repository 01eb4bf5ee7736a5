"""Exact and approximate search over vectors: the ladder, its planner and its files."""
