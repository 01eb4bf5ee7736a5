"""Recommendation: what is like the liked and unlike the disliked, without showing the same thing ten times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.collection.folding import search_folded
from imi.errors import UsageError
from imi.records import Hit, Hits
from imi.tasks.keywords import words_of, written_out
from imi.tasks.neighbours import copies_of
from imi.tasks.report import Findings, Phrase, Reported, ReportTable
from imi.tasks.rows import is_collection, read_rows
from imi.text.lexical import normalize_text
from imi.types import Floats
from imi.vectors import normalize

_SEEN = 10
"""How many candidates a row shown is chosen from; where rows are disliked, twice as many are looked at first."""
_BRIEF = 60


@dataclass(frozen=True)
class Recommendation:
    """Row numbers (k,) in the order to show them, and their scores: the cosine to the liked, see `recommend`."""

    rows: NDArray[np.int64]
    scores: Floats

    def to_dict(self) -> list[dict[str, Any]]:
        """Return one dict a row."""
        return [
            {"row": row, "score": score} for row, score in zip(self.rows.tolist(), self.scores.tolist(), strict=True)
        ]


def recommend(
    data: Any,
    like: Sequence[Any] | str | int,
    dislike: Sequence[Any] | str | int = (),
    k: int = 10,
    diversity: float = 0.3,
    *,
    where: Any = None,
    dims: int | None = None,
) -> Hits | Recommendation:
    """Find what is like these, unlike those, and not all the same.

    A row's score is its cosine to the mean of the liked. Where it is nearer to the disliked than to the liked, it loses
    by how much. The best k × 10 candidates are then taken one by one by maximal marginal relevance (Carbonell and
    Goldstein 1998): (1 - diversity) × score - diversity × likeness to those taken. So with a diversity of 0 and nothing
    disliked, these are the nearest rows.

    Args:
        data: a collection, or (n, d) vectors.
        like: one or more ids, or row numbers of an array.
        dislike: the same; neither they nor copies of them are ever recommended.
        k: how many different ones; copies are folded. Fewer come where there are fewer other rows.
        diversity: 0 for the nearest, towards 1 for variety.
        where: a filter on metadata, for a collection.
        dims: leading dimensions of each vector to use.

    Returns:
        Hits for a collection, a Recommendation for an array.

    Raises:
        UsageError: nothing liked, an unknown id or row, the same one liked and disliked, k below 1, diversity outside
            0 to 1.
    """
    liked, disliked = _listed(like), _listed(dislike)
    if not liked:
        raise UsageError("nothing is liked: there is nothing to be like", hint="imi recommend COLLECTION --like ID")
    both = [one for one in liked if one in disliked]
    if both:
        raise UsageError(f"{both[0]!r} is both liked and disliked")
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise UsageError(f"k is {k!r}, allowed are whole numbers from 1")
    if not 0 <= diversity <= 1:
        raise UsageError(f"diversity is {diversity!r}, allowed are numbers from 0 to 1")
    if is_collection(data):
        return _from_collection(
            data, [str(one) for one in liked], [str(one) for one in disliked], (k, diversity, where, dims)
        )
    if where is not None:
        raise UsageError("where filters metadata, and an array has none", hint="select the rows before")
    return _from_array(read_rows(data, dims).z, liked, disliked, k, diversity)


@dataclass(frozen=True)
class RecommendationReason:
    """Why a row was recommended: the liked one it is nearest to, the words they share, and its rank by nearness alone.

    liked: an id, and cosine to it; text: its text. disliked: the cosine to the nearest disliked row, None without one.
    plain: the rank that the row has by its cosine to the mean of the liked alone, among all rows but those named.
    """

    liked: str
    cosine: float
    words: tuple[str, ...]
    disliked: float | None
    plain: int
    text: str = ""

    @property
    def shown(self) -> str:
        """Return how the liked one is shown: the beginning of its text, its id where it has none."""
        flat = " ".join(self.text.split())
        return (flat if len(flat) <= _BRIEF else f"{flat[: _BRIEF - 1]}…") or self.liked

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {"liked": self.liked, "cosine": self.cosine, "words": list(self.words), "disliked": self.disliked}


@dataclass(frozen=True)
class Recommended(Reported):
    """What was recommended from a collection, each with its reason; `like` and `dislike` are what was asked by."""

    hits: Hits
    reasons: tuple[RecommendationReason, ...]
    like: tuple[str, ...]
    dislike: tuple[str, ...] = ()

    def to_dict(self) -> list[dict[str, Any]]:
        """Return one dict a row."""
        return [
            hit | {"reason": one.to_dict(), "baseline": {"method": "nearest", "rank": one.plain}}
            for hit, one in zip(self.hits.to_dicts(), self.reasons, strict=True)
        ]

    def findings(self) -> Findings:
        """Return the recommended rows with their reasons, beside their rank by nearness alone."""
        liked, disliked = ", ".join(self.like), ", ".join(self.dislike)
        says = Phrase(
            f"rows like {liked}{f' and unlike {disliked}' if disliked else ''}; "
            "plain rank: by nearness to the liked alone",
            (f"{liked} に似ていて {disliked} に似ていない行。" if disliked else f"{liked} に似ている行。")
            + "単純順位：気に入った行への近さだけの順位",
        )
        rows = [
            [
                hit.score,
                hit.id,
                hit.text,
                one.shown,
                ", ".join(one.words),
                one.disliked,
                one.plain,
            ]
            for hit, one in zip(self.hits, self.reasons, strict=True)
        ]
        columns = (
            Phrase("score", "スコア"),
            Phrase("id", "ID"),
            Phrase("text", "テキスト"),
            Phrase("nearest liked", "最も近い気に入った行"),
            Phrase("words in common", "共通する単語"),
            Phrase("to the disliked", "気に入らない行との近さ"),
            Phrase("plain rank", "単純順位"),
        )
        return Findings(Phrase("Recommendations", "推薦"), (says,), (ReportTable(columns, rows),))


def reasons(
    collection: Any, hits: Hits, like: Sequence[str], dislike: Sequence[str] = (), *, dims: int | None = None
) -> list[RecommendationReason]:
    """Say of each recommended row which liked one brought it, by which words, and where the plain way has it.

    Args:
        collection: the collection asked.
        hits: what `recommend` returned for it.
        like: the ids that were liked.
        dislike: the ids that were disliked.
        dims: leading dimensions of each vector to use.
    """
    if not hits:
        return []
    liked = normalize(collection.vectors(list(like), dims=dims))
    away = normalize(collection.vectors(list(dislike), dims=dims)) if dislike else None
    found = normalize(collection.vectors([hit.id for hit in hits], dims=dims))
    rows = read_rows(collection, dims)
    plain = rows.z @ normalize(liked.mean(axis=0))
    plain[[rows.ids.index(one) for one in (*like, *dislike)]] = -np.inf
    texts = {document.id: document.text or "" for document in collection.get(list(like))}
    words = {id_: set(words_of(text)) for id_, text in texts.items()}
    result = []
    for hit, vector in zip(hits, found, strict=True):
        cosines = liked @ vector
        best = int(cosines.argmax())
        shared = [word for word in dict.fromkeys(words_of(hit.text or "")) if word in words[like[best]]]
        result.append(
            RecommendationReason(
                like[best],
                float(cosines[best]),
                tuple(written_out(shared, [normalize_text(hit.text or "")])[:5]),
                None if away is None else float((away @ vector).max()),
                1 + int((plain > plain[rows.ids.index(hit.id)]).sum()),
                texts[like[best]],
            )
        )
    return result


def _listed(given: Sequence[Any] | str | int) -> list[Any]:
    return [given] if isinstance(given, str | int | np.integer) else list(given)


def liking(z: Floats, liked: Floats, disliked: Floats) -> Floats:
    """Return how wanted each unit row of z is, (n,): the cosine to the liked, less any lead of the disliked.

    Args:
        z: (n, d) unit rows.
        liked: (a, d) unit rows.
        disliked: (b, d) unit rows; b may be 0.
    """
    middle = liked.mean(axis=0)
    scores = z @ normalize(middle)
    if len(disliked):
        scores = scores - np.maximum(z @ (disliked.mean(axis=0) - middle), 0)
    return np.asarray(scores, dtype=np.float32)


def marginal_relevance(scores: Floats, z: Floats, k: int, diversity: float) -> NDArray[np.int64]:
    """Return the places of k candidates, taken one by one by maximal marginal relevance.

    Args:
        scores: (m,) how wanted each candidate is.
        z: (m, d) unit rows of the candidates.
        k: how many; at most m come.
        diversity: 0 to 1.
    """
    taken: list[int] = []
    likeness = np.zeros(len(scores), np.float32)
    open_ = np.ones(len(scores), dtype=bool)
    for _ in range(min(k, len(scores))):
        value = (1 - diversity) * scores - diversity * likeness
        best = int(np.where(open_, value, -np.inf).argmax())
        taken.append(best)
        open_[best] = False
        likeness = np.maximum(likeness, z @ z[best])
    return np.array(taken, dtype=np.int64)


def _from_array(z: Floats, liked: list[Any], disliked: list[Any], k: int, diversity: float) -> Recommendation:
    for row in (*liked, *disliked):
        if isinstance(row, bool) or not isinstance(row, int | np.integer) or not 0 <= row < len(z):
            raise UsageError(f"row {row!r} is not there, allowed are whole numbers from 0 to {len(z) - 1}")
    scores = liking(z, z[liked], z[disliked])
    first, same = copies_of(z)
    others = first[~np.isin(np.arange(len(first)), same[[*liked, *disliked]])]
    candidates = others[np.argsort(-scores[others], kind="stable")[: _SEEN * k]]
    order = candidates[marginal_relevance(scores[candidates], z[candidates], k, diversity)]
    return Recommendation(order, np.asarray(scores[order], dtype=np.float32))


def _from_collection(
    collection: Any, liked: list[str], disliked: list[str], how: tuple[int, float, Any, int | None]
) -> Hits:
    k, diversity, where, dims = how
    known = normalize(collection.vectors([*liked, *disliked], dims=dims))
    ours, away = known[: len(liked)], known[len(liked) :]
    # Every dimension is asked by, and the search shortens it: a mean of shortened vectors is another one.
    wanted = normalize(normalize(collection.vectors(liked)).mean(axis=0))
    skip = dict.fromkeys([*liked, *disliked])
    named = [Hit(one.id, 1.0, one.text, {}) for one in collection.get(list(skip))]

    def search(many: int) -> Hits:
        # As many as asked for come back as long as there are others, or folding would take them for all that there are.
        found = collection.search(wanted, k=many, mode="meaning", where=where, dims=dims)
        return Hits([*named, *(hit for hit in found if hit.id not in skip)], mode="meaning")

    # What says the same as a named row is folded into it, and goes with it.
    many = _SEEN * k * (2 if disliked else 1)
    hits: list[Hit] = [hit for hit in search_folded(search, many + len(skip)) if hit.id not in skip]
    if not hits:
        return Hits([], mode="meaning")
    z = normalize(collection.vectors([hit.id for hit in hits], dims=dims))
    scores = liking(z, ours, away)
    best = np.argsort(-scores, kind="stable")[: _SEEN * k]
    order = best[marginal_relevance(scores[best], z[best], k, diversity)]
    return Hits([replace(hits[place], score=float(scores[place])) for place in order], mode="meaning")
