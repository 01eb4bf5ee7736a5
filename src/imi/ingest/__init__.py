"""Files and folders into a collection: looked at, checked, compared with what is known of them, and added."""

from imi.ingest.files import Ingest, holds_many
from imi.ingest.reading import read
from imi.ingest.watching import watch

__all__ = ["Ingest", "holds_many", "read", "watch"]
