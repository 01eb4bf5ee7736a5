"""Classification heads on nested embeddings: one linear layer a size, one shared by all, or one fixed size.

The three of the Matryoshka paper (Kusupati et al. 2022): MRL, MRL-E, whose smaller classifiers are the leading columns
of the largest one, and FF-k, which reads the first k dimensions only.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from imi.errors import UsageError
from imi.train.losses import check_sizes


class NestedHead(nn.Module):
    """What the three heads have in common: sizes, classes, and logits of one prefix."""

    def __init__(self, dims: Sequence[int], classes: int) -> None:
        super().__init__()
        self.dims = check_sizes(dims)
        if classes < 1:
            raise UsageError(f"classes is {classes}, at least 1 is needed")
        self.classes = classes

    def weights(self, size: int) -> tuple[Tensor, Tensor]:
        """Return the weight (classes, size) and bias (classes,) that read a prefix of this size."""
        raise UsageError(f"a head without weights cannot read {size} dimensions", hint="use MRL, MRLE or Fixed")

    def of_size(self, z: Tensor, size: int) -> Tensor:
        """Return the logits (n, classes) from the first `size` dimensions of z (n, d).

        Raises:
            UsageError: the head has no such size, or z is narrower.
        """
        if size not in self.dims or z.shape[-1] < size:
            raise UsageError(f"size is {size}, allowed are {list(self.dims)} within the width {z.shape[-1]}")
        weight, bias = self.weights(size)
        return functional.linear(z[..., :size], weight, bias)

    def forward(self, z: Tensor) -> tuple[Tensor, ...]:
        """Return one (n, classes) output for each size, smallest first."""
        return tuple(self.of_size(z, size) for size in self.dims)


class MRL(NestedHead):
    """A separate linear classifier for each size: one output per size."""

    def __init__(self, dims: Sequence[int], classes: int) -> None:
        super().__init__(dims, classes)
        self.layers = nn.ModuleList(nn.Linear(size, classes) for size in self.dims)

    def weights(self, size: int) -> tuple[Tensor, Tensor]:
        """Return the weight (classes, size) and bias of this size's own layer."""
        layer = self.layers[self.dims.index(size)]
        return layer.weight, layer.bias


class MRLE(NestedHead):
    """One linear classifier whose first m columns serve size m, its bias all sizes: one output per size."""

    def __init__(self, dims: Sequence[int], classes: int) -> None:
        super().__init__(dims, classes)
        self.layer = nn.Linear(self.dims[-1], classes)

    def weights(self, size: int) -> tuple[Tensor, Tensor]:
        """Return the first `size` columns of the one weight, a view, and the one bias."""
        return self.layer.weight[:, :size], self.layer.bias


class Fixed(NestedHead):
    """FF-k: a classifier on the first k dimensions alone, the baseline that is trained once for each k."""

    def __init__(self, k: int, classes: int) -> None:
        super().__init__((k,), classes)
        self.layer = nn.Linear(k, classes)

    def weights(self, size: int) -> tuple[Tensor, Tensor]:
        """Return the weight (classes, k) and bias."""
        return self.layer.weight, self.layer.bias


def probabilities(head: NestedHead, z: Tensor) -> Tensor:
    """Return softmax probabilities (sizes, n, classes) of z (n, d), smallest size first, without gradients."""
    with torch.no_grad():
        return torch.stack([functional.softmax(output, dim=-1) for output in head(z)])
