"""Losses on embeddings, and the one that makes them nested: the same loss on every prefix, summed.

A loss takes (n, d) tensors, never a model: a batch is encoded once and its prefixes are views of it. The nested sum is
Matryoshka Representation Learning (Kusupati et al. 2022, arXiv 2205.13147, equation 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from imi.errors import UsageError

Loss: TypeAlias = Callable[..., Tensor]
Embeddings: TypeAlias = Tensor | tuple[Tensor, ...]


def check_sizes(dims: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes of a nesting when they ascend from 1 upwards.

    Raises:
        UsageError: there is none, one is no positive whole number, or they do not ascend.
    """
    sizes = tuple(dims)
    whole = all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes)
    if not sizes or not whole or any(a >= b for a, b in pairwise(sizes)):
        raise UsageError(
            f"dims are {list(sizes)}, allowed are ascending whole numbers above zero", hint="for example 8, 16, 32"
        )
    return sizes


class MatryoshkaLoss(nn.Module):
    """The weighted sum over sizes m of loss(z[:, :m], …)."""

    def __init__(
        self, loss: Loss, dims: Sequence[int], weights: Sequence[float] | None = None, normalize: bool = True
    ) -> None:
        """Nest a loss.

        Args:
            loss: a function or module of one or more (n, m) tensors and whatever else a call brings.
            dims: the sizes, ascending; the paper's last one is the full width.
            weights: one for each size; all 1 by default, as in the paper.
            normalize: whether each prefix is brought to unit rows first. Losses on cosines need it, as a prefix of a
                unit row is not one; cross-entropy over a linear head does not want it.

        Raises:
            UsageError: dims do not ascend, or the weights are not one finite number from zero upwards for each.
        """
        super().__init__()
        self.loss = loss
        self.dims = check_sizes(dims)
        self.normalize = normalize
        given = [1.0] * len(self.dims) if weights is None else [float(weight) for weight in weights]
        if len(given) != len(self.dims) or not all(0 <= weight < float("inf") for weight in given):
            raise UsageError(f"weights are {given}, allowed is one finite number from zero upwards for each of {dims}")
        self.weights = tuple(given)

    def forward(self, z: Embeddings, *others: Any) -> Tensor:
        """Return the nested loss, a scalar.

        Args:
            z: (n, d) embeddings, or a tuple of such (anchors and positives, …): each is cut to every size.
            others: passed on uncut: labels, a teacher's similarities.

        Raises:
            UsageError: a tensor is narrower than the largest size.
        """
        tensors = z if isinstance(z, tuple) else (z,)
        narrowest = min(tensor.shape[-1] for tensor in tensors)
        if narrowest < self.dims[-1]:
            raise UsageError(f"embeddings have {narrowest} dimensions, the largest of dims is {self.dims[-1]}")
        terms = [self.loss(*(self._prefix(tensor, size) for tensor in tensors), *others) for size in self.dims]
        return self._sum(terms)

    def of_outputs(self, outputs: Sequence[Tensor], *others: Any) -> Tensor:
        """Return the nested loss of a head's outputs, one per size: the weighted sum of loss(output, …).

        Args:
            outputs: one (n, classes) tensor for each size, as `MRL` and `MRLE` return them.
            others: passed on, such as labels.

        Raises:
            UsageError: not one output for each size.
        """
        if len(outputs) != len(self.dims):
            raise UsageError(f"{len(outputs)} outputs meet {len(self.dims)} sizes, one for each is needed")
        return self._sum([self.loss(output, *others) for output in outputs])

    def _prefix(self, tensor: Tensor, size: int) -> Tensor:
        prefix = tensor[..., :size]
        return functional.normalize(prefix, dim=-1) if self.normalize else prefix

    def _sum(self, terms: Sequence[Tensor]) -> Tensor:
        total = self.weights[0] * terms[0]
        for weight, term in zip(self.weights[1:], terms[1:], strict=True):
            total = total + weight * term
        return total


def contrastive(anchors: Tensor, positives: Tensor, temperature: float = 0.05) -> Tensor:
    """Return InfoNCE in both directions: row i of each belongs to row i of the other, all other rows are negatives.

    Args:
        anchors: (n, m) unit rows.
        positives: (n, m) unit rows.
        temperature: what the cosines are divided by (van den Oord et al. 2018; .05 as in sentence embedding practice).
    """
    scores = anchors @ positives.T / temperature  # (n, n)
    own = torch.arange(len(scores), device=scores.device)
    return (functional.cross_entropy(scores, own) + functional.cross_entropy(scores.T, own)) / 2


def triplet(anchors: Tensor, positives: Tensor, negatives: Tensor, margin: float = 0.2) -> Tensor:
    """Return the mean of max(0, margin - cos(anchor, positive) + cos(anchor, negative)) over (n, m) unit rows."""
    gap = (anchors * positives).sum(dim=-1) - (anchors * negatives).sum(dim=-1)
    return functional.relu(margin - gap).mean()


def distillation(students: Tensor, teachers: Tensor) -> Tensor:
    """Return how far the students' cosines within a batch are from the teachers', as a mean square.

    Cosines compare across widths, so any prefix can learn from a teacher of another width (Park et al. 2019, relational
    distillation).

    Args:
        students: (n, m) unit rows.
        teachers: (n, t) rows of any width, brought to unit length here.
    """
    goal = functional.normalize(teachers, dim=-1)
    return functional.mse_loss(students @ students.T, goal @ goal.T)
