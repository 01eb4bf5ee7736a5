"""Measure models on sets: each text is encoded once a model, every dims is a cut of the same vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imi.embedders.base import Embedder
from imi.evaluate.datasets import EvaluationSet, Questions
from imi.evaluate.scores import Dims, Score, encode
from imi.fusion import WEIGHT
from imi.progress import Progress

Results = dict[str, dict[str, dict[str, Score]]]
"""model -> set -> dims (as text; "all" for what has no dims) -> figure."""

FUSED = " + bm25"
"""The suffix in reports of a model's name that is fused with words."""


def measure(
    models: Mapping[str, Embedder],
    sets: Sequence[EvaluationSet],
    dims: Dims = None,
    *,
    weight: float = WEIGHT,
    floors: bool = True,
    progress: Progress | None = None,
) -> Results:
    """Measure every model on every set, beside what needs no model.

    Args:
        models: embedders by the name to show.
        sets: evaluation sets.
        dims: leading dimensions, one or several; None takes each model's trained dims.
        weight: of the meaning where words and meaning are fused.
        floors: also measure BM25 (and its fusion with each model) on retrieval, character n-grams on similarity and
            bitext.
        progress: called as progress(done, total) in steps of one model on one set.
    """
    results: Results = {}
    total, done = len(models) * len(sets), 0
    for one in sets:
        # Words find emoji only where a name repeats them: a floor of nothing says nothing.
        base = one.floor() if floors and not one.name.startswith("emoji-") else None
        if base is not None:
            results.setdefault(base[0], {})[one.name] = {"all": base[1]}
        for name, model in models.items():
            vectors = encode(model, one.sides())
            sizes = model.info.dims if dims is None else dims
            results.setdefault(name, {})[one.name] = _named(one.measure(vectors, sizes))
            if base is not None and isinstance(one, Questions):
                results.setdefault(name + FUSED, {})[one.name] = _named(one.fused(vectors, sizes, weight))
            done += 1
            if progress is not None:
                progress(done, total)
    return results


def _named(scores: Mapping[int, Score]) -> dict[str, Score]:
    return {str(size): score for size, score in scores.items()}
