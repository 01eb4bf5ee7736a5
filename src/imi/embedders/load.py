"""`imi.load`: from a model's name to its embedder, in one visible chain."""

from __future__ import annotations

import os
from pathlib import Path

from imi.embedders.base import Embedder
from imi.errors import UsageError

NAMES = "built-in, quality, a folder, openai:NAME[@URL], st:NAME, hf-static:FOLDER, onnx:FOLDER, clip:NAME, pixels"


def load(name: str | Path | None = None) -> Embedder:
    """Load a model.

    Args:
        name: one of `NAMES`; None for the environment's IMI_MODEL, else "built-in".

    Raises:
        UsageError: the name is not known, or the folder holds no model.
        MissingExtra: the model needs a package that is not installed.
    """
    wanted = str(name) if name is not None else os.environ.get("IMI_MODEL") or "built-in"
    if wanted in ("built-in", "imi"):
        from imi.embedders.builtin import BuiltIn

        return BuiltIn.shipped()
    if wanted == "hash":
        from imi.embedders.testing import HashEmbedder

        return HashEmbedder()
    if wanted == "quality":
        from imi.embedders.quality import Quality

        return Quality.shipped()
    if Path(wanted).is_dir():
        from imi.embedders.builtin import BuiltIn

        return BuiltIn.from_folder(Path(wanted))
    raise UsageError(f"there is no model {wanted!r}", hint=f"allowed are {NAMES}")
