"""Train a body and a head on labelled pictures: nested, fixed or slimmable, on one processor or several.

The recipe is the Matryoshka paper's in shape: stochastic gradient descent with momentum, a rate that climbs and falls
in straight lines, label smoothing, no decay on batch statistics and biases, all sizes weighted alike. A run that was
interrupted goes on from its last epoch and ends with the same numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from imi.errors import DataError, UsageError
from imi.progress import Progress
from imi.train.heads import NestedHead
from imi.train.losses import Loss, MatryoshkaLoss
from imi.types import Floats


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults suit small pictures on two cores.

    rate: the highest learning rate, reached after `warm` of all steps. mixed: half precision where the device has it.
    adam: AdamW instead of momentum, which transformers need; momentum is then not used.
    """

    epochs: int = 12
    batch: int = 128
    rate: float = 0.2
    warm: float = 0.2
    momentum: float = 0.9
    decay: float = 5e-4
    smoothing: float = 0.1
    mixed: bool = False
    seed: int = 0
    adam: bool = False

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2 or not self.rate > 0 or not 0 <= self.warm < 1:
            raise UsageError(
                f"{self}: epochs from 1, batch from 2, rate above 0 and warm from 0 to below 1 are possible"
            )


class Batches(Protocol):
    """Labelled pictures, in an order that follows from the epoch's number alone."""

    def __len__(self) -> int:
        """Return batches per epoch."""
        ...

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield pictures (b, channels, height, width) and labels (b,)."""
        ...


class ArrayBatches:
    """Pictures held in memory: shuffled, and flipped and shifted where asked for."""

    def __init__(
        self,
        pictures: NDArray[Any],
        labels: NDArray[Any],
        batch: int,
        *,
        seed: int = 0,
        flip: bool = False,
        shift: int = 0,
    ) -> None:
        """Wrap arrays.

        Args:
            pictures: (n, channels, height, width) float32.
            labels: (n,) whole numbers from 0.
            batch: pictures a batch; what is left over at the end of an epoch waits for the next one.
            seed: the same seed gives the same order.
            flip: mirror half of the pictures.
            shift: pixels by which a picture may move in each direction.
        """  # fmt: skip
        if len(pictures) != len(labels):
            raise DataError(f"{len(pictures)} pictures meet {len(labels)} labels")
        if len(pictures) < batch:
            raise UsageError(f"batch is {batch}, there are {len(pictures)} pictures", hint="use smaller batches")
        self.x = torch.from_numpy(np.ascontiguousarray(pictures, dtype=np.float32))
        self.y = torch.from_numpy(np.asarray(labels, dtype=np.int64))
        self.batch, self.seed, self.flip, self.shift = batch, seed, flip, shift

    def __len__(self) -> int:
        return len(self.x) // self.batch

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of one epoch, in the order of its number."""
        random = torch.Generator().manual_seed(self.seed * 100_003 + number)
        order = torch.randperm(len(self.x), generator=random)
        for first in range(0, len(self) * self.batch, self.batch):
            rows = order[first : first + self.batch]
            yield self._moved(self.x[rows], random), self.y[rows]

    def _moved(self, x: Tensor, random: torch.Generator) -> Tensor:
        if self.flip:
            mirrored = torch.rand(len(x), generator=random) < 0.5
            x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
        if self.shift:
            height, width, by = x.shape[2], x.shape[3], self.shift
            padded = functional.pad(x, (by, by, by, by))
            down, right = torch.randint(0, 2 * by + 1, (2, len(x)), generator=random)
            rows = down[:, None] + torch.arange(height)
            columns = right[:, None] + torch.arange(width)
            each = torch.arange(len(x))[:, None, None]
            # Advanced indices with a slice between them put the channels last.
            x = padded[each, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        return x


class Nested(nn.Module):
    """A body and a head: embeddings once, logits for each size from their prefixes."""

    def __init__(self, body: nn.Module, head: NestedHead) -> None:
        super().__init__()
        self.body, self.head = body, head

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return one (n, classes) output for each of the head's sizes."""
        return tuple(self.head(self.body(x)))


class Slimmable(nn.Module):
    """The slimmable network: for each size the body runs at that share of its channels, with the leading weights."""

    def __init__(self, body: nn.Module, head: NestedHead) -> None:
        """Put a body with one share for each size, as `slim_shares` gives them, and a head together."""
        super().__init__()
        if len(body.shares) != len(head.dims):
            raise UsageError(f"the body has {len(body.shares)} shares, the head {len(head.dims)} sizes: one for each")
        self.body, self.head = body, head

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return one (n, classes) output for each size, each from a separate pass."""
        return tuple(self.head.of_size(self.body(x, at), size) for at, size in enumerate(self.head.dims))


def slim_shares(dims: Sequence[int]) -> tuple[float, ...]:
    """Return the share of the full width that each size is."""
    return tuple(size / dims[-1] for size in dims)


def fit(
    model: Nested | Slimmable,
    batches: Batches,
    recipe: Recipe,
    *,
    loss: Loss | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> list[float]:
    """Train a model in place and return the mean loss of each epoch.

    Under torch's own launcher (`torchrun`), each process takes its share of every batch and gradients are averaged.

    Args:
        model: what to train; it stays on the device that it is on.
        batches: where the pictures come from.
        recipe: how.
        loss: of one output and the labels; cross-entropy with the recipe's smoothing by default.
        checkpoint: a file that is written after each epoch and gone on from when it is there.
        progress: called with steps done and in all.

    Raises:
        UsageError: the checkpoint is of another recipe.
        DataError: the loss left the finite numbers.
    """
    device = next(model.parameters()).device
    loss = loss or nn.CrossEntropyLoss(label_smoothing=recipe.smoothing)
    criterion = MatryoshkaLoss(loss, model.head.dims, normalize=False)
    optimizer = _optimizer(model, recipe)
    scaler = torch.amp.GradScaler(device.type, enabled=recipe.mixed and device.type == "cuda")
    history = _resume(checkpoint, recipe, model, optimizer, scaler)
    parallel = _parallel(model)
    steps = recipe.epochs * len(batches)
    for epoch in range(len(history), recipe.epochs):
        parallel.train()
        total = torch.zeros((), device=device)
        for at, (x, y) in enumerate(batches.epoch(epoch)):
            done = epoch * len(batches) + at
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate * slope(done / steps, recipe.warm)
            with _precision(device, recipe.mixed):
                outputs = parallel(_placed(x, device))
                total_loss = criterion.of_outputs([output.float() for output in outputs], y.to(device))
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(total_loss).backward()
            scaler.step(optimizer)
            scaler.update()
            total += total_loss.detach()
            if progress is not None:
                progress(done + 1, steps)
        history.append(float(total) / len(batches))
        if not np.isfinite(history[-1]):
            raise DataError(f"the loss of epoch {epoch + 1} is {history[-1]}", hint=f"a rate below {recipe.rate}")
        _save(checkpoint, recipe, history, model, optimizer, scaler)
    return history


def slope(share: float, warm: float) -> float:
    """Return the rate's share of its highest value after a share of all steps: up in a line, then down in a line."""
    return (share / warm if warm and share < warm else (1 - share) / (1 - warm)) or 1e-3


def embed_pictures(body: nn.Module, pictures: NDArray[Any], *, at: int = -1, batch: int = 512) -> Floats:
    """Return embeddings (n, width) float32 of pictures (n, channels, height, width), at the share numbered `at`."""
    device = next(body.parameters()).device
    body.eval()
    parts = []
    with torch.inference_mode():
        for first in range(0, len(pictures), batch):
            x = torch.from_numpy(np.ascontiguousarray(pictures[first : first + batch], dtype=np.float32))
            parts.append(body(_placed(x, device), at).float().cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros((0, int(body.width)), np.float32)


def _placed(x: Tensor, device: torch.device) -> Tensor:
    # Convolutions with few channels are several times as fast with the channels last.
    return x.to(device, memory_format=torch.channels_last) if x.ndim == 4 else x.to(device)


def _optimizer(model: nn.Module, recipe: Recipe) -> Any:
    groups = _groups(model, recipe.decay)
    if recipe.adam:
        return torch.optim.AdamW(groups, lr=recipe.rate)
    return torch.optim.SGD(groups, lr=recipe.rate, momentum=recipe.momentum, nesterov=True)


def _groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _precision(device: torch.device, mixed: bool) -> AbstractContextManager[Any]:
    kind = torch.float16 if device.type == "cuda" else torch.bfloat16
    context: AbstractContextManager[Any] = torch.autocast(device.type, dtype=kind, enabled=mixed)
    return context


def _parallel(model: nn.Module) -> nn.Module:
    """Return the model, wrapped to average gradients where several processes train it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return model
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return nn.parallel.DistributedDataParallel(model)


def _first_process() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def _resume(path: Path | None, recipe: Recipe, *parts: Any) -> list[float]:
    if path is None or not path.exists():
        return []
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["recipe"] != asdict(recipe):
        raise UsageError(
            f"the checkpoint {path} was made with {state['recipe']}, asked for is {asdict(recipe)}",
            hint="remove it or train with the same recipe",
        )
    for part, kept in zip(parts, state["parts"], strict=True):
        part.load_state_dict(kept)
    return list(state["history"])


def _save(path: Path | None, recipe: Recipe, history: list[float], *parts: Any) -> None:
    if path is None or not _first_process():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    state = {"recipe": asdict(recipe), "history": history, "parts": [part.state_dict() for part in parts]}
    torch.save(state, beside)
    beside.replace(path)  # whole or not at all, whenever the run is cut off
