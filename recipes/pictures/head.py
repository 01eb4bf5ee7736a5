"""The classifier of emoji and clothing beside the network's own of photos: one softmax over all of them.

The thousand classes of photos stay as they came. Only the rows of emoji and clothing are learnt, so that a picture is
one of these only where it speaks for it more than anything in a photo does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from imi.types import Floats

EMOJI_RESTRAINT, CLOTHING_RESTRAINT = 1.0, 3.0
"""What is taken off the learnt rows, in nats: photos of a thousand kinds were not at hand to hold them back; clothing
is the nearer to photos. Chosen by looking at CIFAR-10, which nothing is trained on."""


@dataclass(frozen=True)
class Recipe:
    """How long and fast; `rest` is what keeps a feature that hardly varies from being blown up."""

    epochs: int = 8
    batch: int = 256
    rate: float = 2e-3
    decay: float = 1e-3
    smoothing: float = 0.05
    rest: float = 0.05
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network saw: features (n, 1280) and the number of each picture's kind, counted from the first emoji."""

    features: Floats
    labels: NDArray[np.int64]


def learn(seen: Seen, photos: tuple[Floats, Floats], kinds: int, recipe: Recipe) -> tuple[Floats, Floats]:
    """Return weight (1280, kinds) and bias of the kinds that were learnt, for features as they are.

    Args:
        seen: drawings and photos of clothing.
        photos: weight (1280, 1000) and bias of the classes that are there.
        kinds: how many are to be learnt.
        recipe: how.
    """
    torch.manual_seed(recipe.seed)
    mean, spread = seen.features.mean(axis=0), seen.features.std(axis=0) + recipe.rest
    layer = nn.Linear(len(mean), kinds)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    x = torch.from_numpy((seen.features - mean) / spread)
    known = torch.from_numpy(seen.features @ photos[0] + photos[1])
    y = torch.from_numpy(seen.labels + known.shape[1])
    optimizer = torch.optim.AdamW(layer.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    steps = recipe.epochs * (len(x) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps)
    for _ in range(recipe.epochs):
        order = torch.randperm(len(x))
        for first in range(0, len(x) - recipe.batch + 1, recipe.batch):
            rows = order[first : first + recipe.batch]
            logits = torch.cat([known[rows], layer(x[rows])], dim=1)
            loss: Tensor = functional.cross_entropy(logits, y[rows], label_smoothing=recipe.smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    weight = layer.weight.detach().numpy().T / spread[:, None]
    bias = layer.bias.detach().numpy() - mean @ weight
    return np.asarray(weight, np.float32), np.asarray(bias, np.float32)
