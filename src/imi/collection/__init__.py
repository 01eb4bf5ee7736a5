"""Collections: documents with vectors and full text, found by meaning, by text, or both."""

from imi.collection.base import Collection
from imi.collection.description import CollectionInfo
from imi.collection.folder import FolderCollection

__all__ = ["Collection", "CollectionInfo", "FolderCollection"]
