"""Train one method of a study with one seed, and keep the embeddings and probabilities that all figures are made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from experiments.matryoshka.pictures import Pictures
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
            probabilities of the parts held and test.
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
    settings = (study.data, study.dims, study.stages, study.epochs, study.rate, study.flip, study.shift)
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
        recipe = Recipe(epochs=study.epochs, batch=batch, rate=study.rate, seed=seed)
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
    else:
        body = Connected(math.prod(shape), study.dims[-1], (128,), shares)
    return Slimmable(body, head) if method == "slimmable" else Nested(body, head)


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
    for part in PARTS:
        data = getattr(pictures, part)
        if data is None:
            continue
        # Half precision on disk: the shelf of a whole run stays below half a gigabyte.
        if isinstance(model, Slimmable):
            z = {size: embed_pictures(model.body, data.x, at=at) for at, size in enumerate(sizes)}
        else:
            whole = embed_pictures(model.body, data.x)
            z = {sizes[-1]: whole[:, : sizes[-1]]}
        out |= {f"z.{part}.{size}": rows.astype(np.float16) for size, rows in z.items()}
        if part in ("held", "test"):
            for size in sizes:
                rows = torch.from_numpy(z.get(size, z[sizes[-1]]))
                out[f"p.{part}.{size}"] = _probabilities(model.head, rows, size).astype(np.float16)
    return out


def _probabilities(head: NestedHead, z: torch.Tensor, size: int) -> Floats:
    with torch.inference_mode():
        own = next(head.parameters()).device
        p: Floats = functional.softmax(head.of_size(z.to(own), size), dim=-1).cpu().numpy()
    return p
