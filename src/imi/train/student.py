"""The built-in model as torch trains it, and what it is trained to agree with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as f
from numpy.typing import NDArray
from torch import Tensor

from imi.embedders.pooling import repeated
from imi.types import Floats

DIMS = (32, 64, 128, 256, 512)
# How much the softmax over pairs counts at each prefix: questions lose most where 64 and 128 dimensions are left.
SOFTMAX_AT = {32: 1.0, 64: 1.5, 128: 1.5, 256: 1.0, 512: 1.0}


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part of the loss counts; the figures are those that were found best among the few tried."""

    batch: float = 20.0
    inside: float = 6.0
    softmax: float = 0.25
    pull: float = 2.0
    scored: float = 0.15
    temperature: float = 20.0


class Student:
    """Rows, their sum, one hidden layer. Rows are updated by Adam only where a batch reads them."""

    def __init__(self, rows: Floats, hidden: int, seed: int = 0, repeats: float = 1.0) -> None:
        width = rows.shape[1]
        self.repeats = repeats
        generator = torch.Generator().manual_seed(seed)
        self.rows = torch.from_numpy(rows.copy())
        self.first_moment = torch.zeros_like(self.rows)
        self.second_moment = torch.zeros_like(self.rows)
        self.inward = (torch.randn(width, hidden, generator=generator) / width**0.5).requires_grad_()
        self.bias = torch.zeros(hidden).requires_grad_()
        self.outward = torch.zeros(hidden, width).requires_grad_()
        self.layer = torch.optim.Adam([self.inward, self.bias, self.outward], lr=1e-3, betas=(0.9, 0.99))
        self.steps = 0

    def forward(self, ids: NDArray[np.int32], starts: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Return vectors (n, 512), the numbers of the rows that were read, and these rows as a leaf."""
        unique, inverse = np.unique(ids, return_inverse=True)
        numbers = torch.from_numpy(unique.astype(np.int64))
        read = self.rows[numbers].requires_grad_()
        unit = self._unit(inverse.astype(np.int64), starts, read)
        return unit + torch.relu(torch.addmm(self.bias, unit, self.inward)) @ self.outward, numbers, read

    def units(self, ids: NDArray[np.int32], starts: NDArray[np.int64]) -> Floats:
        """Return the unit vectors that go into the hidden layer, (n, 512)."""
        unit: Floats = self._unit(ids.astype(np.int64), starts, self.rows).numpy()
        return unit

    def _unit(self, ids: NDArray[np.int64], starts: NDArray[np.int64], rows: Tensor) -> Tensor:
        counted = repeated(ids.astype(np.int32), np.append(starts, len(ids)), self.repeats)
        weights = None if self.repeats == 1 else torch.from_numpy(counted)
        bags = f.embedding_bag(
            torch.from_numpy(ids), rows, torch.from_numpy(starts), mode="sum", per_sample_weights=weights
        )
        return f.normalize(bags, dim=1)

    def step(self, numbers: Tensor, read: Tensor, row_rate: float, layer_rate: float) -> None:
        """Move the rows that were read, and the layer, by their gradients (Adam; Kingma and Ba 2015)."""
        self.steps += 1
        gradient = read.grad
        if gradient is not None:
            with torch.no_grad():
                first = self.first_moment[numbers].lerp_(gradient, 0.1)
                self.first_moment.index_copy_(0, numbers, first)
                second = self.second_moment[numbers].mul_(0.99).addcmul_(gradient, gradient, value=0.01)
                self.second_moment.index_copy_(0, numbers, second)
                below = second.sqrt_().mul_((1 - 0.99**self.steps) ** -0.5).add_(1e-8)
                moved = read.detach().addcdiv_(first, below, value=-row_rate / (1 - 0.9**self.steps))
                self.rows.index_copy_(0, numbers, moved)
        for group in self.layer.param_groups:
            group["lr"] = layer_rate
        self.layer.step()
        self.layer.zero_grad(set_to_none=True)

    def adopt(self, inward: Floats, bias: Floats, outward: Floats) -> None:
        """Begin from a trained hidden layer instead of a random one."""
        with torch.no_grad():
            for mine, given in ((self.inward, inward), (self.bias, bias), (self.outward, outward)):
                mine.copy_(torch.from_numpy(given))

    def state(self) -> dict[str, object]:
        """Return all that a resumed run needs."""
        return {
            "rows": self.rows,
            "moments": (self.first_moment, self.second_moment),
            "layer": [tensor.detach() for tensor in (self.inward, self.bias, self.outward)],
            "layer_state": self.layer.state_dict(),
            "steps": self.steps,
        }

    def resume(self, state: dict[str, object]) -> None:
        """Go on from a saved state."""
        self.rows = state["rows"]
        self.first_moment, self.second_moment = state["moments"]  # type: ignore[misc]
        with torch.no_grad():
            layer: list[Tensor] = state["layer"]  # type: ignore[assignment]
            for mine, saved in zip((self.inward, self.bias, self.outward), layer, strict=True):
                mine.copy_(saved)
        self.layer.load_state_dict(state["layer_state"])
        self.steps = state["steps"]  # type: ignore[assignment]


def target_cosines(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Return the cosine matrix to agree with.

    Where it knows both texts of a pair, its cosine counts for `share`; elsewhere the first teacher's stands alone
    (the two scales agree).
    """
    known = second.abs().sum(1) > 0
    both = share * (known[:, None] & known[None, :]).float()
    return torch.lerp(first @ first.T, second @ second.T, both)


@dataclass(slots=True)
class Batch:
    """Where the parts of a batch stand: pairs (2p rows, one side first), neighbours, versions."""

    pairs: int
    neighbours: int
    neighbour_size: int
    groups: int
    group_size: int
    same: Tensor
    scored: Tensor
    scores: Tensor


def loss(out: Tensor, first: Tensor, second: Tensor, batch: Batch, weights: Weights, share: float) -> Tensor:
    """Return the loss of a batch: cosines at every prefix, softmax over pairs, pull to the teacher.

    Args:
        out: (n, 512) vectors in the order that `batch` describes.
        first: (n, 512) the first teacher's vectors of the same texts.
        second: (n, 384) the second teacher's, zero where unknown.
        batch: the parts.
        weights: of the parts of the loss.
        share: of the second teacher where it knows both texts.
    """
    whole = 2 * batch.pairs + batch.neighbours * batch.neighbour_size
    target = target_cosines(first[:whole], second[:whole], share)
    close = _group_targets(
        first, second, whole - batch.neighbours * batch.neighbour_size, batch.neighbours, batch.neighbour_size, share
    )
    small = _group_targets(first, second, whole, batch.groups, batch.group_size, share)
    total = torch.zeros(())
    for dims in DIMS:
        unit = f.normalize(out[:, :dims], dim=1)
        total = total + weights.batch * (unit[:whole] @ unit[:whole].T - target).square().mean()
        for start, count, size, goal in (
            (2 * batch.pairs, batch.neighbours, batch.neighbour_size, close),
            (whole, batch.groups, batch.group_size, small),
        ):
            if not count:
                continue
            inside = unit[start : start + count * size].view(count, size, dims)
            total = total + weights.inside * (inside @ inside.transpose(1, 2) - goal).square().mean()
        total = total + weights.softmax * SOFTMAX_AT[dims] * _softmax(unit, batch, weights.temperature)
        if len(batch.scored):
            total = total + weights.scored * _ranking(unit, batch, weights.temperature)
    pull = 1 - (f.normalize(out, dim=1) * first).sum(1)
    # Where the second teacher has its say, the first one's vector is not a goal, only their cosines are.
    alone = 1 - (second.abs().sum(1) > 0).float() * (share > 0)
    return total + weights.pull * (pull * alone).sum() / alone.sum().clamp(min=1)


def _group_targets(first: Tensor, second: Tensor, start: int, count: int, size: int, share: float) -> Tensor:
    a = first[start : start + count * size].view(count, size, first.shape[1])
    b = second[start : start + count * size].view(count, size, second.shape[1])
    known = (b.abs().sum(2) > 0).float()
    return torch.lerp(a @ a.transpose(1, 2), b @ b.transpose(1, 2), share * known[:, :, None] * known[:, None, :])


def _softmax(unit: Tensor, batch: Batch, scale: float) -> Tensor:
    """Each text finds its partner among all partners, both ways; those that mean the same (`same`) are not rivals."""
    a, b = unit[: batch.pairs], unit[batch.pairs : 2 * batch.pairs]
    logits = (scale * a @ b.T).masked_fill(batch.same, -1e4)
    goal = torch.arange(batch.pairs)
    return (f.cross_entropy(logits, goal) + f.cross_entropy(logits.T, goal)) / 2


def _ranking(unit: Tensor, batch: Batch, scale: float) -> Tensor:
    return ranking(unit[batch.scored[:, 0]], unit[batch.scored[:, 1]], batch.scores, scale)


def ranking(a: Tensor, b: Tensor, scores: Tensor, scale: float) -> Tensor:
    """Return a soft count of wrong orders (CoSENT): pairs that people scored higher should have the higher cosine.

    Args:
        a: (n, m) unit rows.
        b: (n, m) unit rows, the other half of each pair.
        scores: (n,) how alike people found them.
        scale: what the cosines are multiplied by.
    """
    cosines = scale * (a * b).sum(1)
    wrong = cosines[None, :] - cosines[:, None]
    higher = scores[:, None] > scores[None, :] + 0.2
    return torch.logsumexp(torch.cat([torch.zeros(1), wrong[higher]]), 0) / len(cosines) ** 0.5
