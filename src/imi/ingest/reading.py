"""`imi.read`: what a file or folder holds, without a collection."""

from __future__ import annotations

import os
from collections.abc import Iterator

from imi.errors import Failure
from imi.records import Document
from imi.text.readers import ReadOptions
from imi.text.readers import read as read_rows


def read(path: str | os.PathLike[str], options: ReadOptions | None = None) -> Iterator[Document | Failure]:
    """Yield the documents of a file, a folder, an archive or standard input (`-`), and a Failure for what is none.

    Args:
        path: what to read; folders in the order of names.
        options: how rows become documents: template, id, columns, encoding, ….

    Raises:
        DataError: the file is not there, cannot be read, or is of no known kind.
        UsageError: a column that was asked for is not there.
    """
    for item in read_rows(path, options):
        yield item if isinstance(item, Failure) else item.document
