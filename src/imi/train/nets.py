"""Bodies for pictures: what turns a batch into embeddings, small enough to train on two cores.

Each is slimmable (Yu et al. 2019): with several `shares` it can run with a leading share of every layer's channels,
each share with its own batch statistics. With the one share 1 it is the ordinary network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from imi.errors import UsageError

_FEWEST = 2
"""Channels that any share keeps in an inner layer; below two nothing is left to normalise."""


def _check_shares(shares: Sequence[float]) -> tuple[float, ...]:
    given = tuple(float(share) for share in shares)
    if not given or given[-1] != 1.0 or any(not 0 < share <= 1 for share in given) or list(given) != sorted(given):
        raise UsageError(f"shares are {list(given)}, allowed are ascending numbers above 0 that end with 1")
    return given


class _Conv(nn.Conv2d):
    """A convolution whose leading filters can be used alone, on however many channels come in."""

    def narrow(self, x: Tensor, out: int) -> Tensor:
        return functional.conv2d(x, self.weight[:out, : x.shape[1]], None, self.stride, self.padding)


class _Linear(nn.Linear):
    """A linear layer whose leading rows can be used alone."""

    def narrow(self, x: Tensor, out: int) -> Tensor:
        return functional.linear(x, self.weight[:out, : x.shape[1]])


class _Layer(nn.Module):
    """A convolution or linear layer, batch statistics for each share, and a ReLU where asked for."""

    def __init__(self, inner: Any, shares: Sequence[float], *, exact: bool = False, active: bool = True) -> None:
        super().__init__()
        self.inner, self.active = inner, active
        width = inner.weight.shape[0]
        fewest = 1 if exact else _FEWEST
        self.widths = [min(width, max(fewest, math.ceil(width * share - 1e-9))) for share in shares]
        norm = nn.BatchNorm2d if isinstance(inner, nn.Conv2d) else nn.BatchNorm1d
        self.norms = nn.ModuleList(norm(size) for size in self.widths)

    def forward(self, x: Tensor, at: int) -> Tensor:
        out = self.norms[at](self.inner.narrow(x, self.widths[at]))
        return functional.relu(out) if self.active else out


def _conv(into: int, out: int, size: int, stride: int, shares: Sequence[float], **how: bool) -> _Layer:
    return _Layer(_Conv(into, out, size, stride=stride, padding=size // 2, bias=False), shares, **how)


class _Block(nn.Module):
    """Two 3 × 3 convolutions around which the input is added back."""

    def __init__(self, into: int, out: int, stride: int, shares: Sequence[float]) -> None:
        super().__init__()
        self.first = _conv(into, out, 3, stride, shares)
        self.second = _conv(out, out, 3, 1, shares, active=False)
        same = stride == 1 and into == out
        self.skip = None if same else _conv(into, out, 1, stride, shares, active=False)

    def forward(self, x: Tensor, at: int) -> Tensor:
        around = x if self.skip is None else self.skip(x, at)
        return functional.relu(self.second(self.first(x, at), at) + around)


class SmallResNet(nn.Module):
    """A residual network for pictures of about 32 pixels: a stem, one block a stage, and a 1 × 1 layer to the width."""

    def __init__(
        self, width: int = 512, channels: int = 3, stages: Sequence[int] = (32, 64, 128), shares: Sequence[float] = (1,)
    ) -> None:
        """Make the network.

        Args:
            width: dimensions of an embedding.
            channels: 3 for colour, 1 for grey.
            stages: channels of each stage; each after the first halves the picture.
            shares: widths it can run at, as shares of 1.
        """
        super().__init__()
        self.width, self.shares = width, _check_shares(shares)
        # Halving in the stem costs a little accuracy and makes everything after it four times as cheap.
        self.stem = _conv(channels, stages[0], 3, 2, self.shares)
        into = [stages[0], *stages[:-1]]
        self.blocks = nn.ModuleList(
            _Block(a, b, 1 if at == 0 else 2, self.shares) for at, (a, b) in enumerate(zip(into, stages, strict=True))
        )
        self.widen = _conv(stages[-1], width, 1, 1, self.shares, exact=True)

    def forward(self, x: Tensor, at: int = -1) -> Tensor:
        """Return embeddings (n, width × share) of pictures (n, channels, height, width) at the share numbered `at`."""
        x = self.stem(x, at)
        for block in self.blocks:
            x = block(x, at)
        return self.widen(x, at).mean(dim=(2, 3))


class Connected(nn.Module):
    """A fully connected network: hidden layers, then a layer to the width."""

    def __init__(
        self, inputs: int, width: int = 128, hidden: Sequence[int] = (256,), shares: Sequence[float] = (1,)
    ) -> None:
        """Make the network for `inputs` numbers a picture; `width`, `shares` as in `SmallResNet`."""
        super().__init__()
        self.width, self.shares = width, _check_shares(shares)
        sizes = [inputs, *hidden, width]
        self.layers = nn.ModuleList(
            # No ReLU at the end: it would leave short prefixes of single pictures all zero, without a direction.
            _Layer(_Linear(a, b, bias=False), self.shares, exact=at == len(hidden), active=at < len(hidden))
            for at, (a, b) in enumerate(pairwise(sizes))
        )

    def forward(self, x: Tensor, at: int = -1) -> Tensor:
        """Return embeddings (n, width × share) of pictures of any shape (n, …)."""
        x = torch.flatten(x, 1)
        for layer in self.layers:
            x = layer(x, at)
        return x
