"""Texts a second: imi's built-in model against model2vec that holds the same table and the same pieces.

    OMP_NUM_THREADS=1 python benchmarks/encode.py
    OMP_NUM_THREADS=2 python benchmarks/encode.py            two threads

Three things are timed over the same texts in one process, best of three runs each: model2vec (HF tokenizers, one gather
and mean a text), imi's sum of rows alone, and the whole imi model with its hidden layer. Where repeated pieces count
alike, the sums are checked to be the same vectors. model2vec hands more than 10,000 texts to a thread a core unless
told not to, so with one thread it is told not to. Further lines: a single short text, loading, and the import of
scipy.sparse that the pooling does without.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from imi import vectors
from imi.embedders.builtin import FOLDER, BuiltIn
from imi.embedders.pieces import threads
from imi.embedders.pooling import pool

SHORT_EN = "The quick brown fox number {} jumps over the lazy dog near the river"
SHORT_JA = "{}番目の猫は川のそばの静かな公園で毎日昼寝をしています"
LONG = 14


def fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield (field number, value) of a protocol buffer message; enough of the format for a SentencePiece model."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            size = {1: 8, 5: 4}[key & 7] if key & 7 != 2 else varint()
            yield key >> 3, data[at : at + size]
            at += size


def hf_tokenizer(path: Path):
    """Return the same vocabulary as a Hugging Face tokenizer: pieces, scores, and the normaliser's compiled table."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    vocabulary, table = [], b""
    for number, value in fields(path.read_bytes()):
        if number == 1:
            piece = dict(fields(value))
            vocabulary.append((piece[1].decode(), struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0))
        elif number == 3:
            table = dict(fields(value)).get(2, b"")
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(table), normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    return tokenizer


def peer(model: BuiltIn):
    """Return model2vec with imi's rows, float32, no limit of length."""
    from model2vec import StaticModel

    rows = model._rows * model._scales[:, None]
    return StaticModel(rows, hf_tokenizer(FOLDER / "pieces.model"), normalize=True, max_length=None)


def best(run: Callable[[], object], texts: int) -> float:
    """Return texts a second, best of three."""
    run()
    spans = []
    for _ in range(3):
        began = time.perf_counter()
        run()
        spans.append(time.perf_counter() - began)
    return texts / min(spans)


def short_and_long() -> dict[str, list[str]]:
    """Return the texts that are timed, no two alike."""
    sets = {}
    for name, pattern in (("English", SHORT_EN), ("Japanese", SHORT_JA)):
        sets[f"{name}, short"] = [pattern.format(at) for at in range(20_000)]
        sets[f"{name}, long"] = [
            " ".join(pattern.format(at * LONG + part) for part in range(LONG)) for at in range(1_500)
        ]
    return sets


def single(model: BuiltIn) -> float:
    """Return milliseconds for one short text, the median of 500."""
    spans = []
    for at in range(500):
        text = [SHORT_EN.format(at)]
        began = time.perf_counter()
        model.embed(text)
        spans.append(time.perf_counter() - began)
    return 1000 * float(np.median(spans))


def cold(code: str) -> float:
    """Return milliseconds that `code` takes in a fresh interpreter after numpy is there, best of three."""
    program = f"import numpy, time; t = time.perf_counter()\n{code}\nprint(time.perf_counter() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True) for _ in range(3)
    ]
    return 1000 * min(float(run.stdout) for run in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads() > 1 else "false"
    os.environ["RAYON_NUM_THREADS"] = str(threads())
    model = BuiltIn()
    other = peer(model)

    def theirs(texts: list[str]) -> np.ndarray:
        return other.encode(texts, use_multiprocessing=threads() > 1)

    report: dict[str, object] = {"threads": threads()}
    for name, texts in short_and_long().items():

        def sums(texts: list[str] = texts) -> np.ndarray:
            return vectors.normalize(model._sum(*model._split(texts)))

        # model2vec counts every occurrence of a piece alike, so that is what the two are compared by.
        plain = vectors.normalize(pool(*model._split(texts[:200]), model._rows, model._scales))
        agree = (plain * theirs(texts[:200])).sum(axis=1)
        report[name] = {
            "model2vec": best(lambda texts=texts: theirs(texts), len(texts)),
            "imi_sum": best(sums, len(texts)),
            "imi": best(lambda texts=texts: model.embed(texts), len(texts)),
            "lowest_cosine_of_sums": float(agree.min()),
            "pieces_a_text": float(model.count_tokens(texts).mean()),
        }
    report["single_ms"] = single(model)
    report["load_ms"] = cold("import imi; imi.load()")
    report["import_scipy_sparse_ms"] = cold("import scipy.sparse")
    if options.json:
        print(json.dumps(report, ensure_ascii=False))
        return
    print(f"{threads()} thread(s), texts a second, best of three")
    print(f"{'':18}{'model2vec':>11}{'imi sum':>11}{'imi':>11}   sum / m2v  imi / m2v  cosine")
    for name, row in report.items():
        if isinstance(row, dict):
            m, s, w = row["model2vec"], row["imi_sum"], row["imi"]
            print(
                f"{name:18}{m:11,.0f}{s:11,.0f}{w:11,.0f}{s / m:12.2f}{w / m:11.2f}  {row['lowest_cosine_of_sums']:.5f}"
            )
    print(f"single short text {report['single_ms']:.3f} ms, load {report['load_ms']:.0f} ms after numpy,", end=" ")
    print(f"import scipy.sparse {report['import_scipy_sparse_ms']:.0f} ms")


if __name__ == "__main__":
    main()
