"""Which public rows train the built-in model and which only measure it: one deterministic rule for both sides.

A row is held out by a hash of its key, so that the split depends on neither order nor library versions. Rows that
share a sentence go to the same side, and `evaluation_texts` lists every text that training must never see. Standard
library only.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Split(Generic[Row]):
    """Rows for training and rows for measuring; no text of `dev` is in `train`."""

    train: tuple[Row, ...]
    dev: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two texts and how alike people found them, higher is more alike."""

    a: str
    b: str
    score: float


@dataclass(frozen=True, slots=True)
class TranslationPairs:
    """An English text, its Japanese translation, and the page both come from (empty where there is none)."""

    en: str
    ja: str
    page: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the paragraph it was written for."""

    id: str
    text: str
    paragraph_id: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph that questions ask for, with the title of its article."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Emoji:
    """An emoji or symbol with its Unicode CLDR names and keywords in both languages."""

    char: str
    en: str
    ja: str
    en_keywords: tuple[str, ...]
    ja_keywords: tuple[str, ...]
    derived: bool


def held_out(key: str, one_in: int) -> bool:
    """Return whether the row with this key is for measuring: about one key in `one_in`, always the same."""
    digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8, person=b"imi-split").digest()
    return int.from_bytes(digest, "big") % one_in == 0


def same(text: str) -> str:
    """Return the form under which two texts count as the same: NFKC, case folded, without spaces and final marks."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(".。!?！？")


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file, gzipped or not, without their ends."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\r\n")


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON-lines file, gzipped or not."""
    for line in read_lines(path):
        if line:
            yield json.loads(line)


def stsb(data: Path, language: str, part: str = "dev") -> tuple[ScoredPair, ...]:
    """Return STS-B pairs of a language ("en", "ja"); only the development part is used, and only for measuring."""
    rows = csv.reader(read_lines(data / "stsb" / f"stsb-{language}-{part}.csv"))
    return tuple(ScoredPair(a, b, float(score)) for a, b, score in rows)


def jsick(data: Path) -> tuple[ScoredPair, ...]:
    """Return all pairs of JSICK in Japanese; none of them trains anything."""
    rows = csv.DictReader(read_lines(data / "japanese_pairs" / "jsick.tsv.gz"), delimiter="\t", quoting=csv.QUOTE_NONE)
    return tuple(ScoredPair(row["ja_a"], row["ja_b"], float(row["ja_relatedness"])) for row in rows)


def jsts(data: Path) -> Split[ScoredPair]:
    """Return JSTS train pairs, about a quarter held out with every sentence in it."""
    rows = list(read_json_lines(data / "jglue" / "jsts-train.jsonl.gz"))
    pairs = [
        (str(row["sentence_pair_id"]), ScoredPair(row["sentence1"], row["sentence2"], float(row["label"])))
        for row in rows
    ]
    dev = [pair for key, pair in pairs if held_out(f"jsts {key}", 4)]
    seen = {same(text) for pair in dev for text in (pair.a, pair.b)}
    train = [pair for _, pair in pairs if same(pair.a) not in seen and same(pair.b) not in seen]
    return Split(tuple(train), tuple(dev))


def tatoeba(data: Path) -> Split[TranslationPairs]:
    """Return Tatoeba pairs; a chain of linked sentences stays on one side, and one pair of it is measured."""
    pairs = [
        TranslationPairs(*line.split("\t")[:2])
        for line in read_lines(data / "parallel_ja_en" / "tatoeba_jpn-eng.tsv.gz")
        if "\t" in line
    ]
    train: list[TranslationPairs] = []
    dev: list[TranslationPairs] = []
    for chain in _chains(pairs):
        if held_out("tatoeba " + min(same(pair.en) for pair in chain), 32):
            dev.append(chain[0])
        else:
            train.extend(chain)
    return Split(tuple(train), tuple(dev))


def _chains(pairs: Iterable[TranslationPairs]) -> list[list[TranslationPairs]]:
    """Group pairs that share a sentence, directly or through others (union by smaller root)."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    pairs = list(pairs)
    for pair in pairs:
        a, b = root("en " + same(pair.en)), root("ja " + same(pair.ja))
        parent[max(a, b)] = min(a, b)
    groups: dict[str, list[TranslationPairs]] = {}
    for pair in pairs:
        groups.setdefault(root("en " + same(pair.en)), []).append(pair)
    return list(groups.values())


def python_docs(data: Path) -> Split[TranslationPairs]:
    """Return paragraphs of Python's documentation in both languages; one page in sixteen is held out whole."""
    rows = [line.split("\t") for line in read_lines(data / "docs_ja_en" / "python_docs.tsv.gz")]
    pairs = [TranslationPairs(row[1], row[2], row[0]) for row in rows if len(row) == 3 and row[1] and row[2]]
    dev: dict[tuple[str, str], TranslationPairs] = {}
    for pair in pairs:
        if held_out(f"python_docs {pair.page}", 16):
            dev.setdefault((same(pair.en), same(pair.ja)), pair)
    english = {en for en, _ in dev}
    japanese = {ja for _, ja in dev}
    train = [pair for pair in pairs if same(pair.en) not in english and same(pair.ja) not in japanese]
    return Split(tuple(train), _one_to_one(dev.values()))


def _one_to_one(pairs: Iterable[TranslationPairs]) -> tuple[TranslationPairs, ...]:
    """Keep the first pair of each text on either side, so that every text has one right answer."""
    english: set[str] = set()
    japanese: set[str] = set()
    kept = []
    for pair in pairs:
        en, ja = same(pair.en), same(pair.ja)
        if en not in english and ja not in japanese:
            kept.append(pair)
            english.add(en)
            japanese.add(ja)
    return tuple(kept)


def squad(data: Path) -> tuple[Split[Paragraph], Split[Question]]:
    """Return SQuAD paragraphs and their questions; one paragraph in four is held out with its questions."""
    paragraphs = [
        Paragraph(row["_id"], row["title"], row["text"]) for row in read_json_lines(data / "squad" / "corpus.jsonl.gz")
    ]
    dev_ids = {paragraph.id for paragraph in paragraphs if held_out(f"squad {paragraph.text[:200]}", 4)}
    home = dict(line.split("\t")[:2] for line in list(read_lines(data / "squad" / "qrels.tsv.gz"))[1:])
    questions = [
        Question(row["_id"], row["text"], home[row["_id"]])
        for row in read_json_lines(data / "squad" / "queries.jsonl.gz")
        if row["_id"] in home
    ]
    return (
        Split(tuple(p for p in paragraphs if p.id not in dev_ids), tuple(p for p in paragraphs if p.id in dev_ids)),
        Split(
            tuple(q for q in questions if q.paragraph_id not in dev_ids),
            tuple(q for q in questions if q.paragraph_id in dev_ids),
        ),
    )


def jaquad(data: Path, part: str) -> tuple[tuple[Paragraph, ...], tuple[Question, ...]]:
    """Return JaQuAD paragraphs and questions of a part: "train" to learn from, "dev" to measure (other articles)."""
    folder = data / "jaquad"
    paragraphs = [
        Paragraph(row["_id"], row["title"], row["text"]) for row in read_json_lines(folder / f"{part}_corpus.jsonl.gz")
    ]
    home = dict(line.split("\t")[:2] for line in list(read_lines(folder / f"{part}_qrels.tsv.gz"))[1:])
    questions = [
        Question(row["_id"], row["text"], home[row["_id"]])
        for row in read_json_lines(folder / f"{part}_queries.jsonl.gz")
        if row["_id"] in home
    ]
    return tuple(paragraphs), tuple(questions)


def emoji(data: Path) -> Split[Emoji]:
    """Return emoji with their CLDR names; a tenth is held out, all sequences of one emoji on the same side."""
    rows = csv.DictReader(
        read_lines(data / "emoji" / "cldr_annotations_en_ja.tsv.gz"), delimiter="\t", quoting=csv.QUOTE_NONE
    )
    emojis = [
        Emoji(
            row["char"],
            row["en_name"] or "",
            row["ja_name"] or "",
            tuple(filter(None, (row["en_keywords"] or "").split("|"))),
            tuple(filter(None, (row["ja_keywords"] or "").split("|"))),
            row["derived"] == "1",
        )
        for row in rows
    ]
    dev = [one for one in emojis if emoji_held_out(one.char)]
    return Split(tuple(one for one in emojis if not emoji_held_out(one.char)), tuple(dev))


def emoji_held_out(char: str) -> bool:
    """Return whether an emoji is held out: by its first character, so that skin tones follow."""
    return held_out(f"emoji {char[:1]}", 10)


def _cranfield(data: Path) -> Iterator[str]:
    for name in ("corpus.jsonl.gz", "queries.jsonl"):
        for row in read_json_lines(data / "cranfield" / name):
            yield row["text"]


@lru_cache(maxsize=2)
def evaluation_texts(data: Path) -> frozenset[str]:
    """Return, in the form of `same`, every text that measures and that training leaves out."""
    texts: list[str] = []
    for language in ("en", "ja"):
        texts += [text for pair in stsb(data, language) for text in (pair.a, pair.b)]
    rows = csv.DictReader(read_lines(data / "japanese_pairs" / "jsick.tsv.gz"), delimiter="\t", quoting=csv.QUOTE_NONE)
    texts += [row[column] for row in rows for column in ("ja_a", "ja_b", "en_a", "en_b")]
    texts += [text for pair in jsts(data).dev for text in (pair.a, pair.b)]
    texts += [text for pair in (*tatoeba(data).dev, *python_docs(data).dev) for text in (pair.en, pair.ja)]
    paragraphs, questions = squad(data)
    dev_paragraphs, dev_questions = jaquad(data, "dev")
    texts += [paragraph.text for paragraph in (*paragraphs.dev, *dev_paragraphs)]
    texts += [question.text for question in (*questions.dev, *dev_questions)]
    texts += _cranfield(data)
    return frozenset(same(text) for text in texts)
