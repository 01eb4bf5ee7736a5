"""Vectors for the search benchmarks: of real texts by the built-in model, and lifted ones for other sizes.

    python benchmarks/vector_data.py 100000 1024 vectors.npy     lifted; prints what prefixes hold

Lifted vectors keep the spectrum and the neighbour structure of real ones: every row is a real row plus a small step
towards another one near it, given further numbers by a fixed random map whose strength falls on along the fitted
spectrum.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np

import imi
from imi.index.exact import Exact

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def real_texts(folder: Path = SHARED) -> list[str]:
    """Return the distinct sentences of all text and table files, at least three characters each, in a fixed order."""
    texts: dict[str, None] = {}
    for path in sorted([*folder.rglob("*.tsv.gz"), *folder.rglob("*.txt.gz")]):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                for cell in line.rstrip("\n").split("\t"):
                    if (3 <= len(cell) <= 400 and not cell.isascii()) or cell.count(" ") >= 2:
                        texts.setdefault(cell[:400])
    return list(texts)


def real_vectors(rows: int, queries: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, 512) vectors of real texts by the built-in model and (queries, 512) of others."""
    texts = real_texts()
    order = np.random.default_rng(seed).permutation(len(texts))[: rows + queries]
    z = imi.load().embed([texts[at] for at in order], kind="document")
    return np.ascontiguousarray(z[queries:]), np.ascontiguousarray(z[:queries])


def lifted_vectors(rows: int, width: int, queries: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, width) and (queries, width) unit vectors lifted from real ones, as the module says."""
    base, _ = real_vectors(min(rows, 100_000), 1, seed)
    random = np.random.default_rng(seed)
    energy = (base[:20_000] ** 2).mean(axis=0)
    slope = np.polyfit(np.log(np.arange(32, 512)), np.log(np.sort(energy)[::-1][32:]), 1)[0]
    map_ = random.standard_normal((512, max(0, width - 512))).astype(np.float32)
    tail = np.sqrt(np.sort(energy)[0]) * (np.arange(512, max(width, 513)) / 512) ** (slope / 2)
    total = rows + queries
    out = np.empty((total, width), dtype=np.float32)
    near = Exact(base).search(base[:2000], 8)[1]
    spread = np.sqrt(np.mean((base[near[:, 0]] - base[near[:, -1]]) ** 2, axis=0))
    for start in range(0, total, 8192):
        count = min(8192, total - start)
        block = base[random.integers(0, len(base), count)]
        block = block + 0.7 * spread * random.standard_normal((count, 512)).astype(np.float32)
        out[start : start + count, : min(512, width)] = block[:, :width]
        if width > 512:
            out[start : start + count, 512:] = np.tanh(block @ map_ * 3) * tail[: width - 512]
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    return out[queries:], out[:queries]


def print_ceilings(vectors: np.ndarray, queries: np.ndarray) -> None:
    """Print which share of the true ten each prefix's best 10, 30 and 100 hold."""
    true = Exact(vectors).search(queries[:200], 10)[1]
    for dims in (64, 128, 256, 512, 1024):
        if dims < vectors.shape[1]:
            rows = Exact(vectors, dims=dims).search(queries[:200], 100)[1]
            hit = (rows[:, :, None] == true[:, None, :]).any(axis=2).cumsum(axis=1).mean(axis=0) / 10
            print(f"first {dims:5}: of the true 10, the best 10 hold {hit[9]:.3f}, 30 {hit[29]:.3f}, 100 {hit[99]:.3f}")


if __name__ == "__main__":
    rows, width = (int(one) for one in sys.argv[1:3]) if len(sys.argv) > 2 else (20_000, 1024)
    made, asked = lifted_vectors(rows, width)
    print_ceilings(made, asked)
    if len(sys.argv) > 3:
        np.save(sys.argv[3], made)
