"""What a model's folder says of itself, whoever reads the weights: prompts, trained sizes, longest text, a hash."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from imi.errors import DataError

_TRAINED = re.compile(r'"matryoshka_dims":\s*\[([\d,\s]+)\]')


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file, an empty one where there is no file.

    Raises:
        DataError: the file is there and holds something else.
    """
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as broken:
        raise DataError(f"{path} cannot be read: {broken}", hint="copy the model folder again") from broken
    return value if isinstance(value, dict) else {}


def trained_dims(folder: Path | None, width: int) -> tuple[int, ...]:
    """Return the prefixes that a model was trained for, ascending, the width last; else the width alone.

    There is no standard place. Read are `matryoshka_dimensions` of config.json (vLLM's convention), the same of
    config_sentence_transformers.json, and the loss's parameters that sentence-transformers writes into the model card.
    """
    found: set[int] = set()
    if folder is not None:
        for name in ("config.json", "config_sentence_transformers.json"):
            values = read_json(folder / name)
            listed = values.get("matryoshka_dimensions") or values.get("matryoshka_dims") or ()
            found |= {one for one in listed if isinstance(one, int)}
        card = folder / "README.md"
        if not found and card.is_file():
            match = _TRAINED.search(card.read_text("utf-8", errors="replace"))
            found |= {int(one) for one in (match[1] if match else "").split(",") if one.strip()}
    return (*sorted(one for one in found if 0 < one < width), width)


def prompts_of(values: dict[str, Any]) -> dict[str, str]:
    """Return the prompts for "query" and "document" of a model's settings; models of the E5 family say "passage"."""
    given = values.get("prompts") or {}
    default = given.get(values.get("default_prompt_name") or "", "")
    query = given.get("query", default)
    document = given.get("document", given.get("passage", given.get("corpus", default)))
    return {"query": str(query), "document": str(document)} if query or document else {}


def hash_files(paths: Iterable[Path]) -> str:
    """Return 32 hex digits over the contents of files."""
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(2**22):
                digest.update(piece)
    return digest.hexdigest()


def needed(folder: Path, *names: str) -> Path:
    """Return the first of these files that is in a model's folder.

    Raises:
        DataError: none is there.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(
        f"{folder} holds none of {', '.join(names)}", hint="give the folder that the model was saved to, whole"
    )
