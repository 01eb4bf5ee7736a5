"""The picture tower while it is trained: drawings and photos moved about, names as classes, and the file it becomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from imi.embedders.tower import ABOUT, FORMAT, WEIGHTS
from imi.train.export import quantize_rows
from imi.train.heads import NestedHead
from imi.train.nets import SmallResNet
from imi.types import Floats

TEMPERATURE = 0.035
"""At .07 names that are near each other (flags, faces) are told apart only half as often after as many steps."""


class Tower(nn.Module):
    """The residual network and a linear layer into the text model's space."""

    def __init__(self, width: int, stages: Sequence[int], inner: int) -> None:
        """Make a tower of `width` numbers out, `inner` before the last layer, and these channels a stage."""
        super().__init__()
        self.width = width
        self.body = SmallResNet(inner, 3, stages)
        self.out = nn.Linear(inner, width)

    def forward(self, x: Tensor, at: int = -1) -> Tensor:
        """Return (n, width) of pictures (n, 3, height, width)."""
        z: Tensor = self.out(self.body(x, at))
        return z


class Names(NestedHead):
    """Cosines to the vectors of names, divided by the temperature: a classifier whose rows are given, not learnt."""

    def __init__(self, dims: Sequence[int], names: Floats) -> None:
        """Hold the names' vectors (classes, width)."""
        super().__init__(dims, len(names))
        self.register_buffer("names", torch.from_numpy(np.ascontiguousarray(names)), persistent=False)

    def of_size(self, z: Tensor, size: int) -> Tensor:
        """Return (n, classes) from the first `size` dimensions."""
        names = functional.normalize(self.names[:, :size], dim=1)
        return functional.normalize(z[:, :size].float(), dim=1) @ names.T / TEMPERATURE


@dataclass(frozen=True)
class Nearness:
    """What an output is asked for: the own name before all names, the own picture before a batch's, and closeness."""

    smoothing: float = 0.05
    pictures: float = 0.3
    pull: float = 0.5

    def __call__(self, output: Tensor, y: Tensor) -> Tensor:
        """Return the loss of (n, classes) cosines over the temperature and labels (n,)."""
        to_name = functional.cross_entropy(output, y, label_smoothing=self.smoothing)
        own = output.gather(1, y[:, None]).mean() * TEMPERATURE
        # Row i: how near each picture of the batch is to the name of picture i; all pictures of that name are right.
        to_picture = functional.log_softmax(output[:, y].T, dim=1)
        right = (y[:, None] == y[None]).float()
        found = -(to_picture * right).sum(1) / right.sum(1)
        return to_name + self.pictures * found.mean() + self.pull * (1 - own)


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
            pixels: (n, 64, 64, 4) uint8; photos are opaque.
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
        """Yield the batches of one epoch, which follow from its number."""
        random = torch.Generator().manual_seed(self.seed * 100_003 + number)
        order = self.rows[torch.randperm(len(self.rows), generator=random)]
        for first in range(0, len(self) * self.batch, self.batch):
            rows = order[first : first + self.batch]
            yield self._moved(rows, random), self.y[rows]

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
        return (x.clamp(0, 1) * 255 - 127.5) / 64


def embed_moved(tower: Tower, pixels: NDArray[np.uint8], batch: int = 256) -> Floats:
    """Return (n, width) unit rows of pictures (n, size, size, 3) uint8 by the network as it is trained."""
    tower.eval()
    parts = []
    with torch.inference_mode():
        for first in range(0, len(pixels), batch):
            part = torch.from_numpy(pixels[first : first + batch].transpose(0, 3, 1, 2).astype(np.float32))
            parts.append(functional.normalize(tower((part - 127.5) / 64), dim=1).numpy())
    return np.concatenate(parts)


def write_tower(tower: Tower, folder: Path, about: dict[str, Any]) -> None:
    """Write tower.npz and tower.json: statistics of batches folded into the layers, weights as int8."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, weight, bias in _layers(tower):
        codes, steps = quantize_rows(weight)  # a row an output channel
        arrays |= {
            f"{name}.codes": np.ascontiguousarray(codes.T),
            f"{name}.steps": steps,
            f"{name}.bias": bias.astype(np.float32),
        }
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / WEIGHTS, **arrays)  # type: ignore[arg-type]  # numpy's stub takes one bool among them
    told = {"format": FORMAT, **about, "weights": digest.hexdigest()}
    (folder / ABOUT).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _layers(tower: Tower) -> Iterator[tuple[str, Floats, Floats]]:
    body = tower.body
    yield "stem", *_folded(body.stem)
    for at, block in enumerate(body.blocks):
        yield f"{at}.first", *_folded(block.first)
        yield f"{at}.second", *_folded(block.second)
        if block.skip is not None:
            yield f"{at}.skip", *_folded(block.skip)
    yield "widen", *_folded(body.widen)
    yield "head", tower.out.weight.detach().numpy(), tower.out.bias.detach().numpy()


def _folded(layer: Any) -> tuple[Floats, Floats]:
    """Return a layer's weights (out, k·k·in) and bias with its batch statistics multiplied in."""
    norm = layer.norms[-1]
    gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
    weight = layer.inner.weight.detach() * gain[:, None, None, None]
    flat = weight.permute(0, 2, 3, 1).reshape(len(weight), -1)  # as numpy unfolds: places before channels
    return flat.numpy(), (norm.bias.detach() - norm.running_mean * gain).numpy()
