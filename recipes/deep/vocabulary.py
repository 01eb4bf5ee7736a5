"""The vocabulary cut to Japanese, English, emoji and symbols, as a SentencePiece model that splits as before.

What of 250,002 pieces is kept: those that the public texts are made of, development sets left out, and every single
character of the scripts and symbols that the model should know, seen or not.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sentencepiece import sentencepiece_model_pb2 as proto
from tokenizers import Tokenizer

from imi.evaluate import splits

_SPECIAL = 4  # <s>, <pad>, </s>, <unk>
_LINES = 60_000
_CELL = 400
_BLOCKS = (
    (0x20, 0x24F),
    (0x2000, 0x2BFF),
    (0x3000, 0x30FF),
    (0x4E00, 0x9FFF),
    (0xFF00, 0xFFEF),
    (0x1F000, 0x1FFFF),
)
_LEFT_OUT = ("embeddings", "images", "dev_", "-dev", "_dev", "test", "cranfield")


def kept_pieces(tokenizer_path: Path, data: Path) -> list[int]:
    """Return the old numbers of the pieces to keep, ascending; <mask>, which no text is split into, goes."""
    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    seen: set[int] = set()
    for batch in _batches(data):
        encoded = tokenizer.encode_batch(batch, add_special_tokens=False)
        seen.update(number for one in encoded for number in one.ids)
    vocabulary = _read(tokenizer_path)["model"]["vocab"]
    return [at for at, (piece, _) in enumerate(vocabulary) if at < _SPECIAL or at in seen or _single(piece)]


def _single(piece: str) -> bool:
    bare = piece.replace("\u2581", "")
    return len(bare) == 1 and any(first <= ord(bare) <= last for first, last in _BLOCKS)


def _batches(data: Path) -> Iterator[list[str]]:
    measured = splits.evaluation_texts(data)
    batch: list[str] = []
    for path in sorted(data.rglob("*")):
        name = str(path.relative_to(data))
        if path.suffix not in (".gz", ".csv", ".tsv", ".jsonl") or any(word in name for word in _LEFT_OUT):
            continue
        opener: Any = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines):
                if number > _LINES:
                    break
                cells = line.strip().split("\t")
                batch += [cell[:_CELL] for cell in cells if splits.same(cell) not in measured]
                if len(batch) > 20_000:
                    yield batch
                    batch = []
    yield batch


def _read(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def write_pieces(tokenizer_path: Path, kept: list[int], out: Path) -> None:
    """Write a SentencePiece model of the kept pieces, with the scores and the normaliser of the original."""
    spec = _read(tokenizer_path)
    model = proto.ModelProto()
    model.trainer_spec.model_type = proto.TrainerSpec.UNIGRAM
    model.trainer_spec.unk_id, model.trainer_spec.bos_id = 3, 0
    model.trainer_spec.eos_id, model.trainer_spec.pad_id = 2, 1
    model.trainer_spec.vocab_size = len(kept)
    (charsmap,) = (one["precompiled_charsmap"] for one in _steps(spec["normalizer"]) if one["type"] == "Precompiled")
    model.normalizer_spec.name = "nmt_nfkc"
    model.normalizer_spec.precompiled_charsmap = base64.b64decode(charsmap)
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = True
    model.normalizer_spec.escape_whitespaces = True
    kinds = {0: proto.ModelProto.SentencePiece.CONTROL, 1: proto.ModelProto.SentencePiece.CONTROL,
             2: proto.ModelProto.SentencePiece.CONTROL, 3: proto.ModelProto.SentencePiece.UNKNOWN}  # fmt: skip
    for at in kept:
        text, score = spec["model"]["vocab"][at]
        kind = kinds.get(at, proto.ModelProto.SentencePiece.NORMAL)
        model.pieces.append(proto.ModelProto.SentencePiece(piece=text, score=score, type=kind))
    out.write_bytes(model.SerializeToString())


def _steps(normalizer: dict[str, Any]) -> list[dict[str, Any]]:
    return list(normalizer["normalizers"]) if normalizer["type"] == "Sequence" else [normalizer]
