"""Turn a trained space so that its prefixes say as much as they can.

A rotation keeps every cosine of whole vectors exactly, so it cannot harm what a model does at its full width; which
directions come first is all that it decides. Principal components are the answer where prefixes should keep lengths.
What they should keep is which text a question finds, and that is trained: the softmax of a prefix's cosines learns
that of the whole vectors' (a KL divergence), beside the true pairs and the cosines of everyday texts.

    z[:, :m] of the turned vectors, for each size m below the full width
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imi.train.losses import MatryoshkaLoss
from imi.types import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Turn:
    """How a rotation is trained; the sizes are those of the model but its full width."""

    sizes: tuple[int, ...]
    weights: tuple[float, ...]
    steps: int = 300
    rate: float = 2e-3
    warmup: int = 20
    scale: float = 20.0
    true: float = 0.3  # of the softmax on the true pairs, beside 1 for the order of the whole vectors
    cosines: float = 20.0
    everyday: int = 256
    seed: int = 0


class Turner:
    """Trains a rotation of fixed vectors."""

    def __init__(
        self, z: Floats, pairs: Mapping[str, Ints], everyday: Ints, counts: Mapping[str, int], turn: Turn
    ) -> None:
        """Take what there is.

        Args:
            z: (n, d) unit rows, a text each.
            pairs: (m, 2) rows of each kind: what is asked, what should be found.
            everyday: rows of texts whose cosines are kept.
            counts: pairs of each kind in a batch.
            turn: how to train.
        """
        self.z, self.pairs, self.everyday, self.counts, self.turn = torch.from_numpy(z), pairs, everyday, counts, turn
        self.loss = MatryoshkaLoss(self._kept, turn.sizes, turn.weights)
        self.chance = np.random.default_rng(turn.seed)

    def _kept(self, a: Tensor, b: Tensor, c: Tensor, goal: Tensor, cosines: Tensor, home: Tensor) -> Tensor:
        turn = self.turn
        scores = (turn.scale * a @ b.T).log_softmax(1)
        lost = functional.kl_div(scores, goal, reduction="batchmean", log_target=True)
        return (
            lost + turn.true * functional.nll_loss(scores, home) + turn.cosines * functional.mse_loss(c @ c.T, cosines)
        )

    def step_loss(self, matrix: Tensor) -> Tensor:
        """Return the loss of one batch under a rotation."""
        chance = self.chance
        rows = [self.pairs[kind][chance.integers(len(self.pairs[kind]), size=n)] for kind, n in self.counts.items()]
        batch = np.concatenate(rows)
        found, home = np.unique(batch[:, 1], return_inverse=True)
        few = chance.choice(self.everyday, min(self.turn.everyday, len(self.everyday)), replace=False)
        a, b, c = self.z[batch[:, 0]], self.z[found], self.z[few]
        goal = (self.turn.scale * a @ b.T).log_softmax(1)
        widest = matrix[:, : self.turn.sizes[-1]]
        return self.loss((a @ widest, b @ widest, c @ widest), goal, c @ c.T, torch.from_numpy(home))

    def train(self, say: Callable[[str], None], start: Floats | None = None) -> Floats:
        """Return the (d, d) rotation, exactly orthogonal to float64's last digits.

        Args:
            say: told how far it is.
            start: the rotation to begin with; None is the order as it is.
        """
        turn, width = self.turn, self.z.shape[1]
        matrix = (torch.eye(width) if start is None else torch.from_numpy(start).clone()).requires_grad_()
        optimiser = torch.optim.Adam([matrix], lr=turn.rate, betas=(0.9, 0.99))
        total = 0.0
        for step in range(turn.steps):
            for group in optimiser.param_groups:
                group["lr"] = turn.rate * min(1.0, (step + 1) / turn.warmup) * (1 - step / turn.steps)
            optimiser.zero_grad()
            value = self.step_loss(matrix)
            value.backward()
            optimiser.step()
            with torch.no_grad():
                for _ in range(3):  # Newton and Schulz: back to the nearest rotation, from a small step away
                    matrix.copy_(1.5 * matrix - 0.5 * matrix @ (matrix.T @ matrix))
            total += value.item()
            if (step + 1) % 100 == 0 or step + 1 == turn.steps:
                say(f"turning, step {step + 1} of {turn.steps}: loss {total / ((step % 100) + 1):.4f}")
                total = 0.0
        left, _, right = np.linalg.svd(matrix.detach().numpy().astype(np.float64))
        return np.asarray(left @ right, np.float32)


def of_sizes(dims: Sequence[int], weights: Sequence[float]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return the sizes below the full width with their weights."""
    return tuple(dims[:-1]), tuple(weights[: len(dims) - 1])
