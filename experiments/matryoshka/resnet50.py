"""ResNet50 and an ImageNet folder, for those who have them: the paper's own setting.

    torchrun --nproc-per-node 8 -m experiments.matryoshka.resnet50 --data IMAGENET --out mrl.pt

runs on several GPUs; without `torchrun` on one, or on the processor. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from imi.errors import DataError, MissingExtra
from imi.train.heads import MRL
from imi.train.vision import Nested, Recipe, fit

PAPER_DIMS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_SPREAD = np.array((0.229, 0.224, 0.225), np.float32)


class _Bottleneck(nn.Module):
    def __init__(self, into: int, inner: int, stride: int) -> None:
        super().__init__()
        out = 4 * inner
        self.way = nn.Sequential(
            nn.Conv2d(into, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(inplace=True),
            nn.Conv2d(inner, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(inplace=True),
            nn.Conv2d(inner, out, 1, bias=False), nn.BatchNorm2d(out),
        )  # fmt: skip
        same = stride == 1 and into == out
        self.skip = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.way(x) + self.skip(x))


class ResNet50(nn.Module):
    """The residual network of 50 layers (He et al. 2015), whose embedding has 2,048 dimensions."""

    width = 2048

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        )
        blocks: list[nn.Module] = []
        into = 64
        for inner, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            for at in range(count):
                blocks.append(_Bottleneck(into, inner, stride if at == 0 else 1))
                into = 4 * inner
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor, at: int = -1) -> Tensor:
        """Return embeddings (n, 2048) of pictures (n, 3, height, width); `at` is there for all bodies alike."""
        return self.blocks(self.stem(x)).mean(dim=(2, 3))


class FolderBatches:
    """Pictures of a folder with one folder a class, decoded when they are needed, cropped and mirrored at random.

    Under `torchrun` each process takes every n-th picture of the same random order.
    """

    def __init__(self, folder: Path, batch: int, *, side: int = 224, seed: int = 0, workers: int = 0) -> None:
        """List the pictures.

        Raises:
            DataError: the folder holds no folders of pictures, or fewer pictures than a batch.
        """
        self.classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
        self.files = [
            (path, label)
            for label, name in enumerate(self.classes)
            for path in sorted((folder / name).iterdir())
            if path.suffix.lower() in (".jpg", ".jpeg", ".png")
        ]
        self.rank, self.world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        if len(self.files) < batch * self.world:
            raise DataError(
                f"{folder} holds {len(self.files)} pictures in {len(self.classes)} classes, a batch {batch}"
            )
        self.batch, self.side, self.seed, self.workers = batch, side, seed, workers

    def __len__(self) -> int:
        return len(self.files) // (self.batch * self.world)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of one epoch, in the order of its number."""
        order = np.random.default_rng((self.seed, number)).permutation(len(self.files))[self.rank :: self.world]
        rows = [(int(row), number) for row in order[: len(self) * self.batch]]
        loader = torch.utils.data.DataLoader(
            _Crops(self, rows), batch_size=self.batch, num_workers=self.workers, pin_memory=torch.cuda.is_available()
        )
        yield from loader

    def crop(self, row: int, number: int) -> tuple[Tensor, int]:
        """Return one picture (3, side, side), cropped and perhaps mirrored, and its label."""
        try:
            from PIL import Image
        except ImportError as missing:
            raise MissingExtra("pillow", "train") from missing
        path, label = self.files[row]
        random = np.random.default_rng((self.seed, number, row))
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        wide, high = picture.size
        share, shape = random.uniform(0.25, 1.0), np.exp(random.uniform(-0.28, 0.28))
        width = min(wide, max(1, round((wide * high * share * shape) ** 0.5)))
        height = min(high, max(1, round((wide * high * share / shape) ** 0.5)))
        left, top = random.integers(0, wide - width + 1), random.integers(0, high - height + 1)
        part = picture.resize(
            (self.side, self.side), Image.Resampling.BILINEAR, box=(left, top, left + width, top + height)
        )
        pixels = (np.asarray(part, np.float32) / 255 - _MEAN) / _SPREAD
        if random.random() < 0.5:
            pixels = pixels[:, ::-1]
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))), label


class _Crops(torch.utils.data.Dataset):
    def __init__(self, batches: FolderBatches, rows: list[tuple[int, int]]) -> None:
        self.batches, self.rows = batches, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> tuple[Tensor, int]:
        return self.batches.crop(*self.rows[at])


def train_folder(folder: Path, out: Path, recipe: Recipe, *, side: int = 224, workers: int = 0) -> list[float]:
    """Train ResNet50 with the paper's nesting on a folder of pictures and keep the model; return each epoch's loss.

    Args:
        folder: one folder a class, as ImageNet's `train`.
        out: the file of the model; beside it, with the suffix .resume, what an interrupted run goes on from.
        recipe: how; the paper's is 40 epochs, batches of 512, rate .425, mixed precision.
        side: pixels a side.
        workers: processes that decode.
    """
    torch.manual_seed(recipe.seed)
    batches = FolderBatches(folder, recipe.batch, side=side, seed=recipe.seed, workers=workers)
    place = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    model = Nested(ResNet50(), MRL(PAPER_DIMS, len(batches.classes)))
    model.to(place, memory_format=torch.channels_last)
    history = fit(model, batches, recipe, checkpoint=out.with_suffix(".resume"))
    if batches.rank == 0:
        torch.save({"model": model.state_dict(), "dims": PAPER_DIMS, "classes": batches.classes}, out)
    return history


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(
        prog="experiments.matryoshka.resnet50", description="The paper's ResNet50 with MRL."
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder with one folder a class")
    parser.add_argument("--out", type=Path, required=True, help="the model's file")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=256, help="pictures a process")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--workers", type=int, default=8)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = Recipe(epochs=given.epochs, batch=given.batch, rate=0.425 * given.batch / 256, warm=0.05, decay=1e-4,
                    mixed=torch.cuda.is_available())  # fmt: skip
    history = train_folder(given.data, given.out, recipe, side=given.side, workers=given.workers)
    if os.environ.get("RANK", "0") == "0":
        logging.getLogger("imi.train").info("loss by epoch: %s", ", ".join(f"{loss:.3f}" for loss in history))


if __name__ == "__main__":
    main()
