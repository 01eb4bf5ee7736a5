"""Training: losses, heads, and the recipe of the built-in model.

The names below load torch when they are first used, not before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imi.train.heads import MRL, MRLE, Fixed
    from imi.train.losses import MatryoshkaLoss

_LAZY = {
    "MRL": "imi.train.heads",
    "MRLE": "imi.train.heads",
    "Fixed": "imi.train.heads",
    "MatryoshkaLoss": "imi.train.losses",
}

__all__ = ["MRL", "MRLE", "Fixed", "MatryoshkaLoss"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'imi.train' has no attribute {name!r}")
    try:
        module = importlib.import_module(_LAZY[name])
    except ModuleNotFoundError as missing:
        if missing.name != "torch":
            raise
        from imi.errors import MissingExtra

        raise MissingExtra("torch", "train") from missing
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
