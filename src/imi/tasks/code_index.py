"""An index of definitions to ask more than once: by names, words and meaning, all fused.

What lifts words alone on public questions over public repositories (`benchmarks/code.py`): names are cut at case and
underscore and stand beside the whole name; words lose their endings; the file's name, docstrings and names of
definitions count more than bodies; a file whose definitions answer together beats one that answers once; what is named
in the question is found by name; tests and what is old or copied rank lower; and no file fills the page. The meaning of
definitions and of whole files does the rest, and all of it where the question is in another language than the code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.tasks.code_definitions import Function
from imi.tasks.code_terms import PARTS, as_words, stem, terms
from imi.text.bm25 import BM25
from imi.vectors import normalize

Floats = NDArray[np.float64]
_QUOTED = re.compile(r'("""|\'\'\')(.*?)\1', re.DOTALL)
# fmt: off
_SAY_NOTHING = frozenset((
    "how", "does", "do", "is", "are", "the", "a", "an", "of", "to", "in", "on", "for", "and", "or", "with", "by",
    "from",
    "what", "when", "where", "which", "that", "this", "it", "its", "be", "as", "at", "into", "used", "using", "use",
    "work", "works", "get", "set", "up", "down", "run", "runs", "after", "via", "self", "none", "true", "false", "def",
    "return", "if", "else", "not", "import", "class", "function", "code",
))
# Which language it is in says nothing where all of it is.
_LANGUAGES = frozenset(("python", "javascript", "typescript", "golang", "rust", "java", "ruby", "cpp"))
_LOWER_FOLDERS = frozenset((
    "tests", "test", "testing", "vendor", "vendored", "third_party", "thirdparty", "examples", "example", "docs",
    "docs_src", "benchmarks", "legacy", "deprecated", "compat", "migrations", "fixtures", "mocks",
))
# fmt: on
_LOWER_FILES = re.compile(r"test_.*|.*_test|.*\.test|.*\.spec|conftest|deprecated.*|.*_compat")
_OLD = re.compile(r"v\d+")
# Each measured on four repositories; none decides alone, and a third more or less of any costs at most .02.
_NAME, _STEM, _OWNER, _DOC = 4, 3, 2, 2
_OF_FILE = 0.7
_MEANING = 0.5
_WHOLE_FILE = 0.8
_TOGETHER = 0.2
_NAMED = 1.0
_CALLED = 0.25
_CLASSES = 0.15
_NEXT = 0.45
"""What a second definition of the same file is worth on a page, a third one twice so little, …"""
_LOWERED, _DEPTH = 0.6, 0.97
_NEAR_NOTHING = 0.1
"""A cosine that says nothing."""


@dataclass(frozen=True)
class CodeHit:
    """One definition found, and how well it answers the question."""

    function: Function
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints: those of a search's hit, with path and line."""
        function = self.function
        return {
            "id": f"{function.path}:{function.line}",
            "score": self.score,
            "text": function.text,
            "metadata": {"name": function.name, "kind": function.kind},
            "path": function.path,
            "line": function.line,
        }


class CodeIndex:
    """Functions, classes and files to ask more than once."""

    def __init__(self, found: Sequence[Function], model: Any, dims: int | None = None) -> None:
        """Embed definitions and count their words."""
        self.functions = tuple(found)
        read = [one if one.doc or not (doc := _docstring(one.text)) else replace(one, doc=doc) for one in found]
        self._model, self._dims = model, dims
        files: dict[str, int] = {}
        # Definitions without a path are each on their own.
        self._file = np.array(
            [files.setdefault(one.path or f"\0{at}", len(files)) for at, one in enumerate(found)], np.int64
        )
        self._paths = [path if not path.startswith("\0") else "" for path in files]
        self._stems = [{stem(part.lower()) for part in PARTS.findall(_called(path))} for path in self._paths]
        self._names: dict[str, list[int]] = {}
        for at, one in enumerate(found):
            self._names.setdefault(one.short_name.lower(), []).append(at)
        self._names.pop("", None)
        self._count_words(read)
        self._z = self._embedded([one.described for one in read])
        self._file_z = self._embedded(self._files_described(read))
        self._prior = np.array([_prior(path) for path in _below_common(self._paths)])[self._file]
        self._is_class = np.array([one.kind == "class" for one in found])

    def _count_words(self, read: Sequence[Function]) -> None:
        documents: list[list[str]] = []
        of_files: list[list[str]] = [
            terms(_called(path)) * 2 * _STEM + terms(_folder(path)) * 2 for path in self._paths
        ]
        for one, file in zip(read, self._file.tolist(), strict=True):
            name, body, doc = one.terms
            around = (
                terms(_called(one.path)) * _STEM
                + terms(_folder(one.path))
                + terms(one.name.rpartition(".")[0]) * _OWNER
            )
            documents.append(name * _NAME + around + doc * (_DOC - 1) + body)
            of_files[file] += name * _STEM + body + doc
        self._words = BM25(documents, k1=1.5, b=0.6)
        self._file_words = BM25(of_files, k1=1.5, b=0.5)

    def _files_described(self, read: Sequence[Function]) -> list[str]:
        heads = ["" for _ in self._paths]
        names: list[list[str]] = [[] for _ in self._paths]
        for one, file in zip(read, self._file.tolist(), strict=True):
            if one.kind == "file":
                heads[file] = one.doc[:400]
            elif one.name.count(".") < 2:
                names[file].append(one.short_name)
        return [
            as_words(f"{_folder(path)} {_called(path)} {_called(path)} {head} {' '.join(held)[:1500]}")
            for path, head, held in zip(self._paths, heads, names, strict=True)
        ]

    def _embedded(self, texts: list[str]) -> NDArray[np.float32]:
        return normalize(self._model.embed(texts, "document", self._dims))

    def search(self, question: str, k: int = 10) -> list[CodeHit]:
        """Return the k definitions that answer a question best; of one file later ones count less, for variety."""
        scores = self._scores(question)
        order = np.argsort(-scores, kind="stable")
        before: dict[int, int] = {}
        ranked: list[tuple[float, int]] = []
        for row in order.tolist():
            file = int(self._file[row])
            nth = before.get(file, 0)
            before[file] = nth + 1
            ranked.append((float(scores[row]) * _NEXT**nth, row))
            if len(ranked) >= 40 * k and self._paths[file]:
                break
        ranked.sort(key=lambda one: -one[0])
        return [CodeHit(self.functions[row], score) for score, row in ranked[:k]]

    def _scores(self, question: str) -> Floats:
        asked = terms(question)
        telling = [term for term in asked if term not in _SAY_NOTHING and term not in _LANGUAGES] or asked
        words = _of_best(self._words.scores([telling])[0])
        file_words = _of_best(self._file_words.scores([telling])[0])
        said = " ".join(word for word in as_words(question).split() if word not in _LANGUAGES)
        vector = normalize(self._model.embed([said or question], "query", self._dims))[0]
        near, file_near = _above_nothing(self._z @ vector), _above_nothing(self._file_z @ vector)
        best = np.zeros(len(self._paths))
        np.maximum.at(best, self._file, near)
        file_near = (1 - _WHOLE_FILE) * best + _WHOLE_FILE * file_near
        scores = (1 - _MEANING) * (words + _OF_FILE * file_words[self._file])
        scores += _MEANING * (near + _OF_FILE * file_near[self._file])
        scores += self._named(question)
        scores += _TOGETHER * self._together(scores)
        called = np.array([len(stems & set(telling)) / len(stems) if stems else 0.0 for stems in self._stems])
        scores += _CALLED * called[self._file]
        return np.asarray(scores * self._prior + _CLASSES * self._is_class * words)

    def _named(self, question: str) -> Floats:
        """Return what definitions gain whose very name the question holds; a plain word counts only by itself."""
        gained = np.zeros(len(self.functions))
        alone = " " not in question.strip()
        for name in set(re.findall(r"[A-Za-z_]\w*", question)):
            if not (alone or "_" in name or re.search("[a-z][A-Z]", name)):
                continue
            for row in self._names.get(name.lower(), ()):
                one = self.functions[row]
                own = 1.0 + 0.3 * (one.kind == "class") - 0.3 * ("." in one.name)
                gained[row] += _NAMED * own * (1.0 if one.short_name == name else 0.5)
                gained[row] += 0.2 * (stem(name.lower()) in self._stems[int(self._file[row])])
        return gained

    def _together(self, scores: Floats) -> Floats:
        """Return, for each definition, what the second to fourth best of its file score, halved each."""
        order = np.lexsort((-scores, self._file))
        files = self._file[order]
        starts = np.flatnonzero(np.concatenate([[True], files[1:] != files[:-1]]))
        nth = np.arange(len(order)) - np.repeat(starts, np.diff(np.concatenate([starts, [len(order)]])))
        some = (nth > 0) & (nth < 4)
        sums = np.zeros(len(self._paths))
        np.add.at(sums, files[some], scores[order][some] / 2.0 ** nth[some])
        return np.asarray(sums[self._file])


def _docstring(text: str) -> str:
    """Return the docstring of a Python function that came as bare text."""
    found = _QUOTED.search(text[:3000]) if '"""' in text or "'''" in text else None
    return "" if found is None else found[2].strip()


@lru_cache(maxsize=100_000)
def _called(path: str) -> str:
    """Return the name of a file, of a package's own file that of its folder."""
    where = Path(path)
    return where.parent.name if where.stem in ("__init__", "index", "mod") else where.stem


@lru_cache(maxsize=100_000)
def _folder(path: str) -> str:
    """Return the name of the folder that a file is in."""
    return Path(path).parent.name


def _below_common(paths: Sequence[str]) -> list[str]:
    """Return paths below the folder that all are in, so that what stands above it says nothing."""
    folders = [Path(path).parts for path in paths if path]
    shared = 0
    while folders and all(len(one) > shared + 1 and one[shared] == folders[0][shared] for one in folders):
        shared += 1
    return ["/".join(Path(path).parts[shared:]) for path in paths]


def _prior(path: str) -> float:
    """Return what a file counts before any question: tests, examples, copies and old versions count less."""
    *folders, name = path.split("/") if path else [""]
    lowered = any(folder.strip("_") in _LOWER_FOLDERS or _OLD.fullmatch(folder) for folder in folders)
    lowered = lowered or _LOWER_FILES.fullmatch(Path(name).stem) is not None
    return float((_LOWERED if lowered else 1.0) * _DEPTH ** len(folders))


def _of_best(scores: NDArray[np.float32]) -> Floats:
    return np.asarray(scores / max(float(scores.max(initial=0.0)), 1e-9), np.float64)


def _above_nothing(cosines: NDArray[np.float32]) -> Floats:
    """Return cosines between what says nothing and the best, as 0 to 1."""
    span = max(float(cosines.max(initial=0.0)) - _NEAR_NOTHING, 1e-6)
    return np.asarray(np.clip((cosines - _NEAR_NOTHING) / span, 0.0, 1.0), np.float64)
