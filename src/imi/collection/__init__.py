"""Collections: documents with vectors and full text in one SQLite file, found by meaning, by text, or both."""

from imi.collection.collection import Collection
from imi.collection.description import CollectionInfo

__all__ = ["Collection", "CollectionInfo"]
