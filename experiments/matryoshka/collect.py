"""Run studies and put the figures of their seeds together: train, measure, average, with paired intervals."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.matryoshka.conditions import conditions
from experiments.matryoshka.measure import example, few_shots, long_tail, measure_seed, relatives
from experiments.matryoshka.pictures import Pictures
from experiments.matryoshka.retrieval import ablation, index_sizes, search_all
from experiments.matryoshka.saved_results import Shelf
from experiments.matryoshka.studies import STUDIES, Study
from experiments.matryoshka.training import Trained, train
from imi.evaluate.cascade import adaptive
from imi.evaluate.intervals import Difference, mean_difference, mean_interval

Progress = Callable[[int, int], None]
VARIED = 1
"""Seeds of each condition that is varied."""
SHORTLISTS = (10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class Outcome:
    """The figures of one study over its seeds.

    Attributes:
        study: what was run; seeds: how often.
        counts: pictures for training, thresholds and figures, and classes.
        hits: for `FIGURE/METHOD/SIZE`, one number for each test picture, averaged over the seeds.
        spread: for the same names, the standard deviation of the seeds' means.
        extras: what is measured on the first seed alone: adaptive classification, ladders, indexes, relatives, shots.
        kept: 95 % intervals in percent by the same names, of a run whose single pictures are gone.
    """

    study: Study
    seeds: int
    counts: dict[str, int]
    hits: dict[str, NDArray[np.float64]]
    spread: dict[str, float]
    extras: dict[str, Any]
    kept: dict[str, tuple[float, float]] = field(default_factory=dict)

    def mean(self, figure: str, method: str, size: int) -> float | None:
        """Return a figure in percent; None where it was not measured."""
        rows = self.hits.get(f"{figure}/{method}/{size}")
        return None if rows is None else 100 * float(rows.mean())

    def interval(self, figure: str, method: str, size: int) -> tuple[float, float]:
        """Return the 95 % interval of a figure in percent, over test pictures drawn again."""
        name = f"{figure}/{method}/{size}"
        if name in self.kept:
            return self.kept[name]
        low, high = mean_interval(self.hits[name])
        return 100 * low, 100 * high

    def gap(self, figure: str, a: str, b: str, size: int) -> Difference | None:
        """Return method a minus method b in points with its paired interval; None where one was not measured."""
        left, right = (self.hits.get(f"{figure}/{method}/{size}") for method in (a, b))
        return None if left is None or right is None else mean_difference(100 * left, 100 * right)

    @property
    def shifts(self) -> list[str]:
        """Return the names of the shifts whose accuracy was measured, sorted."""
        return sorted({name.split("/")[0].split("~")[1] for name in self.hits if name.startswith("1-nn~")})

    def relatives(self, method: str = "mrl") -> list[dict[str, float]]:
        """Return by size how often class and superclass were right, and the share of errors within the superclass.

        Over all seeds where they were measured for each row, else of MRL's first seed.
        """
        if not self.sizes("superclass", method):
            return list(self.extras["relatives"])
        rows = []
        for size in self.sizes("superclass", method):
            own, kin = (float(self.hits[f"{figure}/{method}/{size}"].mean()) for figure in ("linear", "superclass"))
            share = (kin - own) / (1 - own) if own < 1 else 0.0
            rows.append({"size": size, "accuracy": own, "superclass": kin, "kin": share})
        return rows

    def sizes(self, figure: str, method: str) -> list[int]:
        """Return the sizes that a method was measured at, ascending."""
        start = f"{figure}/{method}/"
        return sorted(int(name.removeprefix(start)) for name in self.hits if name.startswith(start))

    @staticmethod
    def from_dict(kept: Mapping[str, Any]) -> Outcome:
        """Return an outcome from `to_dict`: means and intervals hold, gaps need every picture and cannot be asked."""
        counts = {name: kept[name] for name in ("train", "held", "test", "classes")}
        steps = tuple(step["dims"] for step in kept["adaptive"]["steps"])
        known = next((study for study in STUDIES if study.name == kept["study"]), STUDIES[0])
        hits = {name: np.array([value["value"] / 100]) for name, value in kept["figures"].items()}
        spread = {name: value.get("seeds_std", 0.0) / 100 for name, value in kept["figures"].items()}
        extras = {name: value for name, value in kept.items() if name not in ("study", "seeds", "figures", *counts)}
        intervals = {name: tuple(value["interval"]) for name, value in kept["figures"].items()}
        study = replace(known, name=kept["study"], dims=steps)
        found = Outcome(study, kept["seeds"], counts, hits, spread, extras, intervals)
        between = tuple(size for size in found.sizes("1-nn", "mrl") if size not in steps)
        return replace(found, study=replace(found.study, between=between))

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values, without the single pictures."""
        table = {
            name: {"value": 100 * float(rows.mean()), "interval": [100 * x for x in mean_interval(rows)]}
            for name, rows in sorted(self.hits.items())
        }
        for name, value in self.spread.items():
            table[name]["seeds_std"] = 100 * value
        counts = {"seeds": self.seeds, **self.counts}
        return {"study": self.study.name, **counts, "figures": table, **self.extras}


def run_study(study: Study, seeds: int, folder: Path, *, jobs: int = 1, progress: Progress | None = None) -> Outcome:
    """Train every method of a study with every seed, and measure them; what is on the shelf is not done again.

    Args:
        study: what to run.
        seeds: how many, counted from 0.
        folder: where results are kept.
        jobs: trainings side by side, each on one thread.
        progress: called with trainings done and in all.
    """
    shelf = Shelf(folder)
    pictures = study.pictures(shelf)
    units = [(study, method, seed, folder) for seed in range(seeds) for method in study.methods]
    _train_all(units, jobs, progress)
    first: dict[str, Trained] = {}
    each = []
    for seed in range(seeds):
        trained = {method: train(study, pictures, method, seed, shelf) for method in study.methods}
        first = first or trained
        each.append(
            shelf.arrays(
                f"{study.name}-hits-{seed}",
                study,
                lambda trained=trained, seed=seed: measure_seed(trained, pictures, study.between, seed),  # type: ignore[misc]
            )
        )
    hits = {name: np.mean([seed[name].astype(np.float64) for seed in each], axis=0) for name in each[0]}
    spread = {name: float(np.std([seed[name].mean() for seed in each])) for name in each[0]}
    extras = shelf.table(f"{study.name}-extras", study, lambda: _extras(study, first, pictures))
    if study.text:
        rows = shelf.table(f"{study.name}-conditions", study, lambda: {"rows": conditions(study, shelf, VARIED)})
        extras["conditions"] = rows["rows"]
    counts = {name: len(getattr(pictures, name)) for name in ("train", "held", "test")}
    counts["classes"] = len(pictures.classes)
    return Outcome(study, seeds, counts, hits, spread, extras)


def _train_all(units: Sequence[tuple[Study, str, int, Path]], jobs: int, progress: Progress | None) -> None:
    if jobs == 1:
        for done, unit in enumerate(units, 1):
            _train_one(unit)
            if progress is not None:
                progress(done, len(units))
        return
    # Spawned, not forked: threads of torch and faiss do not survive a fork.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_single_threaded) as pool:
        for done, future in enumerate(as_completed([pool.submit(_train_one, unit) for unit in units]), 1):
            future.result()
            if progress is not None:
                progress(done, len(units))


def _single_threaded() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"


def _train_one(unit: tuple[Study, str, int, Path]) -> None:
    study, method, seed, folder = unit
    shelf = Shelf(folder)
    train(study, study.pictures(shelf), method, seed, shelf)


def _extras(study: Study, trained: dict[str, Trained], pictures: Pictures) -> dict[str, Any]:
    mrl, full = trained["mrl"], trained[f"ff-{study.fixed[-1]}"]
    labels = np.concatenate([pictures.held.y, pictures.test.y])
    probabilities = {size: np.concatenate([mrl.p("held", size), mrl.p("test", size)]) for size in study.dims}
    out: dict[str, Any] = {
        # Half precision may have left a probability a hair above one.
        "adaptive": adaptive(
            {size: np.clip(p, 0, 1) for size, p in probabilities.items()}, labels, validation=len(pictures.held)
        ).to_dict(),
        "searches": search_all(mrl, pictures, study.shortlist),
        "ablation": ablation(mrl, pictures, SHORTLISTS),
        "indexes": index_sizes(mrl, study.dims),
        "long_tail": {
            name: {str(size): long_tail(model, size, pictures) for size in study.dims}
            for name, model in (("mrl", mrl), ("ff", full))
        },
    }
    out["example"] = example(mrl, pictures)
    if pictures.groups:
        out["relatives"] = relatives(mrl, pictures)
    if pictures.novel is not None:
        out["few_shots"] = {
            name: {str(size): few_shots(model, size, pictures.novel.y) for size in study.dims}
            for name, model in (("mrl", mrl), ("ff", full))
        }
    return out
