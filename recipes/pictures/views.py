"""Drawings and photos moved about, so that the network sees each in several ways, and what it sees of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


class MovedPictures:
    """Drawings and photos as batches: turned, scaled, mirrored, coloured, drawings on any ground."""

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.int64],
        still: NDArray[np.bool_],
        *,
        size: int,
        batch: int,
        times: NDArray[np.int64],
        seed: int = 0,
    ) -> None:
        """Wrap pictures.

        Args:
            pixels: (n, height, width, 4) uint8; photos are opaque.
            labels: (n,) numbers of names.
            still: (n,) whether a picture may not be mirrored.
            size: pixels a side of what comes out.
            batch: pictures a batch.
            times: (n,) how often each picture comes in an epoch.
            seed: the same seed gives the same pictures.
        """  # fmt: skip
        self.x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
        self.y = torch.from_numpy(labels)
        self.still = torch.from_numpy(still)
        self.photo = self.x[:, 3].flatten(1).min(dim=1).values == 255
        self.rows = torch.from_numpy(np.repeat(np.arange(len(labels)), times))
        self.size, self.batch, self.seed = size, batch, seed

    def __len__(self) -> int:
        return len(self.rows) // self.batch

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of one epoch, (n, 3, size, size) uint8 and labels, which follow from its number."""
        random = torch.Generator().manual_seed(self.seed * 100_003 + number)
        order = self.rows[torch.randperm(len(self.rows), generator=random)]
        for first in range(0, len(self) * self.batch, self.batch):
            rows = order[first : first + self.batch]
            yield self._moved(rows, random), self.y[rows]

    def plain(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield every picture as it is, on white, in batches as those of an epoch."""
        for rows in torch.arange(len(self.x)).split(self.batch):
            x = self.x[rows].float()
            x = x[:, :3] * (x[:, 3:] / 255) + 255 - x[:, 3:]
            x = functional.interpolate(x, [self.size, self.size], mode="bilinear", align_corners=False)
            yield x.clamp(0, 255).round().byte(), self.y[rows]

    def _moved(self, rows: Tensor, random: torch.Generator) -> Tensor:
        def between(low: float, high: float, *shape: int) -> Tensor:
            return low + (high - low) * torch.rand(len(rows), *shape, generator=random)

        x = self.x[rows].float() / 255
        x = torch.cat([x[:, :3] * x[:, 3:], x[:, 3:]], dim=1)
        photo = self.photo[rows]
        # The grid's scale: above 1 the picture becomes smaller. Photos are cut, drawings float on a ground.
        scale = torch.where(photo, between(0.65, 1.0), between(0.85, 1.35))
        stretch, angle = between(-0.12, 0.12).exp(), between(-0.2, 0.2)
        mirror = torch.where((between(0, 1) < 0.5) & ~self.still[rows], -1.0, 1.0)
        shift = between(-1, 1, 2) * torch.where(photo, (1 - scale).clamp(min=0.05), torch.tensor(0.15))[:, None]
        cos, sin = angle.cos() * scale, angle.sin() * scale
        turn = torch.stack(
            [torch.stack([cos * stretch * mirror, -sin], 1), torch.stack([sin * mirror, cos / stretch], 1)], 1
        )
        grid = functional.affine_grid(
            torch.cat([turn, shift[:, :, None]], 2), [len(rows), 4, self.size, self.size], align_corners=False
        )
        x = functional.grid_sample(x, grid, align_corners=False)
        white = (between(0, 1) < 0.6)[:, None]
        ground = torch.where(white, torch.ones(len(rows), 3), between(0, 1, 3))[:, :, None, None]
        x = x[:, :3] + ground * (1 - x[:, 3:])
        grey = x.mean(dim=1, keepdim=True)
        vivid = torch.where(between(0, 1) < 0.05, torch.zeros(len(rows)), between(0.5, 1.4))[:, None, None, None]
        x = grey + (x - grey) * vivid
        x = x * between(0.85, 1.15, 3, 1, 1) * between(0.8, 1.2, 1, 1, 1)
        return (x.clamp(0, 1) * 255).round().byte()
