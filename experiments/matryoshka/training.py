"""Train one method of a study with one seed, and keep the embeddings and probabilities that all figures are made of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from experiments.matryoshka.pictures import Pictures
from experiments.matryoshka.requests import BINS
from experiments.matryoshka.saved_results import Arrays, Shelf
from experiments.matryoshka.studies import Study
from imi.errors import UsageError
from imi.train.heads import MRL, MRLE, Fixed, NestedHead
from imi.train.nets import Connected, SmallResNet
from imi.train.vision import ArrayBatches, Nested, Recipe, Slimmable, embed_pictures, fit, slim_shares
from imi.types import Floats

PARTS = ("train", "held", "test", "novel")


@dataclass(frozen=True)
class Trained:
    """What a trained method says of every picture.

    Attributes:
        method: its name.
        sizes: the sizes that it was trained for.
        arrays: `z.PART.SIZE` embeddings (one array of the full size where sizes are nested), `p.PART.SIZE` (n, classes)
            probabilities of all parts but those for training and the novel classes, and of a fixed size its classifier
            `w` (classes, size) and `b` (classes,).
    """

    method: str
    sizes: tuple[int, ...]
    arrays: Arrays

    def z(self, part: str, size: int) -> Floats:
        """Return (n, size) float32 embeddings, not normalised."""
        own = self.arrays.get(f"z.{part}.{size}")
        if own is None:
            own = self.arrays[f"z.{part}.{self.sizes[-1]}"][:, :size]
        return own.astype(np.float32)

    def p(self, part: str, size: int) -> Floats:
        """Return (n, classes) float32 probabilities."""
        return self.arrays[f"p.{part}.{size}"].astype(np.float32)


def train(study: Study, pictures: Pictures, method: str, seed: int, shelf: Shelf) -> Trained:
    """Return a trained method's embeddings, from the shelf or after training; an interrupted training goes on.

    Args:
        study: what to train on.
        pictures: its data.
        method: "mrl", "mrl-e", "ff-K" or "slimmable".
        seed: of weights and order. The same seed gives the same numbers: one thread, whatever the machine has.
        shelf: where results are kept.
    """
    sizes = (int(method[3:]),) if method.startswith("ff-") else study.dims
    settings = (study.data, study.dims, study.stages, study.hidden, study.epochs, study.rate, study.flip, study.shift,
                study.classes)  # fmt: skip
    name = f"{study.name}-{method}-{seed}"
    arrays = shelf.arrays(name, settings, lambda: _trained(study, pictures, method, seed, shelf))
    return Trained(method, sizes, arrays)


def _trained(study: Study, pictures: Pictures, method: str, seed: int, shelf: Shelf) -> Arrays:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    checkpoint = shelf.path(f"{study.name}-{method}-{seed}", study, ".pt")
    with one_thread():
        torch.manual_seed(seed)
        model = build(study, pictures, method).to(device, memory_format=torch.channels_last)
        batch = min(128, max(2, len(pictures.train) // 8))
        batches = ArrayBatches(pictures.train.x, pictures.train.y, batch, seed=seed, flip=study.flip, shift=study.shift)
        recipe = Recipe(epochs=study.epochs, batch=batch, rate=study.rate, seed=seed, adam=study.text)
        fit(model, batches, recipe, checkpoint=checkpoint)
        out = _embedded(model, pictures)
    checkpoint.unlink(missing_ok=True)
    return out


def build(study: Study, pictures: Pictures, method: str) -> Nested | Slimmable:
    """Return the untrained model of a method.

    Raises:
        UsageError: there is no such method.
    """
    classes = len(pictures.classes)
    heads: dict[str, type[MRL] | type[MRLE]] = {"mrl": MRL, "mrl-e": MRLE, "slimmable": MRLE}
    if method in heads:
        head: NestedHead = heads[method](study.dims, classes)
    elif method.startswith("ff-"):
        head = Fixed(int(method[3:]), classes)
    else:
        raise UsageError(f"there is no method {method!r}", hint=f"allowed are {', '.join(study.methods)}")
    shares = slim_shares(study.dims) if method == "slimmable" else (1.0,)
    shape = pictures.train.x.shape[1:]
    body: nn.Module
    if study.stages:
        body = SmallResNet(study.dims[-1], shape[0], study.stages, shares)
    elif study.text:
        body = BagOfTokens(study.dims[-1], study.hidden, shares)
    else:
        body = Connected(math.prod(shape), study.dims[-1], study.hidden, shares)
    return Slimmable(body, head) if method == "slimmable" else Nested(body, head)


class BagOfTokens(nn.Module):
    """The mean of a text's rows of a learnt table, then a fully connected network."""

    def __init__(self, width: int, hidden: Sequence[int], shares: Sequence[float] = (1,), rows: int = 128) -> None:
        """Make the network: `width`, `hidden`, `shares` as of `Connected`, `rows` dimensions a row of the table."""
        super().__init__()
        self.bag = nn.EmbeddingBag(BINS, rows, mode="mean")
        self.rest = Connected(rows, width, hidden, shares)
        self.width, self.shares = width, self.rest.shares

    def forward(self, x: torch.Tensor, at: int = -1) -> torch.Tensor:
        """Return embeddings (n, width × share) of texts (n, longest) of table rows, filled up with 0."""
        ids = x.long()
        real = ids > 0
        counts = real.sum(dim=1)
        out: torch.Tensor = self.rest(self.bag(ids[real], counts.cumsum(0) - counts), at)
        return out


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: sums then have one order, and two runs side by side do not wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _embedded(model: Nested | Slimmable, pictures: Pictures) -> Arrays:
    out: Arrays = {}
    sizes = model.head.dims
    for part, data in pictures.parts().items():
        if part not in PARTS and not isinstance(model.head, (MRL, Fixed)):
            continue  # only of these two is asked what they make of unusual inputs
        # Half precision on disk: the shelf of a whole run stays below half a gigabyte.
        if isinstance(model, Slimmable):
            z = {size: embed_pictures(model.body, data.x, at=at) for at, size in enumerate(sizes)}
        else:
            whole = embed_pictures(model.body, data.x)
            z = {sizes[-1]: whole[:, : sizes[-1]]}
        out |= {f"z.{part}.{size}": rows.astype(np.float16) for size, rows in z.items()}
        if part not in ("train", "novel"):
            for size in sizes:
                rows = torch.from_numpy(z.get(size, z[sizes[-1]]))
                out[f"p.{part}.{size}"] = _probabilities(model.head, rows, size).astype(np.float16)
    if isinstance(model.head, Fixed):
        out |= {
            name: value.detach().cpu().numpy() for name, value in zip("wb", model.head.weights(sizes[0]), strict=True)
        }
    return out


def _probabilities(head: NestedHead, z: torch.Tensor, size: int) -> Floats:
    with torch.inference_mode():
        own = next(head.parameters()).device
        p: Floats = functional.softmax(head.of_size(z.to(own), size), dim=-1).cpu().numpy()
    return p
