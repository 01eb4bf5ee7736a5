"""Write a trained model as the folder that `imi.embedders.builtin` reads."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imi.embedders import piece_index
from imi.types import Floats


@dataclass(frozen=True, slots=True)
class Layer:
    """The hidden layer: vector = unit(z + relu(z·inward + bias)·outward); and how repeated pieces count in z."""

    inward: Floats
    bias: Floats
    outward: Floats
    repeats: float = 1.0


def quantize_rows(rows: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return (v, 512) int8 rows and the size of one step for each row, (v,) float32."""
    steps = np.maximum(np.abs(rows).max(axis=1), 1e-8) / 127
    return np.rint(rows / steps[:, None]).astype(np.int8), steps.astype(np.float32)


def write_model(
    folder: Path, name: str, rows: Floats, layer: Layer, pieces: Path, *, dims: Sequence[int], licence: str, source: str
) -> None:
    """Write pieces.model and its index, rows.npy, scales.npy, hidden.npz and model.json."""
    folder.mkdir(parents=True, exist_ok=True)
    codes, steps = quantize_rows(rows)
    halves = {key: getattr(layer, key).astype(np.float16) for key in ("inward", "bias", "outward")}
    np.save(folder / "rows.npy", codes)
    np.save(folder / "scales.npy", steps)
    np.savez(folder / "hidden.npz", **halves)
    if pieces.resolve() != (folder / "pieces.model").resolve():
        shutil.copyfile(pieces, folder / "pieces.model")
    piece_index.write(folder / "pieces.model")
    digest = hashlib.blake2b(digest_size=16)
    for array in (codes, steps, *halves.values()):
        digest.update(np.ascontiguousarray(array).tobytes())
    if layer.repeats != 1:
        digest.update(repr(layer.repeats).encode())
    about = {
        "format": 1,
        "name": name,
        "dims": list(dims),
        "weights": digest.hexdigest(),
        "tokenizer": hashlib.blake2b((folder / "pieces.model").read_bytes(), digest_size=8).hexdigest(),
        "licence": licence,
        "source": source,
    }
    if layer.repeats != 1:
        about["repeats"] = layer.repeats
    (folder / "model.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
