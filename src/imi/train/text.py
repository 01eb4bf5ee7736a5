"""Fine-tune a text model with the nested loss: on pairs, on triplets, or towards a teacher's vectors.

The body is anything that turns a list of texts into a tensor with gradients: a model of sentence-transformers through
`SentenceBody`, or a module of one's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from imi.errors import DataError, UsageError
from imi.progress import Progress
from imi.train.losses import MatryoshkaLoss, contrastive, distillation, triplet
from imi.train.vision import slope
from imi.types import Floats

Texts: TypeAlias = Sequence[Sequence[str]]


class TextBody(Protocol):
    """What can be trained: texts in, embeddings out, with weights."""

    def __call__(self, texts: list[str]) -> Tensor:
        """Return (n, d) embeddings with gradients."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return the weights."""
        ...


class SentenceBody(nn.Module):
    """A model of sentence-transformers as a body; its own prompts are not put in front."""

    def __init__(self, model: Any) -> None:
        """Wrap a `SentenceTransformer`, which is trained in place."""
        super().__init__()
        self.model = model

    def forward(self, texts: list[str]) -> Tensor:
        """Return (n, d) embeddings with gradients."""
        features = self.model.preprocess(texts) if hasattr(self.model, "preprocess") else self.model.tokenize(texts)
        device = next(self.model.parameters()).device
        placed = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in features.items()}
        embedded: Tensor = self.model(placed)["sentence_embedding"]
        return embedded

    def save(self, folder: Path, dims: Sequence[int]) -> None:
        """Write the model so that sentence-transformers loads it, and `imi.load("st:FOLDER")` knows its sizes."""
        self.model.save(str(folder), create_model_card=False)
        settings = folder / "config_sentence_transformers.json"
        values = json.loads(settings.read_text("utf-8")) if settings.is_file() else {}
        values["matryoshka_dimensions"] = sorted(dims)
        settings.write_text(json.dumps(values, indent=2) + "\n", "utf-8")


@dataclass(frozen=True)
class TextRecipe:
    """How to train: Adam with a rate that climbs and falls in straight lines."""

    dims: tuple[int, ...]
    weights: tuple[float, ...] | None = None
    epochs: int = 1
    batch: int = 64
    rate: float = 2e-5
    warm: float = 0.1
    temperature: float = 0.05
    margin: float = 0.2
    seed: int = 0


def fit_pairs(body: TextBody, pairs: Texts, recipe: TextRecipe, progress: Progress | None = None) -> list[float]:
    """Train on pairs that mean the same; the other pairs of a batch are the negatives. Return each epoch's mean loss.

    A text that occurs twice in a batch is its own false negative; give pairs without repeated texts.

    Args:
        body: trained in place.
        pairs: of two texts each.
        recipe: how.
        progress: called with steps done and in all.

    Raises:
        DataError: a row that is not a pair, or fewer pairs than two.
    """
    loss = MatryoshkaLoss(lambda a, b: contrastive(a, b, recipe.temperature), recipe.dims, recipe.weights)
    columns = _columns(pairs, 2)
    return _fit(body, len(pairs), recipe, lambda rows: loss(_encode(body, columns, rows)), progress)


def fit_triplets(body: TextBody, triplets: Texts, recipe: TextRecipe, progress: Progress | None = None) -> list[float]:
    """Train on an anchor, a text nearer to it and one farther from it; else as `fit_pairs`."""
    loss = MatryoshkaLoss(lambda a, p, n: triplet(a, p, n, recipe.margin), recipe.dims, recipe.weights)
    columns = _columns(triplets, 3)
    return _fit(body, len(triplets), recipe, lambda rows: loss(_encode(body, columns, rows)), progress)


def fit_teacher(
    body: TextBody, texts: Sequence[str], teacher: Floats, recipe: TextRecipe, progress: Progress | None = None
) -> list[float]:
    """Train every prefix to have the teacher's cosines within a batch; the teacher's width may be another.

    Args:
        body: trained in place.
        texts: (n,).
        teacher: (n, t) its vectors of them.
        recipe: how.
        progress: called with steps done and in all.

    Raises:
        DataError: not one vector for each text.
    """
    if len(texts) != len(teacher):
        raise DataError(f"{len(texts)} texts meet {len(teacher)} vectors of the teacher")
    loss = MatryoshkaLoss(distillation, recipe.dims, recipe.weights)
    goal = torch.from_numpy(np.asarray(teacher, dtype=np.float32))
    columns = (list(texts),)

    def step(rows: list[int]) -> Tensor:
        (z,) = _encode(body, columns, rows)
        return loss(z, goal[rows].to(z.device))

    return _fit(body, len(texts), recipe, step, progress)


def _columns(rows: Texts, width: int) -> tuple[list[str], ...]:
    wrong = next((at for at, row in enumerate(rows) if isinstance(row, str) or len(row) != width), None)
    if wrong is not None:
        raise DataError(f"row {wrong} is {rows[wrong]!r}, needed are {width} texts")
    return tuple([row[at] for row in rows] for at in range(width))


def _encode(body: TextBody, columns: tuple[list[str], ...], rows: list[int]) -> tuple[Tensor, ...]:
    # One pass over all columns: what is shared by them is computed once, and batches are full.
    z = body([column[row] for column in columns for row in rows])
    return tuple(z.split(len(rows)))


def _fit(
    body: TextBody, count: int, recipe: TextRecipe, step: Callable[[list[int]], Tensor], progress: Progress | None
) -> list[float]:
    batch = min(recipe.batch, count)
    if batch < 2:
        raise UsageError(f"batch is {recipe.batch} over {count} examples, at least two must meet in a batch")
    optimizer = torch.optim.AdamW(list(body.parameters()), lr=recipe.rate)
    random = np.random.default_rng(recipe.seed)
    per_epoch = count // batch
    history: list[float] = []
    for epoch in range(recipe.epochs):
        order, total = random.permutation(count), 0.0
        for at in range(per_epoch):
            done = epoch * per_epoch + at
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate * slope(done / (recipe.epochs * per_epoch), recipe.warm)
            loss = step(order[at * batch : (at + 1) * batch].tolist())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
            if progress is not None:
                progress(done + 1, recipe.epochs * per_epoch)
        history.append(total / per_epoch)
    return history
