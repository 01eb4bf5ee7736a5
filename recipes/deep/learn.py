"""Train the map that makes the vectors Matryoshka: means off, a turn, one small hidden layer.

    vector = unit(z·map + relu(z·inward + bias)·outward)        z = unit(mean of the last layer) - mean of its kind

Begins at the eigenvectors of the covariance, the hidden layer at zero. Every prefix then learns three things at once:
that a question is nearest to its paragraph among those of the batch, whole articles of them; that translations are
nearest to each other; and, so that nothing else is forgotten, to order the batch as the published network does at its
full width (a KL divergence between softmaxed rows of cosines). The network itself stays as published.

In the end all is turned once more (`recipes.turning`): that keeps every cosine at full width, and the small sizes find
more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from imi.train.losses import MatryoshkaLoss
from recipes.deep.texts import Texts
from recipes.progress import say
from recipes.turning import Turn, Turner

Ints = NDArray[np.int64]
DIMS = (32, 64, 128, 256, 384)
NARROW = 128
_KEPT_BACK = 16


@dataclass(frozen=True)
class Settings:
    """What was chosen on the articles kept back."""

    steps: int = 300
    paragraphs: int = 512
    pairs: int = 256
    hidden: int = 768
    rate: float = 4e-4
    scale: float = 20.0
    own: float = 0.3  # weight of the softmax over the pairs, beside 1 for the published network's order
    own_wide: float = 0.0  # the same for sizes that keep nearly all: there it only pulls away from the network
    translations: float = 0.4  # the same for translations, at all sizes
    weights: tuple[float, ...] = (0.7, 1.0, 1.5, 1.5, 6.0)  # of the sizes
    cosines: float = 5.0  # weight of the squared difference of cosines between documents


TURN = Turn(DIMS[:-1], (0.5, 1.5, 1.5, 0.7), steps=400, rate=6e-3)
TURNED = {"asked": 384, "translations": 128}
"""Pairs in a batch of the last turn."""


class Map(nn.Module):
    """From unit means of the last layer to vectors."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.zeros(2, width))  # of documents, of queries
        self.map = nn.Parameter(torch.eye(width))
        self.inward = nn.Parameter(torch.randn(width, hidden) / math.sqrt(width))
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.outward = nn.Parameter(torch.zeros(hidden, width))

    def forward(self, states: Tensor, queries: Tensor) -> Tensor:
        """Unit means (n, d) and their kinds (n,) → vectors (n, d), not yet unit rows."""
        z = states - self.means[queries]
        return z @ self.map + functional.relu(z @ self.inward + self.bias) @ self.outward


class Trainer:
    """Trains one map on the means of texts."""

    def __init__(self, means: NDArray[np.float32], texts: Texts, settings: Settings) -> None:
        self.texts, self.settings = texts, settings
        self.states = functional.normalize(torch.from_numpy(means), dim=-1)
        self.kinds = torch.tensor([int(query) for query in texts.queries])
        self.loss = MatryoshkaLoss(self._ordered, DIMS, settings.weights)
        self.chance = np.random.default_rng(0)
        pairs = np.array(texts.pairs).reshape(-1, 2)
        self.pairs, self.pairs_back = np.delete(pairs, np.s_[::_KEPT_BACK], axis=0), pairs[::_KEPT_BACK]
        self.map = Map(means.shape[1], settings.hidden)
        with torch.no_grad():
            for kind in (0, 1):
                self.map.means[kind] = self.states[self.kinds == kind].mean(0)
            centred = self.states - self.map.means[self.kinds]
            _, turn = torch.linalg.eigh(centred.T @ centred)
            self.map.map.copy_(turn.flip(1))
            self.goal = functional.normalize(centred, dim=-1)

    def _ordered(self, a: Tensor, b: Tensor, goal_a: Tensor, goal_b: Tensor, both: bool) -> Tensor:
        """Row i of a belongs to row i of b; goals are the published network's vectors of the same texts."""
        given, own = self.settings, torch.arange(len(a))
        scores, goal = given.scale * a @ b.T, given.scale * goal_a @ goal_b.T
        weight = given.translations if both else given.own if a.shape[1] <= NARROW else given.own_wide
        out = weight * functional.cross_entropy(scores, own) + divergence(scores, goal)
        if both:
            back = weight * functional.cross_entropy(scores.T, own) + divergence(scores.T, goal.T)
            out = (out + back) / 2
        return out + given.cosines * functional.mse_loss(b @ b.T, goal_b @ goal_b.T)

    def step_loss(self, asked: Ints, homes: Ints, pairs: Ints) -> Tensor:
        """Return the loss of questions (n,), their paragraphs (n,) and translations (m, 2)."""
        rows = torch.from_numpy(np.concatenate([asked, homes, pairs[:, 0], pairs[:, 1]]))
        z = self.map(self.states[rows], self.kinds[rows])
        goal = self.goal[rows]
        n, m = len(asked), len(pairs)
        cut = [slice(0, n), slice(n, 2 * n), slice(2 * n, 2 * n + m), slice(2 * n + m, 2 * n + 2 * m)]
        questions = self.loss((z[cut[0]], z[cut[1]]), goal[cut[0]], goal[cut[1]], False)
        return questions + self.loss((z[cut[2]], z[cut[3]]), goal[cut[2]], goal[cut[3]], True) if m else questions

    def batches(self) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Yield one epoch: every paragraph once with one of its questions, a few of an article side by side."""
        given = self.settings
        groups = []
        for members in self.texts.articles.values():
            some = [at for at in self.chance.permutation(members).tolist() if self.texts.asked[at]]
            groups += [some[at : at + 4] for at in range(0, len(some), 4)]
        order = [at for group in self.chance.permutation(len(groups)).tolist() for at in groups[group]]
        translations = self.chance.permutation(self.pairs)
        size = min(given.paragraphs, len(order))
        for number in range(len(order) // max(1, size)):
            homes: Ints = np.array(order[number * size : (number + 1) * size])
            asked = np.array([self.chance.choice(self.texts.asked[at]) for at in homes.tolist()])
            taken = np.arange(number * given.pairs, (number + 1) * given.pairs) % max(1, len(translations))
            yield asked, homes, translations[taken] if len(translations) else translations

    def train(self) -> Map:
        """Train the map and return it."""
        given = self.settings
        optimiser = torch.optim.Adam(self.map.parameters(), lr=given.rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda at: rate(at, given.steps))
        self.say("as published, turned")
        step = 0
        while step < given.steps:
            for asked, homes, pairs in self.batches():
                optimiser.zero_grad()
                loss = self.step_loss(asked, homes, pairs)
                loss.backward()
                optimiser.step()
                schedule.step()
                step += 1
                if step % 100 == 0:
                    self.say(f"step {step} of {given.steps}, loss {loss.item():.3f}")
                if step == given.steps:
                    break
        return self.map

    def turned(self, turn: Turn) -> Map:
        """Turn the trained map so that its small sizes find more, and return it."""
        with torch.no_grad():
            z = self.map(self.states, self.kinds)
        turn_map(self.map, z, self.texts.asked, self.pairs, turn)
        self.say("turned")
        return self.map

    def say(self, what: str) -> None:
        """Print nDCG@10 of the questions kept back over all paragraphs, by size, and translations found."""
        with torch.no_grad():
            # Over all paragraphs: those that were learnt from are in the way as well.
            homes = np.array([*self.texts.back, *self.texts.asked])
            asked = [(at, place) for place, home in enumerate(self.texts.back) for at in self.texts.back[home]]
            rows = torch.from_numpy(np.concatenate([[at for at, _ in asked], homes]).astype(np.int64))
            z = self.map(self.states[rows], self.kinds[rows])
            right = torch.tensor([place for _, place in asked])
            figures = gains(z[: len(asked)], z[len(asked) :], right)
            a, b = (torch.from_numpy(self.pairs_back[:, side]) for side in (0, 1))
            one, other = (functional.normalize(self.map(self.states[x], self.kinds[x]), dim=-1) for x in (a, b))
            found = float(((one @ other.T).argmax(1) == torch.arange(len(a))).float().mean())
        say(f"{what}: " + " ".join(f"{figure:.3f}" for figure in figures) + f", translations {found:.3f}")


def turn_map(made: Map, z: Tensor, homes: Mapping[int, Sequence[int]], pairs: Ints, turn: Turn) -> None:
    """Turn a map, which keeps every cosine at full width, so that its small sizes find more.

    Args:
        made: the map, changed in place.
        z: (n, d) vectors of all texts by it.
        homes: paragraph → its questions.
        pairs: translations.
        turn: how to train.
    """
    asked = np.array([(at, home) for home, some in homes.items() for at in some], np.int64)
    everyday = np.unique(np.concatenate([np.array(sorted(homes), np.int64), pairs.ravel()]))
    unit = functional.normalize(z, dim=-1).numpy()
    turner = Turner(unit, {"asked": asked, "translations": pairs}, everyday, TURNED, turn)
    matrix = torch.from_numpy(turner.train(say))
    with torch.no_grad():
        made.map.copy_(made.map @ matrix)
        made.outward.copy_(made.outward @ matrix)


def gains(asked: Tensor, found: Tensor, right: Tensor) -> list[float]:
    """Return nDCG@10 of questions (n, d) over texts (m, d) with one right place each (n,), from the widest size on."""
    figures = []
    for dims in reversed(DIMS):
        scores = functional.normalize(asked[:, :dims], dim=-1) @ functional.normalize(found[:, :dims], dim=-1).T
        rank = (scores > scores.gather(1, right[:, None])).sum(1)
        gain = torch.where(rank < 10, 1 / torch.log2(rank + 2.0), torch.zeros(()))
        figures.append(float(gain.mean()))
    return figures


def divergence(scores: Tensor, goal: Tensor) -> Tensor:
    """Return the mean KL divergence of softmaxed rows of scores from those of the goal."""
    return functional.kl_div(
        functional.log_softmax(scores, 1), functional.log_softmax(goal, 1), reduction="batchmean", log_target=True
    )


def rate(at: int, total: int) -> float:
    """Return the share of the rate at a step: up for a twentieth, then down by a cosine."""
    warm = min(1.0, (at + 1) / max(1, total // 20))
    return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, at / max(1, total))))
