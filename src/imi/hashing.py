"""BLAKE2 alone: `hashlib` loads OpenSSL with it, which takes longer than all hashes of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import blake2b
    from hmac import compare_digest
else:
    try:
        from _blake2 import blake2b
        from _operator import _compare_digest as compare_digest
    except ImportError:  # another Python than CPython
        from hashlib import blake2b
        from hmac import compare_digest

__all__ = ["blake2b", "compare_digest"]
