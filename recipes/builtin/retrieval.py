"""The second lesson of the built-in model: to find. It begins at what `recipes.builtin.train` made.

    python -m recipes.builtin.retrieval --data FOLDER

Three things, in this order:

1. Of n occurrences of a piece in a text, the sum of rows counts n ** .75: a page that says a word ten times is not
   about it ten times as much.
2. The space is made rounder: directions in which all texts differ much are shortened, the others lengthened, by the
   eigenvalues of the covariance of questions, paragraphs and sentences to the power -.225. What this does to a vector
   is a product with one symmetric matrix; it goes into the rows and the hidden layer.
3. A short training: a question finds its paragraph, a sentence the paragraph it was taken from, a question put word
   by word in English the Japanese paragraph, a translation its other half, at every prefix; while cosines between
   everyday texts, and their places, stay what the second step made them, and pairs that people scored keep their order.

Seeded; the state is saved every hundred steps and a run that was stopped goes on. The matrix is left in the work
folder as space.npy: a picture tower that was made for the model before is carried along by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imi.embedders.builtin import BuiltIn
from imi.errors import UsageError
from imi.train.losses import MatryoshkaLoss
from imi.train.prepared import Ints, split_all
from imi.train.student import DIMS, Student, ranking
from imi.types import Floats
from recipes.builtin.asked import Asked, gather
from recipes.builtin.lessons import begin, parse, write
from recipes.progress import Say, say

SOURCE = "recipes.builtin.train, recipes.builtin.retrieval"
Tokens = tuple[NDArray[np.int32], Ints]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a run may change; the defaults made the model that the package ships."""

    repeats: float = 0.75
    rounder: float = 0.45
    steps: int = 400
    row_rate: float = 4e-4
    layer_rate: float = 3e-4
    warmup: int = 30
    dropped: float = 0.15
    temperature: float = 20.0
    questions: float = 0.1
    found: float = 0.2
    cosines: float = 20.0
    pull: float = 4.0
    scored: float = 0.05
    scored_pairs: int = 48
    kept: int = 256
    weights: tuple[float, ...] = (0.6, 1.0, 1.2, 1.0, 1.0)
    seed: int = 0


ASKED = {"ja": 64, "en": 32}
"""Questions of a language in a batch."""
PAIRED = {"rest": 32, "across": 64, "glossed": 64, "dictionary": 16, "translation": 128}
"""Other pairs in a batch."""


class Reader:
    """The texts of a lesson as pieces."""

    def __init__(self, model: BuiltIn, asked: Asked, seed: int) -> None:
        self.asked = asked
        self.ids, self.offsets = split_all(model._pieces, asked.texts)
        self.chance = np.random.default_rng(seed)

    def tokens(self, texts: Ints, dropped: float = 0.0) -> Tokens:
        """Return the pieces of some texts and where each begins; each piece may be left out, but not all of a text."""
        lengths = self.offsets[texts + 1] - self.offsets[texts]
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        within = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
        ids = self.ids[np.repeat(self.offsets[texts], lengths) + within]
        if not dropped:
            return ids, starts
        owner = np.repeat(np.arange(len(texts)), lengths)
        kept = self.chance.random(len(ids)) >= dropped
        # A text of which less than two pieces would be left is read whole.
        few = np.bincount(owner[kept], minlength=len(texts)) < 2
        kept |= few[owner]
        left = np.bincount(owner[kept], minlength=len(texts))
        return ids[kept], np.concatenate([[0], np.cumsum(left)[:-1]])


def rounding(student: Student, reader: Reader, lesson: Lesson) -> Floats:
    """Return the (d, d) symmetric matrix that makes the space rounder, scaled to keep the length of sums on average."""
    chance, pairs = np.random.default_rng(lesson.seed), reader.asked.pairs
    parts = [chance.choice(pairs[kind][:, side], 1500) for side in (0, 1) for kind in ASKED]
    texts = np.concatenate([*parts, chance.choice(reader.asked.keep, 6000)])
    ids, starts = reader.tokens(texts)
    with torch.no_grad():
        z = functional.normalize(student.forward(ids, starts)[0], dim=1).numpy()
    energy, axes = np.linalg.eigh(np.cov(z.T))
    shorter = (energy / energy[-1] + 1e-3) ** (-lesson.rounder / 2)
    matrix = (axes * shorter) @ axes.T
    scale = np.linalg.norm(student.units(ids, starts) @ matrix, axis=1).mean()
    return np.asarray(matrix / scale, np.float32)


def turn(student: Student, matrix: Floats) -> None:
    """Put a matrix behind a student into its rows and its layer, in place.

    Exact but for the length of the sum, which the layer reads as 1 and which is so on average.
    """
    both = torch.from_numpy(matrix)
    student.rows = student.rows @ both
    with torch.no_grad():
        student.inward.copy_(torch.linalg.solve(both.double(), student.inward.double()).float())
        student.outward.copy_(student.outward @ both)


def goals(student: Student, reader: Reader, matrix: Floats) -> NDArray[np.float16]:
    """Return where the everyday texts should stay: (texts, d), zero for all others."""
    out = np.zeros((len(reader.asked.texts), len(matrix)), np.float16)
    with torch.no_grad():
        for first in range(0, len(reader.asked.keep), 4096):
            some = reader.asked.keep[first : first + 4096]
            z = functional.normalize(student.forward(*reader.tokens(some))[0], dim=1).numpy() @ matrix
            out[some] = z / np.linalg.norm(z, axis=1, keepdims=True)
    return out


class Trainer:
    """Trains a student in place."""

    def __init__(self, student: Student, reader: Reader, goal: NDArray[np.float16], lesson: Lesson) -> None:
        self.student, self.reader, self.goal, self.lesson = student, reader, goal, lesson
        self.found = MatryoshkaLoss(self._found, DIMS, lesson.weights)
        self.matched = MatryoshkaLoss(self._matched, DIMS, lesson.weights)
        self.ranked = MatryoshkaLoss(lambda a, b, scores: ranking(a, b, scores, lesson.temperature), DIMS)
        self.same = MatryoshkaLoss(lambda a, b: (a @ a.T - b @ b.T).square().mean(), DIMS)

    def _found(self, asked: Tensor, paragraphs: Tensor, home: Tensor) -> Tensor:
        return functional.cross_entropy(self.lesson.temperature * asked @ paragraphs.T, home)

    def _matched(self, a: Tensor, b: Tensor, rivals: Tensor) -> Tensor:
        scores = (self.lesson.temperature * a @ b.T).masked_fill(~rivals, -1e4)
        own = torch.arange(len(a))
        return (functional.cross_entropy(scores, own) + functional.cross_entropy(scores.T, own)) / 2

    def batch(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Return questions with paragraphs (n, 2), other pairs (m, 2), everyday texts (k,), numbers of scored pairs."""
        chance, pairs = self.reader.chance, self.reader.asked.pairs
        asked = []
        for kind, count in ASKED.items():
            # Runs of four, three apart: questions for different paragraphs of one article.
            starts = chance.integers(len(pairs[kind]), size=count // 4)
            asked.append(pairs[kind][(starts[:, None] + 3 * np.arange(4)).ravel() % len(pairs[kind])])
        others = [pairs[kind][chance.integers(len(pairs[kind]), size=count)] for kind, count in PAIRED.items()]
        everyday = chance.choice(self.reader.asked.keep, self.lesson.kept, replace=False)
        scored = chance.integers(len(self.reader.asked.scored), size=self.lesson.scored_pairs)
        return np.concatenate(asked), np.concatenate(others), everyday, scored

    def loss(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss of a batch, the numbers of the rows it read and these rows."""
        return self.taught()[:3]

    def taught(self, *more: Ints) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Return the loss of a batch, the numbers of the rows it read, these rows, and vectors.

        Args:
            more: other texts to read with the batch.

        Returns:
            The vectors are those of questions, of their paragraphs, of both sides of the other pairs, and of `more`.
        """
        lesson = self.lesson
        asked, others, everyday, scored = self.batch()
        alike = self.reader.asked.scored[scored]
        homes, place = np.unique(asked[:, 1], return_inverse=True)
        taught = [asked[:, 0], homes, others[:, 0], others[:, 1]]
        true = [everyday, alike[:, 0], alike[:, 1], *more]
        parts = [*taught, *true]
        read = [self.reader.tokens(part, lesson.dropped) for part in taught] + [self.reader.tokens(p) for p in true]
        begins = np.cumsum([0, *(len(ids) for ids, _ in read)])
        starts = np.concatenate([own + begin for (_, own), begin in zip(read, begins, strict=False)])
        out, numbers, rows = self.student.forward(np.concatenate([ids for ids, _ in read]), starts)
        q, p, a, b, z, c, d, *rest = out.split([len(part) for part in parts])
        goal = torch.from_numpy(self.goal[everyday].astype(np.float32))
        equal = (others[:, 0][:, None] == others[:, 0]) | (others[:, 1][:, None] == others[:, 1])
        np.fill_diagonal(equal, False)
        total = lesson.questions * self.found((q, p), torch.from_numpy(place))
        total = total + lesson.found * self.matched((a, b), torch.from_numpy(~equal))
        total = total + lesson.cosines * self.same((z, goal))
        scores = torch.from_numpy(self.reader.asked.scores[scored])
        total = total + lesson.scored * self.ranked((c, d), scores)
        total = total + lesson.pull * (1 - functional.cosine_similarity(z, goal)).mean()
        return total, numbers, rows, [q, p, a, b, *rest]

    def train(self, saved: Path, say: Say) -> None:
        """Train for `steps` batches, saving the state every hundred; a saved state is gone on from."""
        lesson, total = self.lesson, 0.0
        if saved.exists():
            self.student.resume(torch.load(saved, weights_only=True))
            say(f"going on from step {self.student.steps}")
        self.reader.chance = np.random.default_rng(lesson.seed + self.student.steps)
        while self.student.steps < lesson.steps:
            value, numbers, rows = self.loss()
            value.backward()
            at = self.student.steps
            rate = min(1.0, (at + 1) / lesson.warmup) * (1 - at / lesson.steps)
            self.student.step(numbers, rows, lesson.row_rate * rate, lesson.layer_rate * rate)
            total += value.item()
            if self.student.steps % 100 == 0 or self.student.steps == lesson.steps:
                say(f"step {self.student.steps} of {lesson.steps}: loss {total / 100:.4f}")
                total = 0.0
                partial = saved.with_suffix(".partial")
                torch.save(self.student.state(), partial)
                partial.rename(saved)
                self.reader.chance = np.random.default_rng(lesson.seed + self.student.steps)


def learn(start: Path, out: Path, data: Path, work: Path, lesson: Lesson, say: Say) -> None:
    """Teach the model in `start` and write it to `out`.

    Raises:
        UsageError: the model has had this lesson.
    """
    model = BuiltIn(start)
    if model.repeats != 1:
        raise UsageError(
            f"the model in {start} has had this lesson", hint="make model begins with the first, recipes.builtin.train"
        )
    reader = Reader(model, gather(data, model._pieces, seed=lesson.seed), lesson.seed)
    say(f"{len(reader.asked.texts):,} texts, " + ", ".join(f"{len(v):,} {k}" for k, v in reader.asked.pairs.items()))
    student = begin(model, lesson.repeats)
    matrix = rounding(student, reader, lesson)
    np.save(work / "space.npy", matrix)
    goal = goals(student, reader, matrix)
    turn(student, matrix)
    Trainer(student, reader, goal, lesson).train(work / "retrieval.pt", say)
    write(student, start, out, SOURCE)


def main(arguments: list[str] | None = None) -> None:
    """Run the lesson; progress goes to standard error."""
    options = parse("recipes.builtin.retrieval", __doc__, "the state", Lesson().steps, arguments)
    learn(options.start, options.out, options.data, options.work, Lesson(steps=options.steps), say)
    say(f"wrote {options.out}")


if __name__ == "__main__":
    main()
