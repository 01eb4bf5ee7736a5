"""Evaluation sets from local files: the public ones by name, and one's own by path. Nothing is downloaded.

Only parts that training never sees are read: development parts, and what `imi.evaluate.splits` holds out.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from imi.errors import DataError, UsageError
from imi.evaluate import splits
from imi.evaluate.datasets import EvaluationSet, Labelled, Questions, Similarity, Translations
from imi.evaluate.questions import answers

ENGLISH_QUESTIONS = Path(__file__).parent / "jaquad_english.tsv"
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def _sts(name: str, pairs: Iterable[splits.ScoredPair]) -> Similarity:
    rows = list(pairs)
    return Similarity(name, [(row.a, row.b) for row in rows], [row.score for row in rows])


def _bitext(name: str, pairs: Iterable[splits.TranslationPairs]) -> Translations:
    return Translations(name, [(row.ja, row.en) for row in pairs])


def _questions(
    name: str, paragraphs: Sequence[splits.Paragraph], asked: Iterable[tuple[str, str]], titled: bool = False
) -> Questions:
    """Make a set of (question, paragraph id) pairs over paragraphs."""
    place = {paragraph.id: at for at, paragraph in enumerate(paragraphs)}
    pairs = list(asked)
    texts = [f"{p.title}\n{p.text}" if titled else p.text for p in paragraphs]
    return Questions(name, [text for text, _ in pairs], texts, answers([place[id] for _, id in pairs]))


def _jaquad(data: Path) -> Questions:
    paragraphs, questions = splits.jaquad(data, "dev")
    return _questions("jaquad", paragraphs, ((q.text, q.paragraph_id) for q in questions))


def english_over_japanese(data: Path, part: str = "dev") -> Questions:
    """Return English questions, translated by hand, over JaQuAD's Japanese paragraphs; `part` is "dev" or "train"."""
    paragraphs, questions = splits.jaquad(data, part)
    home = {question.id: question.paragraph_id for question in questions}
    rows = list(csv.DictReader(splits.read_lines(ENGLISH_QUESTIONS), delimiter="\t"))
    asked = [(row["question"], home[row["id"]]) for row in rows if row["part"] == part]
    return _questions("jaquad-en", paragraphs, asked)


def _squad(data: Path) -> Questions:
    paragraphs, questions = splits.squad(data)
    return _questions("squad", paragraphs.dev, ((q.text, q.paragraph_id) for q in questions.dev))


def _cranfield(data: Path) -> Questions:
    folder = data / "cranfield"
    documents = list(splits.read_json_lines(folder / "corpus.jsonl.gz"))
    queries = list(splits.read_json_lines(folder / "queries.jsonl"))
    place = {row["_id"]: at for at, row in enumerate(documents)}
    relevant: dict[str, dict[int, float]] = {}
    for line in list(splits.read_lines(folder / "qrels.tsv"))[1:]:
        query, document, gain = line.split("\t")
        if float(gain) > 0:
            relevant.setdefault(query, {})[place[document]] = 1.0
    kept = [row for row in queries if row["_id"] in relevant]
    gains = [relevant[row["_id"]] for row in kept]
    return Questions("cranfield", [row["text"] for row in kept], [row["text"] for row in documents], gains)


def docs_across(data: Path, part: str = "dev") -> Questions:
    """Return first sentences of English documentation as queries over whole Japanese paragraphs of the same pages."""
    both = splits.python_docs(data)
    pairs = both.dev if part == "dev" else both.train
    long = [pair for pair in pairs if len(_SENTENCE.split(pair.en)) > 1]
    asked = [_SENTENCE.split(pair.en)[0] for pair in long]
    return Questions("docs-en-ja", asked, [pair.ja for pair in long], answers(range(len(long))))


def _emoji(data: Path, language: str, held: bool) -> Questions:
    """Ask every emoji for its own name among all CLDR names of a language; `held`: only those kept from training."""
    both = splits.emoji(data)
    known = [*both.train, *both.dev]
    names = [one.en if language == "en" else one.ja for one in known]
    listed = json.loads("\n".join(splits.read_lines(data / "emoji" / "gemoji.json.gz")))
    pictures = {row["emoji"].replace("\ufe0f", "") for row in listed}
    first = len(both.train) if held else 0
    asked = [at for at in range(first, len(known)) if known[at].char.replace("\ufe0f", "") in pictures]
    name = f"emoji-{language}-held" if held else f"emoji-{language}"
    return Questions(name, [known[at].char for at in asked], names, answers(asked), "top1")


def _halves(name: str, rows: Iterable[tuple[str, str]]) -> Labelled:
    """Cut labelled texts in two by a hash of the text."""
    train: list[tuple[str, str]] = []
    test: list[tuple[str, str]] = []
    for row in dict.fromkeys(rows):
        (test if splits.held_out(f"{name} {row[0]}", 2) else train).append(row)
    return Labelled(name, ([t for t, _ in train], [y for _, y in train]), ([t for t, _ in test], [y for _, y in test]))


def _banking(data: Path) -> Labelled:
    rows = csv.reader(splits.read_lines(data / "english_text" / "banking77_train.csv.gz"))
    return _halves("banking77", [(row[0], row[1]) for row in list(rows)[1:]])


def _clinc(data: Path) -> Labelled:
    rows = (line.split("\t") for line in splits.read_lines(data / "queries" / "clinc150.tsv.gz"))
    return _halves("clinc", [(row[0].lstrip('"'), row[1]) for row in rows if len(row) == 2 and row[1] != "oos"])


SETS: Mapping[str, Callable[[Path], EvaluationSet]] = {
    "stsb-en": lambda data: _sts("stsb-en", splits.stsb(data, "en")),
    "stsb-ja": lambda data: _sts("stsb-ja", splits.stsb(data, "ja")),
    "jsick": lambda data: _sts("jsick", splits.jsick(data)),
    "jsts": lambda data: _sts("jsts", splits.jsts(data).dev),
    "tatoeba": lambda data: _bitext("tatoeba", splits.tatoeba(data).dev),
    "docs": lambda data: _bitext("docs", splits.python_docs(data).dev),
    "jaquad": _jaquad,
    "jaquad-en": english_over_japanese,
    "docs-en-ja": docs_across,
    "squad": _squad,
    "cranfield": _cranfield,
    "banking77": _banking,
    "clinc": _clinc,
    "emoji-en": lambda data: _emoji(data, "en", held=False),
    "emoji-ja": lambda data: _emoji(data, "ja", held=False),
    "emoji-en-held": lambda data: _emoji(data, "en", held=True),
    "emoji-ja-held": lambda data: _emoji(data, "ja", held=True),
}
"""Every named set and how it is read from the data folder."""


def load_set(name: str, data: Path | None) -> EvaluationSet:
    """Read a set: a name of `SETS` from the data folder, or a file of one's own.

    Raises:
        UsageError: the name is unknown, or a named set was asked for without a folder; DataError: files are not there.
    """
    if name not in SETS:
        if Path(name).suffix in (".tsv", ".jsonl"):
            return own_set(Path(name))
        raise UsageError(f"there is no set {name!r}, known are {', '.join(SETS)}", hint="or give a .tsv or .jsonl file")
    if data is None:
        raise UsageError(f"the set {name!r} is read from a folder of public data", hint="give --data FOLDER")
    try:
        return SETS[name](data)
    except FileNotFoundError as absent:
        raise DataError(
            f"the set {name!r} needs {absent.filename}, which is not there", hint="--data FOLDER"
        ) from absent


def own_set(path: Path) -> EvaluationSet:
    """Read a file of one's own; its columns (first line of TSV, keys of JSONL) tell what it measures.

    ``a, b, score``: similarity; ``a, b``: translations; ``query, document``: retrieval, each row a right answer, the
    documents of all rows searched; ``text, label`` and perhaps ``split`` (train or test; else cut in two):
    classification.

    Raises:
        DataError: the file cannot be read, is empty, or a row lacks a column; UsageError: the columns say nothing.
    """
    rows = _rows(path)
    columns = set(rows[0])
    try:
        if {"a", "b", "score"} <= columns:
            pairs = [(row["a"], row["b"]) for row in rows]
            return Similarity(path.stem, pairs, [float(row["score"]) for row in rows])
        if {"a", "b"} <= columns:
            return Translations(path.stem, [(row["a"], row["b"]) for row in rows])
        if {"query", "document"} <= columns:
            return _own_questions(path.stem, [(row["query"], row["document"]) for row in rows])
        if {"text", "label"} <= columns:
            return _own_labels(path.stem, rows)
    except (KeyError, TypeError, ValueError) as wrong:
        raise DataError(f"{path} has a row without what the others have: {wrong}", hint="check its columns") from wrong
    raise UsageError(
        f"{path} has the columns {', '.join(sorted(columns))}",
        hint="allowed are a, b, score; a, b; query, document; text, label",
    )


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        lines = [line for line in splits.read_lines(path) if line]
        if path.suffix == ".jsonl":
            rows = [{key: str(value) for key, value in json.loads(line).items()} for line in lines]
        else:
            rows = [dict(row) for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
    except (OSError, UnicodeDecodeError, ValueError, AttributeError) as wrong:
        raise DataError(
            f"{path} cannot be read: {wrong}", hint="give UTF-8 TSV with a first line of names, or JSONL"
        ) from wrong
    if not rows:
        raise DataError(f"{path} has no rows", hint="give at least one")
    return rows


def _own_questions(name: str, pairs: Sequence[tuple[str, str]]) -> Questions:
    documents = list(dict.fromkeys(document for _, document in pairs))
    place = {document: at for at, document in enumerate(documents)}
    right: dict[str, dict[int, float]] = {}
    for query, document in pairs:
        right.setdefault(query, {})[place[document]] = 1.0
    return Questions(name, list(right), documents, list(right.values()))


def _own_labels(name: str, rows: Sequence[Mapping[str, str]]) -> Labelled:
    if "split" not in rows[0]:
        return _halves(name, [(row["text"], row["label"]) for row in rows])
    parts = [[(row["text"], row["label"]) for row in rows if row["split"] == part] for part in ("train", "test")]
    train, test = (([text for text, _ in part], [label for _, label in part]) for part in parts)
    return Labelled(name, train, test)
