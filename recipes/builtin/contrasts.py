"""The fourth lesson of the built-in model: opposites. It begins at what `recipes.builtin.prefixes` made.

    python -m recipes.builtin.contrasts --data FOLDER

The second lesson's training goes on for a while with one thing more: a text is nearer to one that says the same in
other words than to one that says the opposite (`recipes.builtin.opposites`), and praise is nearer to what praise is
called than to what blame is called. The softmax of each prefix learns that of the whole vectors; everyday texts and
paragraphs stay where they are. In the end the rows of emoji are fitted once more to their names, which have moved.
Seeded; the state is saved every hundred steps and a run that was stopped goes on.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imi.embedders.builtin import BuiltIn
from imi.errors import UsageError
from imi.evaluate import splits
from imi.train.losses import MatryoshkaLoss
from imi.train.prepared import Ints
from imi.train.student import DIMS, Student
from recipes.builtin import emoji, prefixes
from recipes.builtin.asked import Asked, gather
from recipes.builtin.lessons import begin, layer_of, parse, write
from recipes.builtin.opposites import contrasts
from recipes.builtin.retrieval import Lesson, Reader, Trainer, goals
from recipes.progress import say

SOURCE = f"{prefixes.SOURCE}, recipes.builtin.contrasts"
_PARAGRAPHS = 8_000


@dataclass(frozen=True, slots=True)
class Contrasts(Lesson):
    """What a run may change; the defaults made the model that the package ships."""

    steps: int = 300
    layer_rate: float = 2e-4
    warmup: int = 20
    kept: int = 224
    kept_paragraphs: int = 40
    weights: tuple[float, ...] = (0.6, 1.4, 1.4, 1.0, 1.0)
    own: float = 0.15  # of the KL divergence between a prefix's softmax and that of the whole vectors
    opposites: float = 0.3
    judged: float = 0.05
    apart: tuple[float, ...] = (0.2, 0.4, 0.8, 1.0, 1.0)  # of opposites, at each prefix
    margin: float = 0.2
    contrasts: int = 64
    known_contrasts: int = 24_000
    emoji_steps: int = 60
    seed: int = 1


class Opposites:
    """Contrasts as numbers of texts: (n, 3) texts, (n, 2) what they are called, and which of them judge."""

    def __init__(self, asked: Asked, count: int, seed: int) -> None:
        known = list(islice(contrasts(random.Random(seed)), count))
        self.texts: Ints = np.array([[asked.add(text) for text in (one.text, one.same, one.opposite)] for one in known])
        self.labels: Ints = np.array([[asked.add(label or "-") for label in one.labels] for one in known])
        self.judging = np.array([bool(one.labels[0]) for one in known])


class Contrasting(Trainer):
    """The second lesson's training, with opposites, and with prefixes that learn from the whole."""

    def __init__(
        self, student: Student, reader: Reader, goal: NDArray[np.float16], lesson: Contrasts, opposites: Opposites
    ) -> None:
        super().__init__(student, reader, goal, lesson)
        self.given, self.opposites = lesson, opposites
        self.own = MatryoshkaLoss(self._own, DIMS[:-1], lesson.weights[:-1])
        self.apart = MatryoshkaLoss(self._apart, DIMS, lesson.apart)
        self.paragraphs = some_paragraphs(reader.asked)

    def _own(self, a: Tensor, b: Tensor, goal: Tensor) -> Tensor:
        scores = (self.given.temperature * a @ b.T).log_softmax(1)
        return functional.kl_div(scores, goal, reduction="batchmean", log_target=True)

    def _apart(self, x: Tensor, labels: Tensor, judging: Tensor) -> Tensor:
        given = self.given
        same, other = (x[0::3] * x[1::3]).sum(1), (x[0::3] * x[2::3]).sum(1)
        nearer = (x[0::3] * (labels[0::2] - labels[1::2])).sum(1)
        wrong = (functional.softplus(-given.temperature * nearer) * judging).sum() / judging.sum().clamp(min=1)
        return given.opposites * functional.relu(given.margin - same + other).mean() + given.judged * wrong

    def batch(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Return what the second lesson's batch has, with paragraphs among the texts that stay where they are."""
        asked, others, everyday, scored = super().batch()
        count = min(self.given.kept_paragraphs, len(self.paragraphs))
        paragraphs = self.reader.chance.choice(self.paragraphs, count, replace=False)
        return asked, others, np.concatenate([everyday, paragraphs]), scored

    def loss(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss of a batch, the numbers of the rows it read and these rows."""
        given, opposites = self.given, self.opposites
        chosen = self.reader.chance.integers(len(opposites.texts), size=given.contrasts)
        more = (opposites.texts[chosen].ravel(), opposites.labels[chosen].ravel())
        total, numbers, rows, (q, p, a, b, x, labels) = self.taught(*more)
        for one, other in ((q, p), (a, b)):
            whole = functional.normalize(one, dim=1) @ functional.normalize(other, dim=1).T
            total = total + given.own * self.own((one, other), (given.temperature * whole).detach().log_softmax(1))
        judging = torch.from_numpy(opposites.judging[chosen].astype(np.float32))
        return total + self.apart((x, labels), judging), numbers, rows


def some_paragraphs(asked: Asked) -> Ints:
    """Return some of the paragraphs: they stay where they are as everyday texts do."""
    known = np.unique(np.concatenate([asked.pairs[kind][:, 1] for kind in ("ja", "en", "rest")]))
    return np.sort(np.random.default_rng(0).permutation(known)[:_PARAGRAPHS])


def learn(start: Path, out: Path, asked: Asked, drawn: Sequence[splits.Emoji], saved: Path, lesson: Contrasts) -> None:
    """Teach the model in `start` and write it to `out`.

    Args:
        start: the third lesson's model.
        out: the folder to write.
        asked: what the second lesson learnt from; the contrasts are added to its texts.
        drawn: emoji with their names.
        saved: the state of the run.
        lesson: how to train.

    Raises:
        UsageError: the model has not had the lesson before this one, or this one already.
    """
    model = BuiltIn(start)
    source = json.loads((start / "model.json").read_text(encoding="utf-8"))["source"]
    if source != prefixes.SOURCE:
        raise UsageError(
            f"the model in {start} comes from {source}",
            hint="this lesson follows recipes.builtin.prefixes, once; make model runs all four",
        )
    opposites = Opposites(asked, lesson.known_contrasts, lesson.seed)
    reader = Reader(model, asked, lesson.seed)
    say(f"{len(asked.texts):,} texts, " + ", ".join(f"{len(v):,} {k}" for k, v in asked.pairs.items()))
    student = begin(model, model.repeats)
    everyday = asked.keep
    asked.keep = np.union1d(everyday, some_paragraphs(asked))
    goal = goals(student, reader, np.eye(student.rows.shape[1], dtype=np.float32))
    asked.keep = everyday
    Contrasting(student, reader, goal, lesson, opposites).train(saved, say)
    layer = layer_of(student)
    fitted = Student(student.rows.numpy(), layer.inward.shape[1], repeats=model.repeats)
    fitted.adopt(layer.inward, layer.bias, layer.outward)
    say(f"{emoji.fold_in(fitted, drawn, model._pieces, steps=lesson.emoji_steps)} rows of emoji")
    write(fitted, start, out, SOURCE)


def main(arguments: list[str] | None = None) -> None:
    """Run the lesson; progress goes to standard error."""
    options = parse("recipes.builtin.contrasts", __doc__, "the state", Contrasts().steps, arguments)
    lesson = replace(Contrasts(), steps=options.steps, emoji_steps=min(options.steps, Contrasts().emoji_steps))
    asked, drawn = gather(options.data, BuiltIn(options.start)._pieces, seed=lesson.seed), splits.emoji(options.data)
    learn(options.start, options.out, asked, (*drawn.train, *drawn.dev), options.work / "contrasts.pt", lesson)
    say(f"wrote {options.out}")


if __name__ == "__main__":
    main()
