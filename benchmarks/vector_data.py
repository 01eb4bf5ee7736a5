"""Vectors for the search benchmarks: of real texts by the built-in model, and lifted ones for other sizes.

    python benchmarks/vector_data.py --rows 100000 --width 1024 --cache FOLDER     makes them, prints what prefixes hold

Lifted vectors keep the spectrum and the neighbour structure of real ones: every row is a real row plus a small step
towards another one near it, given further numbers by a fixed random map whose strength falls on along the fitted
spectrum. With a cache both are made once, block by block, and memory-mapped from then on.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np

import imi
from imi.index.exact import Exact

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
_BLOCK = 8192


def real_texts(folder: Path = SHARED) -> list[str]:
    """Return the distinct sentences of all text and table files, at least three characters each, in a fixed order."""
    texts: dict[str, None] = {}
    for path in sorted([*folder.rglob("*.tsv.gz"), *folder.rglob("*.txt.gz")]):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                for cell in line.rstrip("\n").split("\t"):
                    if (3 <= len(cell) <= 400 and not cell.isascii()) or cell.count(" ") >= 2:
                        texts.setdefault(cell[:400])
    if not texts:
        raise SystemExit(f"no texts in {folder}: the public data sets are needed beside the repository")
    return list(texts)


def vectors(rows: int, width: int, cache: Path | None, queries: int = 1000, seed: int = 0):
    """Return (rows, width) vectors and (queries, width) others, real ones at the model's own width."""
    model = imi.load().info
    kind = "real" if width == model.width else "lifted"
    path = None if cache is None else cache / f"{kind}-{rows}x{width}-{seed}-{model.fingerprint[:12]}.npy"
    if path is None or not path.exists():
        total = rows + queries
        if path is None:
            table = np.empty((total, width), dtype=np.float32)
        else:
            cache.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            table = np.lib.format.open_memmap(part, "w+", np.float32, (total, width))
        blocks = _real(total, seed) if kind == "real" else _lifted(total, width, seed)
        start = 0
        for block in blocks:
            table[start : start + len(block)] = block
            start += len(block)
        if path is None:
            return table[queries:], table[:queries]
        table.flush()
        del table
        part.rename(path)
    table = np.load(path, mmap_mode="r")
    return table[queries:], np.array(table[:queries])


def _real(total: int, seed: int):
    texts = real_texts()
    if len(texts) < total:
        raise SystemExit(f"{total} texts are asked for, {len(texts)} are there")
    order = np.random.default_rng(seed).permutation(len(texts))[:total]
    model = imi.load()
    for start in range(0, total, _BLOCK):
        yield model.embed([texts[at] for at in order[start : start + _BLOCK]], kind="document")


def _lifted(total: int, width: int, seed: int):
    base = np.concatenate(list(_real(min(total, 100_000), seed)))
    own = base.shape[1]
    random = np.random.default_rng(seed)
    energy = (base[:20_000] ** 2).mean(axis=0)
    slope = np.polyfit(np.log(np.arange(32, own)), np.log(np.sort(energy)[::-1][32:]), 1)[0]
    map_ = random.standard_normal((own, max(0, width - own))).astype(np.float32)
    tail = np.sqrt(np.sort(energy)[0]) * (np.arange(own, max(width, own + 1)) / own) ** (slope / 2)
    near = Exact(base).search(base[:2000], 8)[1]
    spread = np.sqrt(np.mean((base[near[:, 0]] - base[near[:, -1]]) ** 2, axis=0))
    for start in range(0, total, _BLOCK):
        count = min(_BLOCK, total - start)
        block = base[random.integers(0, len(base), count)]
        block = block + 0.7 * spread * random.standard_normal((count, own)).astype(np.float32)
        out = np.empty((count, width), dtype=np.float32)
        out[:, : min(own, width)] = block[:, :width]
        if width > own:
            out[:, own:] = np.tanh(block @ map_ * 3) * tail[: width - own]
        yield out / np.linalg.norm(out, axis=1, keepdims=True)


def ceilings(vectors: np.ndarray, queries: np.ndarray) -> list[dict]:
    """Return which share of the true ten each prefix's best 10, 30 and 100 hold."""
    true = Exact(vectors).search(queries[:200], 10)[1]
    found = []
    for dims in (64, 128, 256, 512, 1024):
        if dims < vectors.shape[1]:
            rows = Exact(vectors, dims=dims).search(queries[:200], 100)[1]
            hit = (rows[:, :, None] == true[:, None, :]).any(axis=2).cumsum(axis=1).mean(axis=0) / 10
            found.append({"first": dims, "best 10": hit[9], "best 30": hit[29], "best 100": hit[99]})
    return [{"first": one.pop("first"), **{name: float(value) for name, value in one.items()}} for one in found]


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--width", type=int, default=1024)
    options.add_argument("--cache", type=Path)
    asked = options.parse_args()
    for one in ceilings(*vectors(asked.rows, asked.width, asked.cache)):
        print(", ".join(f"{name} {value:.3f}" for name, value in one.items()))
