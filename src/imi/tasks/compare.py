"""Comparing models: the same pairs under each, on each one's own scale, since 0.8 under one is 0.4 under another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.figures import COLOURS, new_figure, save_figure, say_above, short
from imi.vectors import normalize

Doubles = NDArray[np.float64]

_STYLES = ("-", "--", ":", "-.")

SEMINAR_PAIRS = (
    ("cat", "猫"),
    ("🐱", "cat"),
    ("I am a cat.", "吾輩は猫である。"),
    ("cat", "tax return"),
    ("猫", "議事録"),
    ("I am a cat.", "The train is late again."),
)
"""The seminar's three pairs, and three that have nothing to do with each other."""


@dataclass(frozen=True)
class Scale:
    """What cosines of unrelated texts look like under a model: mean, standard deviation, and the (m,) cosines."""

    mean: float
    spread: float
    cosines: Doubles

    def z(self, cosines: Any) -> Doubles:
        """Return cosines as standard deviations above those of random pairs."""
        return np.asarray(
            (np.asarray(cosines, dtype=np.float64) - self.mean) / max(self.spread, 1e-9), dtype=np.float64
        )


@dataclass(frozen=True)
class Comparison:
    """Cosines and z-scores of the pairs under each model, and each model's scale."""

    pairs: tuple[tuple[str, str], ...]
    cosines: dict[str, Doubles]
    scales: dict[str, Scale]

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        models = {
            name: {
                "cosine": values.tolist(),
                "z": self.scales[name].z(values).tolist(),
                "random": {"mean": self.scales[name].mean, "sd": self.scales[name].spread},
            }
            for name, values in self.cosines.items()
        }
        return {"pairs": [list(pair) for pair in self.pairs], "models": models}

    def figure(self, path: str | Path) -> None:
        """Draw each model's random pairs as a shade and the given pairs on it."""
        count = len(self.cosines)
        figure, axes = new_figure(9, max(1.8 + 1.0 * count, 0.6 + 0.2 * len(self.pairs)))
        for line, (name, values) in enumerate(self.cosines.items()):
            density, edges = np.histogram(self.scales[name].cosines, bins=60, range=(-0.5, 1))
            middle = (edges[1:] + edges[:-1]) / 2
            height = 0.6 * density / max(1, int(density.max()))
            axes.fill_between(middle, line, line + height, color="#bbbbbb", linewidth=0)
            levels = _levels(values)
            for at, value in enumerate(values):
                label = f"{at + 1}  " + " / ".join(short(one, 22) for one in self.pairs[at]) if line == 0 else None
                colour, style = COLOURS[at % len(COLOURS)], _STYLES[at // len(COLOURS) % len(_STYLES)]
                axes.plot([value, value], [line, line + 0.6], color=colour, linewidth=2, linestyle=style, label=label)
                place = (value, line + 0.61 + 0.12 * levels[at])
                axes.annotate(str(at + 1), place, color=colour, ha="center", va="bottom", fontsize=7)
        axes.set_ylim(-0.05, count)
        say_above(axes, "A pair is alike under a model where its line stands right of the grey")
        axes.set_yticks([line + 0.3 for line in range(count)], [short(name, 30) for name in self.cosines])
        axes.set_xlabel("cosine (grey: random pairs of unrelated texts)")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False)
        save_figure(figure, path)


def _levels(values: Doubles, apart: float = 0.03, levels: int = 3) -> list[int]:
    """Return for each value how high its number stands, so that near ones do not cover each other."""
    last = [-np.inf] * levels
    found = [0] * len(values)
    for at in np.argsort(values, kind="stable"):
        free = (level for level in range(levels) if values[at] - last[level] >= apart)
        level = next(free, int(np.argmin(last)))
        found[at], last[level] = level, float(values[at])
    return found


def compare(
    models: Mapping[str, Any], pairs: Sequence[tuple[str, str]] | None = None, *, dims: int | None = None
) -> Comparison:
    """Compare pairs of texts under several models.

    Each model is first asked about some 70 short texts on different things, half Japanese, half English: the cosines
    of all pairs of them say what "unrelated" looks like under it, and a pair's z-score is its cosine in standard
    deviations above that.

    Args:
        models: names and embedders.
        pairs: pairs of texts; None for the seminar's.
        dims: leading dimensions of each vector to use.

    Raises:
        UsageError: no model, no pair, a pair of another number than two.
    """
    if not models:
        raise UsageError("no model was given to compare", hint="imi compare cat 猫 --model built-in")
    given = SEMINAR_PAIRS if pairs is None else pairs
    if not given:
        raise UsageError("no pair was given to compare", hint="imi compare cat 猫 --model built-in")
    for pair in given:
        if isinstance(pair, str) or len(pair) != 2:
            raise UsageError(f"{pair!r} is not a pair of texts")
    chosen = tuple((str(pair[0]), str(pair[1])) for pair in given)
    cosines, scales = {}, {}
    for name, model in models.items():
        left = normalize(model.embed([pair[0] for pair in chosen], dims=dims))
        right = normalize(model.embed([pair[1] for pair in chosen], dims=dims))
        cosines[name] = np.einsum("nd,nd->n", left, right).astype(np.float64)
        scales[name] = scale_of(model, dims)
    return Comparison(chosen, cosines, scales)


def scale_of(model: Any, dims: int | None = None) -> Scale:
    """Measure what cosines of unrelated texts look like under a model."""
    z = normalize(model.embed(unrelated_texts(), dims=dims)).astype(np.float64)
    cosines = (z @ z.T)[np.triu_indices(len(z), 1)]
    return Scale(float(cosines.mean()), float(cosines.std()), cosines)


def unrelated_texts() -> list[str]:
    """Return short texts on different things, words and sentences, Japanese and English."""
    text = resources.files("imi.tasks").joinpath("unrelated.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
