"""Splits short texts by a SentencePiece model without loading it: the same pieces, from an index beside the file.

SentencePiece reads a vocabulary of 55,000 pieces in some 45 ms, most of what a single question takes. For a question
the pieces are looked up in the file itself instead: `pieces.index` holds where each is, in their order. The text is
normalised by the file's own rules, and the likeliest pieces are found as SentencePiece finds them, to the rounding of
its scores; `tests/embedders/test_piece_index.py` compares both. Without an index, or with one of another file,
SentencePiece is loaded, as it is for whatever is long.
"""

from __future__ import annotations

import json
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

NAME = "pieces.index"
_MAGIC = b"imi pieces 1\n"
_NORMAL, _UNKNOWN, _CONTROL, _USER, _BYTE = _KINDS = (1, 2, 3, 4, 6)
_UNIGRAM = 1
_SPACE = "▁".encode()
_UNKNOWN_PENALTY = 10.0
_FLOAT = struct.Struct("<f")
_STEP = 16


class PieceIndex:
    """The pieces of one vocabulary, looked up where they are in its file."""

    def __init__(self, model: bytes, about: dict[str, Any], places: memoryview, ids: memoryview) -> None:
        """Look pieces up in a file.

        Args:
            model: the file.
            about: what its index says of it.
            places: where in the file every sixteenth piece begins, in the file's order.
            ids: the pieces that texts are made of, in the order of their bytes.
        """
        self._model = model
        self._about = about
        self._places, self._ids = places, ids
        self._seen: dict[int, bytes] = {}
        self.size: int = about["size"]
        self._rules = _Rules(model[about["rules"][0] : sum(about["rules"])], about)
        self._unknown_score = _rounded(about["least"] - _UNKNOWN_PENALTY)
        self._user_bonus: float = about["most"]

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, at: int) -> bytes:
        known = self._seen.get(at)
        if known is None:
            start = self._start(self._ids[at])
            known = self._seen[at] = self._model[start : start + self._model[start - 1]]
        return known

    def _start(self, number: int) -> int:
        """Return where the text of a piece begins: after a tag, its length, a tag and the text's length."""
        model, place = self._model, self._places[number // _STEP]
        for _ in range(number % _STEP):
            place += 2 + model[place + 1]
        return place + 4

    def id_of(self, piece: str) -> int:
        """Return the id of a piece, the unknown one's where there is none."""
        sought = piece.encode()
        at = bisect_left(self, sought)
        return self._ids[at] if at < len(self) and self[at] == sought else int(self._about["unknown"])

    def split(self, text: str) -> list[int]:
        """Return the ids of the pieces of a text, which holds no lone surrogate."""
        normalised = self._rules.normalised(text.encode())
        found = self._likeliest(normalised)
        unknown, first_byte = self._about["unknown"], self._about["bytes"]
        ids: list[int] = []
        for start, end, piece in found:
            if piece != unknown:
                ids.append(piece)
            elif first_byte is not None:
                ids += [first_byte + byte for byte in normalised[start:end]]
            elif not ids or ids[-1] != unknown:
                ids.append(piece)
        return ids

    def _likeliest(self, text: bytes) -> Iterator[tuple[int, int, int]]:
        """Yield start, end and id of the pieces whose scores add up to the most."""
        size = len(text)
        scores = [0.0] * (size + 1)
        starts, pieces = [-1] * (size + 1), [0] * (size + 1)
        start = 0
        while start < size:
            before, after = scores[start], start + _width(text[start])
            alone = False
            for end, piece, score in self._from(text, start):
                total = _rounded(score + before)
                if starts[end] < 0 or total > scores[end]:
                    scores[end], starts[end], pieces[end] = total, start, piece
                alone = alone or end == after
            if not alone:
                total = _rounded(self._unknown_score + before)
                if starts[after] < 0 or total > scores[after]:
                    scores[after], starts[after], pieces[after] = total, start, self._about["unknown"]
            start = after
        path, end = [], size
        while end > 0:
            path.append((starts[end], end, pieces[end]))
            end = starts[end]
        return reversed(path)

    def _from(self, text: bytes, start: int) -> Iterator[tuple[int, int, float]]:
        """Yield end, id and score of every piece that begins at a place."""
        low, high, end = 0, len(self), start
        while end < len(text):
            end += _width(text[end])
            begun = text[start:end]
            low = bisect_left(self, begun, low, high)
            if low == high:
                return
            piece = self[low]
            if not piece.startswith(begun):
                return
            if len(piece) == len(begun):
                after = self._start(self._ids[low]) + len(piece)
                user = self._model[after + 5 : after + 7] == b"\x18\x04"
                score = (
                    (end - start) * self._user_bonus - 0.1 if user else _FLOAT.unpack_from(self._model, after + 1)[0]
                )
                yield end, self._ids[low], score


class _Rules:
    """The rules by which a vocabulary normalises texts: a double array of what is replaced, and what by."""

    def __init__(self, rules: bytes, about: dict[str, Any]) -> None:
        length = int.from_bytes(rules[:4], "little")
        self._units = memoryview(rules[4 : 4 + length]).cast("I")
        self._written = rules[4 + length :]
        self._kept = {one.encode() for one in about["kept"]}
        self._longest_kept = max(map(len, self._kept), default=0)

    def normalised(self, text: bytes) -> bytes:
        """Return a text as the vocabulary spells it: spaces as ▁, one before the text, none beside another."""
        out = bytearray()
        at, spaced = 0, True
        while at < len(text):
            spelt, length = self._prefix(text, at)
            at += length
            spelt = spelt.lstrip(b" ") if spaced else spelt
            if spelt:
                out += spelt
                spaced = spelt.endswith(b" ")
        kept = bytes(out).replace(b" ", _SPACE)
        if not text or not kept:
            return b""
        kept = _SPACE + kept
        while kept.endswith(_SPACE):
            kept = kept[: -len(_SPACE)]
        return kept

    def _prefix(self, text: bytes, at: int) -> tuple[bytes, int]:
        """Return what the beginning of a text becomes, and how many of its bytes that are."""
        for length in range(min(self._longest_kept, len(text) - at), 0, -1):
            if text[at : at + length] in self._kept:
                return text[at : at + length], length
        units, longest, written = self._units, 0, 0
        if units:
            place = _offset(units[0])
            for end in range(at, len(text)):
                place ^= text[end]
                if place >= len(units) or units[place] & 0x800000FF != text[end]:
                    break
                unit = units[place]
                place ^= _offset(unit)
                if unit >> 8 & 1:
                    longest, written = end + 1 - at, units[place] & 0x7FFFFFFF
        if longest:
            return self._written[written : self._written.index(b"\0", written)], longest
        width = _width(text[at])
        return text[at : at + width], width


def _offset(unit: int) -> int:
    return (unit >> 10) << ((unit & 0x200) >> 6)


def _width(first: int) -> int:
    """Return how many bytes the character has that begins with one."""
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4


def _rounded(score: float) -> float:
    """Return a sum of scores in 32 bits, as SentencePiece keeps it: that decides between splits nearly level."""
    rounded: float = _FLOAT.unpack(_FLOAT.pack(score))[0]
    return rounded


def opened(path: Path) -> PieceIndex | None:
    """Return the index beside a SentencePiece model, None where there is none that is whole and of this very file."""
    try:
        made, model = (path.parent / NAME).read_bytes(), path.read_bytes()
    except OSError:
        return None
    if not made.startswith(_MAGIC) or crc32(made[:-4]) != int.from_bytes(made[-4:], "little"):
        return None
    start = len(_MAGIC) + 4
    end = start + int.from_bytes(made[start - 4 : start], "little")
    about = json.loads(made[start:end])
    if about["file"] != [len(model), crc32(model)]:
        return None
    middle = end + 4 * -(-about["size"] // _STEP)
    whole = memoryview(made)
    return PieceIndex(model, about, whole[end:middle].cast("I"), whole[middle:-4].cast("H"))


def write(path: Path) -> bool:
    """Write the index of a SentencePiece model beside it; return whether there is one, which not all kinds have."""
    model = path.read_bytes()
    made = _made(model)
    target = path.parent / NAME
    if made is None:
        target.unlink(missing_ok=True)
        return False
    about, places, pieces = made
    about["file"] = [len(model), crc32(model)]
    header = json.dumps(about, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-(len(_MAGIC) + 4 + len(header)) % 4)
    numbers = array("I", places).tobytes() + array("H", [number for _, number in sorted(pieces)]).tobytes()
    whole = _MAGIC + len(header).to_bytes(4, "little") + header + numbers
    target.write_bytes(whole + crc32(whole).to_bytes(4, "little"))
    return True


def _made(model: bytes) -> tuple[dict[str, Any], list[int], list[tuple[bytes, int]]] | None:
    """Return what an index says of a model, where every sixteenth piece is, and the pieces of texts with their ids."""
    read, rules = _Vocabulary(), (0, 0)
    trainer: dict[int, Any] = {}
    normaliser: dict[int, Any] = {}
    for field, place, value in _fields(model, 0, len(model)):
        if field == 1 and not read.add(model, place, value):
            return None
        if field == 2:
            trainer = {name: part for name, _, part in _fields(model, place, place + len(value))}
        if field == 3:
            found = {name: (at, part) for name, at, part in _fields(model, place, place + len(value))}
            normaliser = {name: part for name, (_, part) in found.items()}
            rules = (found[2][0], len(found[2][1])) if 2 in found else rules
    plain = all(normaliser.get(name, 1) == 1 for name in (3, 4, 5)) and not trainer.get(24, 0)
    if trainer.get(3, _UNIGRAM) != _UNIGRAM or not plain or not rules[1] or read.unknown < 0 or read.size > 65536:
        return None
    fallback = bool(trainer.get(35, 0))
    first = read.bytes.get("<0x00>", -1)
    if fallback and any(read.bytes.get(f"<0x{byte:02X}>") != first + byte for byte in range(256)):
        return None
    about = {
        "size": read.size,
        "unknown": read.unknown,
        "bytes": first if fallback else None,
        "least": min(read.scores),
        "most": max(1.1754943508222875e-38, *read.scores),
        "kept": read.kept,
        "rules": rules,
    }
    return about, read.places, read.pieces


class _Vocabulary:
    """The pieces of a model, one after another."""

    def __init__(self) -> None:
        self.pieces: list[tuple[bytes, int]] = []
        self.places: list[int] = []
        self.scores: list[float] = []
        self.kept: list[str] = []
        self.bytes: dict[str, int] = {}
        self.unknown, self.size, self._next = -1, 0, 0

    def add(self, model: bytes, place: int, value: bytes) -> bool:
        """Take in the next piece; say whether it lies as the look-up reads it.

        That is: one after another, the score right after the text, the kind right after the score.
        """
        parts = {name: (at, part) for name, at, part in _fields(model, place, place + len(value))}
        text, kind = parts[1][1], parts.get(3, (0, _NORMAL))[1]
        lies_so = (parts[1][0] - place, parts[2][0] - place) == (2, len(text) + 3) and len(value) <= 127
        if not lies_so or place - 2 != self._next or kind not in _KINDS:
            return False
        self._next = place + len(value)
        if self.size % _STEP == 0:
            self.places.append(place - 2)
        if kind in (_NORMAL, _USER):
            self.pieces.append((text, self.size))
        if kind == _NORMAL:
            self.scores.append(_FLOAT.unpack(parts[2][1])[0])
        elif kind == _USER:
            self.kept.append(text.decode())
        elif kind == _UNKNOWN:
            self.unknown = self.size
        elif kind == _BYTE:
            self.bytes[text.decode()] = self.size
        self.size += 1
        return True


def _fields(model: bytes, at: int, end: int) -> Iterator[tuple[int, int, Any]]:
    """Yield number, place and value of the fields of a protocol buffer's message."""
    while at < end:
        key, at = _varint(model, at)
        kind = key & 7
        if kind == 0:
            value, after = _varint(model, at)
            yield key >> 3, at, value
            at = after
            continue
        length, at = _varint(model, at) if kind == 2 else ({5: 4, 1: 8}[kind], at)
        yield key >> 3, at, model[at : at + length]
        at += length


def _varint(model: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = model[at]
        value |= (byte & 127) << shift
        shift, at = shift + 7, at + 1
        if byte < 128:
            return value, at
