"""The kinds of evaluation set: what each holds, which texts a model encodes for it, how its vectors are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from imi.evaluate.baselines import bitext_floor, sts_floor
from imi.evaluate.classification import Head, classification
from imi.evaluate.questions import ByWords, hybrid, retrieval
from imi.evaluate.scores import ByDims, Dims, Score
from imi.evaluate.similarity import bitext, sts
from imi.fusion import WEIGHT
from imi.records import Kind
from imi.types import Floats

Sides = list[tuple[Sequence[str], Kind]]


class EvaluationSet(Protocol):
    """What `imi.evaluate.run` asks of a set."""

    @property
    def name(self) -> str:
        """The name on the command line."""
        ...

    def sides(self) -> Sides:
        """Return the texts to encode and what they are."""
        ...

    def measure(self, vectors: Sequence[Floats], dims: Dims) -> ByDims:
        """Return the figures of vectors, one array a side."""
        ...

    def floor(self) -> tuple[str, Score] | None:
        """Return the name and figure of what needs no model, None where there is none."""
        ...


@dataclass(frozen=True)
class Similarity:
    """Pairs of texts and how alike people found them."""

    name: str
    pairs: Sequence[tuple[str, str]]
    scores: Sequence[float]

    def sides(self) -> Sides:
        """Return both sides, as documents."""
        return [([a for a, _ in self.pairs], "document"), ([b for _, b in self.pairs], "document")]

    def measure(self, vectors: Sequence[Floats], dims: Dims) -> ByDims:
        """Return Spearman's correlation."""
        return sts((vectors[0], vectors[1]), (), self.scores, dims)

    def floor(self) -> tuple[str, Score]:
        """Return what character n-grams reach."""
        return "char n-grams", sts_floor(self.pairs, self.scores)


@dataclass(frozen=True)
class Translations:
    """Texts and their translations."""

    name: str
    pairs: Sequence[tuple[str, str]]

    def sides(self) -> Sides:
        """Return both sides, as documents."""
        return [([a for a, _ in self.pairs], "document"), ([b for _, b in self.pairs], "document")]

    def measure(self, vectors: Sequence[Floats], dims: Dims) -> ByDims:
        """Return top-1, both ways."""
        return bitext((vectors[0], vectors[1]), (), dims)

    def floor(self) -> tuple[str, Score]:
        """Return what character n-grams reach."""
        return "char n-grams", bitext_floor(self.pairs)


@dataclass(frozen=True)
class Questions:
    """Queries, documents, and which documents answer which query with what gain."""

    name: str
    queries: Sequence[str]
    documents: Sequence[str]
    relevant: Sequence[Mapping[int, float]]
    metric: str = "ndcg@10"

    def sides(self) -> Sides:
        """Return queries and documents."""
        return [(self.queries, "query"), (self.documents, "document")]

    def measure(self, vectors: Sequence[Floats], dims: Dims) -> ByDims:
        """Return retrieval by meaning."""
        return retrieval((vectors[0], vectors[1]), (), (), self.relevant, dims, metric=self.metric)

    def floor(self) -> tuple[str, Score]:
        """Return retrieval by words alone."""
        return "bm25", self.words.score(self.relevant, self.metric)

    @cached_property
    def words(self) -> ByWords:
        """BM25 over the documents, made once."""
        return ByWords(self.queries, self.documents)

    def fused(self, vectors: Sequence[Floats], dims: Dims, weight: float = WEIGHT) -> ByDims:
        """Return retrieval by words and meaning together."""
        return hybrid(self.words, (vectors[0], vectors[1]), self.relevant, dims, weight=weight, metric=self.metric)


@dataclass(frozen=True)
class Labelled:
    """Texts with labels, cut into what is learnt from and what is asked."""

    name: str
    train: tuple[Sequence[str], Sequence[str]]
    test: tuple[Sequence[str], Sequence[str]]
    head: Head = "knn"

    def sides(self) -> Sides:
        """Return both parts, as documents."""
        return [(self.train[0], "document"), (self.test[0], "document")]

    def measure(self, vectors: Sequence[Floats], dims: Dims) -> ByDims:
        """Return accuracy."""
        return classification((vectors[0], vectors[1]), ((), self.train[1]), ((), self.test[1]), dims, head=self.head)

    def floor(self) -> None:
        """Return nothing: a baseline for labels would need its own classifier."""
        return None
