"""The same loss on other bodies: a small vision transformer, and pictures with words."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from experiments.matryoshka.glyphs import FAMILIES, glyphs
from experiments.matryoshka.page import table
from experiments.matryoshka.pictures import Pictures
from experiments.matryoshka.saved_results import Shelf
from experiments.matryoshka.training import one_thread
from experiments.matryoshka.vit import SmallViT
from imi.train.heads import MRL
from imi.train.losses import MatryoshkaLoss, contrastive
from imi.train.nets import SmallResNet
from imi.train.vision import ArrayBatches, Nested, Recipe, fit

DIMS = (8, 16, 32, 64)
EPOCHS = 14


def transformer_accuracy(pictures: Pictures, epochs: int = EPOCHS, seed: int = 0) -> dict[str, float]:
    """Train a small vision transformer with the nested loss and return its test accuracy by size."""
    with one_thread():
        torch.manual_seed(seed)
        body = SmallViT(pictures.train.x.shape[2], DIMS[-1], pictures.train.x.shape[1])
        model = Nested(body, MRL(DIMS, len(pictures.classes)))
        batches = ArrayBatches(pictures.train.x, pictures.train.y, 128, seed=seed, shift=1)
        fit(model, batches, Recipe(epochs=epochs, rate=2e-3, decay=0.05, adam=True, seed=seed))
        model.eval()
        with torch.inference_mode():
            guesses = [
                torch.cat([model(part)[at].argmax(dim=1) for part in torch.from_numpy(pictures.test.x).split(512)])
                for at in range(len(DIMS))
            ]
    return {
        str(size): float((guess.numpy() == pictures.test.y).mean()) for size, guess in zip(DIMS, guesses, strict=True)
    }


class _Words(nn.Module):
    """A text's embedding: the sum of its words' rows."""

    def __init__(self, texts: list[str], width: int) -> None:
        super().__init__()
        self.rows = {word: at for at, word in enumerate(sorted({word for text in texts for word in text.split()}))}
        self.table = nn.EmbeddingBag(len(self.rows), width, mode="sum")

    def forward(self, texts: list[str]) -> torch.Tensor:
        ids = [[self.rows[word] for word in text.split()] for text in texts]
        starts = torch.tensor([0, *np.cumsum([len(row) for row in ids])[:-1].tolist()])
        return self.table(torch.tensor([at for row in ids for at in row]), starts)


def picture_text_accuracy(pictures: Pictures, epochs: int = EPOCHS, seed: int = 0) -> dict[str, float]:
    """Train pictures and their names into one space and return, by size, how often a picture finds its name first.

    The contrastive loss of pairs, nested, each prefix at unit length: the paper's ALIGN in small.
    """
    with one_thread():
        torch.manual_seed(seed)
        names = [name.split(maxsplit=1)[1] for name in pictures.classes]
        body, words = SmallResNet(DIMS[-1], pictures.train.x.shape[1], (16, 32, 64)), _Words(names, DIMS[-1])
        body.to(memory_format=torch.channels_last)
        criterion = MatryoshkaLoss(lambda a, b: contrastive(a, b, 0.1), DIMS)
        optimizer = torch.optim.Adam([*body.parameters(), *words.parameters()], lr=2e-3)
        batches = ArrayBatches(pictures.train.x, pictures.train.y, 128, seed=seed, shift=1)
        for epoch in range(epochs):
            for x, y in batches.epoch(epoch):
                # Of pictures with the same name only the first stays: the others would be false negatives.
                first = np.sort(np.unique(y.numpy(), return_index=True)[1])
                pair = body(x[first]), words([names[label] for label in y[first].tolist()])
                loss = criterion(pair)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        body.eval()
        with torch.inference_mode():
            z = torch.cat([body(part) for part in torch.from_numpy(pictures.test.x).split(512)])
            out = {}
            for size in DIMS:
                a = functional.normalize(z[:, :size], dim=1)
                b = functional.normalize(words(names)[:, :size], dim=1)
                out[str(size)] = float(((a @ b.T).argmax(dim=1).numpy() == pictures.test.y).mean())
    return out


def bodies_section(shelf: Shelf) -> str:
    """Train both and return their part of the page."""
    settings = (DIMS, EPOCHS, "adam", tuple(FAMILIES))
    found: dict[str, dict[str, Any]] = shelf.table(
        "bodies",
        settings,
        lambda: {
            "vision transformer, linear": transformer_accuracy(glyphs()),
            "picture → name, 1 of 240": picture_text_accuracy(glyphs()),
        },
    )
    rows = [[name, *(100 * row[str(size)] for size in DIMS)] for name, row in found.items()]
    return (
        "## The same loss on other bodies\n\n"
        + table(("accuracy, %", *map(str, DIMS)), rows)
        + "\n\nThe signs again, one seed: a vision transformer of four layers with one classifier a size, and pictures "
        "with their Unicode names trained into one space by the contrastive loss (the paper's ViT and ALIGN in small). "
        "ResNet50 on an ImageNet folder, mixed precision, several GPUs: "
        "`python -m experiments.matryoshka.resnet50 --help`; the "
        "tests run its code path on a tiny folder, this page does not."
    )
