"""Train the last layers and the map that makes the vectors Matryoshka.

Begins at the published network, the mean of each kind of text taken off, turned by the eigenvectors of the covariance.
Every prefix then learns three things at once: that a question is nearest to its paragraph among those of the batch,
whole articles of them; that translations are nearest to each other; and, so that nothing else is forgotten, to order
the batch as the published network does at its full width (a KL divergence between softmaxed rows of cosines).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from imi.train.losses import MatryoshkaLoss
from recipes.deep.states import States, say
from recipes.deep.texts import Texts

Ints = NDArray[np.int64]
DIMS = (32, 64, 128, 256, 384)
PARTS = ("q", "k", "v", "ao", "fi", "fo")


@dataclass(frozen=True)
class Settings:
    """What was chosen on the articles kept back."""

    epochs: int = 3
    paragraphs: int = 48
    pairs: int = 48
    rate: float = 1e-4
    map_rate: float = 3e-4
    scale: float = 20.0
    own: float = 0.5  # weight of the softmax over the pairs, beside 1 for the published network's order
    cosines: float = 5.0  # weight of the squared difference of cosines between documents
    map_steps: int = 400
    map_batch: int = 1024


class Layer(nn.Module):
    """One layer of BERT."""

    def __init__(self, tensors: dict[str, NDArray[np.float32]], layer: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        for part in PARTS:
            weight, bias = tensors[f"l{layer}.{part}.w"], tensors[f"l{layer}.{part}.b"]
            dense = nn.Linear(weight.shape[1], weight.shape[0])
            dense.weight.data, dense.bias.data = torch.from_numpy(weight.copy()), torch.from_numpy(bias.copy())
            setattr(self, part, dense)
        for part in ("aln", "oln"):
            norm = nn.LayerNorm(len(tensors[f"l{layer}.{part}.w"]), eps=1e-12)
            norm.weight.data = torch.from_numpy(tensors[f"l{layer}.{part}.w"].copy())
            norm.bias.data = torch.from_numpy(tensors[f"l{layer}.{part}.b"].copy())
            setattr(self, part, norm)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(n, t, d) states and (n, 1, 1, t) bool → states."""
        n, t, d = x.shape
        q, k, v = (getattr(self, part)(x).view(n, t, self.heads, -1).transpose(1, 2) for part in "qkv")
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(n, t, d)
        x = self.aln(x + self.ao(seen))
        return self.oln(x + self.fo(functional.gelu(self.fi(x))))


class Network(nn.Module):
    """The layers that are trained, the mean over tokens, and the map."""

    def __init__(
        self, tensors: dict[str, NDArray[np.float32]], first: int, layers: int, heads: int, width: int
    ) -> None:
        super().__init__()
        self.first = first
        self.layers = nn.ModuleList(Layer(tensors, layer, heads) for layer in range(first, layers))
        self.means = nn.Parameter(torch.zeros(2, width))  # of documents, of queries
        self.map = nn.Parameter(torch.eye(width))

    def states(self, x: Tensor, mask: Tensor) -> Tensor:
        """(n, t, d) and (n, t) → unit means (n, d)."""
        seen = mask.bool()[:, None, None, :]
        with torch.autocast("cpu", torch.bfloat16):
            for layer in self.layers:
                x = layer(x, seen)
        kept = x.float() * mask[..., None]
        return functional.normalize(kept.sum(1) / mask.sum(1, keepdim=True), dim=-1)

    def turned(self, states: Tensor, queries: Tensor) -> Tensor:
        """Unit means (n, d) and their kinds (n,) → vectors (n, d), not yet unit rows."""
        return (states - self.means[queries]) @ self.map

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return the trained layers as `source.read` names them."""
        out = {}
        for at, layer in enumerate(self.layers):
            for part in (*PARTS, "aln", "oln"):
                module = getattr(layer, part)
                out[f"l{self.first + at}.{part}.w"] = module.weight.detach().numpy()
                out[f"l{self.first + at}.{part}.b"] = module.bias.detach().numpy()
        return out


class Trainer:
    """Trains one network on the states of texts."""

    def __init__(self, network: Network, states: States, texts: Texts, settings: Settings) -> None:
        self.network, self.store, self.texts, self.settings = network, states, texts, settings
        self.kinds = torch.tensor([int(query) for query in texts.queries])
        self.loss = MatryoshkaLoss(self._ordered, DIMS)
        self.chance = np.random.default_rng(0)
        self.published = self.all_states()
        self._begin()

    def read(self, texts: Ints) -> Tensor:
        """Return the unit means of some texts, (n, d), in sub-batches of like length."""
        lengths = self.store.offsets[texts + 1] - self.store.offsets[texts]
        order = np.argsort(lengths, kind="stable")
        parts = []
        for rows in np.array_split(order, max(1, len(order) // 24)):
            states, mask = self.store.of(texts[rows])
            parts.append(self.network.states(torch.from_numpy(states), torch.from_numpy(mask)))
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return torch.cat(parts)[torch.from_numpy(back)]

    def all_states(self) -> Tensor:
        """Return the unit means of all texts by the network as it is now."""
        with torch.no_grad():
            whole = np.arange(len(self.texts.texts))
            order = np.argsort(np.diff(self.store.offsets), kind="stable")
            out = torch.empty(len(whole), self.network.map.shape[0])
            for rows in np.array_split(order, max(1, len(order) // 96)):
                out[torch.from_numpy(rows)] = self.read(rows)
        return out

    def _begin(self) -> None:
        """Take the means off and turn by the eigenvectors of the covariance."""
        with torch.no_grad():
            for kind in (0, 1):
                self.network.means[kind] = self.published[self.kinds == kind].mean(0)
            centred = self.published - self.network.means[self.kinds]
            _, turn = torch.linalg.eigh(centred.T @ centred)
            self.network.map.copy_(turn.flip(1))
            self.goal = functional.normalize(centred, dim=-1)

    def _ordered(self, a: Tensor, b: Tensor, goal_a: Tensor, goal_b: Tensor, both: bool) -> Tensor:
        """Row i of a belongs to row i of b; goals are the published network's vectors of the same texts."""
        scale, own = self.settings.scale, torch.arange(len(a))
        scores, goal = scale * a @ b.T, scale * goal_a @ goal_b.T
        out = self.settings.own * functional.cross_entropy(scores, own) + _divergence(scores, goal)
        if both:
            out = (
                out + self.settings.own * functional.cross_entropy(scores.T, own) + _divergence(scores.T, goal.T)
            ) / 2
        return out + self.settings.cosines * functional.mse_loss(b @ b.T, goal_b @ goal_b.T)

    def step_loss(self, states: Tensor, asked: Ints, homes: Ints, pairs: Ints) -> Tensor:
        """Return the loss of questions (n,), their paragraphs (n,) and translations (m, 2); states in that order."""
        rows = torch.from_numpy(np.concatenate([asked, homes, pairs[:, 0], pairs[:, 1]]))
        z = self.network.turned(states, self.kinds[rows])
        n, m = len(asked), len(pairs)
        cuts = [z[:n], z[n : 2 * n], z[2 * n : 2 * n + m], z[2 * n + m :]]
        goals = [self.goal[rows][a:b] for a, b in ((0, n), (n, 2 * n), (2 * n, 2 * n + m), (2 * n + m, 2 * n + 2 * m))]
        questions = self.loss((cuts[0], cuts[1]), goals[0], goals[1], False)
        if not m:
            return questions
        return questions + self.loss((cuts[2], cuts[3]), goals[2], goals[3], True)

    def batches(self, paragraphs: int, pairs: int) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Yield one epoch: every paragraph once with one of its questions, a few of an article side by side."""
        groups = []
        for members in self.texts.articles.values():
            some = [at for at in self.chance.permutation(members).tolist() if self.texts.asked[at]]
            groups += [some[at : at + 4] for at in range(0, len(some), 4)]
        order = [at for group in self.chance.permutation(len(groups)).tolist() for at in groups[group]]
        translations = self.chance.permutation(np.array(self.texts.pairs).reshape(-1, 2))
        for number in range(max(1, len(order) // paragraphs)):
            homes: Ints = np.array(order[number * paragraphs : (number + 1) * paragraphs])
            asked = np.array([self.chance.choice(self.texts.asked[at]) for at in homes.tolist()])
            taken = np.arange(number * pairs, (number + 1) * pairs) % max(1, len(translations))
            yield asked, homes, translations[taken] if len(translations) else translations

    def train(self) -> None:
        """Train layers and map together, then the map alone over many more paragraphs at once."""
        given = self.settings
        layers = [one for name, one in self.network.named_parameters() if name.startswith("layers")]
        rates = [(layers, given.rate), ([self.network.map, self.network.means], given.map_rate)]
        optimiser = torch.optim.AdamW([{"params": p, "lr": rate} for p, rate in rates], weight_decay=0.01)
        total = given.epochs * sum(1 for _ in self.batches(given.paragraphs, given.pairs))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda at: _rate(at, total))
        self.say("as published, turned")
        began, step = time.time(), 0
        for _ in range(given.epochs):
            for asked, homes, pairs in self.batches(given.paragraphs, given.pairs):
                parts = (asked, homes, pairs[:, 0], pairs[:, 1])
                states = torch.cat([self.read(part) for part in parts if len(part)])
                self._update(self.step_loss(states, asked, homes, pairs), optimiser, schedule)
                step += 1
                if step % 100 == 0:
                    self.say(f"step {step} of {total}, {time.time() - began:.0f} s")
        self.train_map()

    def train_map(self) -> None:
        """Train the map and the means alone, on states read once."""
        given, known = self.settings, self.all_states()
        optimiser = torch.optim.Adam([self.network.map, self.network.means], lr=given.map_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda at: _rate(at, given.map_steps))
        step = 0
        while step < given.map_steps:
            for asked, homes, pairs in self.batches(min(given.map_batch, len(self.texts.asked)), given.map_batch):
                if step == given.map_steps:
                    break
                rows = np.concatenate([asked, homes, pairs[:, 0], pairs[:, 1]])
                loss = self.step_loss(known[torch.from_numpy(rows)], asked, homes, pairs)
                self._update(loss, optimiser, schedule)
                step += 1
        self.say("the map alone", known)

    def _update(
        self, loss: Tensor, optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LambdaLR
    ) -> None:
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        optimiser.step()
        schedule.step()

    def say(self, what: str, known: Tensor | None = None) -> None:
        """Print nDCG@10 of the questions kept back over their paragraphs and all of one part more."""
        with torch.no_grad():
            homes = np.array(list(self.texts.back))
            asked = [(at, place) for place, home in enumerate(homes) for at in self.texts.back[int(home)]]
            rows = np.concatenate([[at for at, _ in asked], homes]).astype(np.int64)
            states = self.read(rows) if known is None else known[torch.from_numpy(rows)]
            z = self.network.turned(states, self.kinds[torch.from_numpy(rows)])
            right = torch.tensor([place for _, place in asked])
            figures = []
            for dims in reversed(DIMS):
                cut = functional.normalize(z[:, :dims], dim=-1)
                scores = cut[: len(asked)] @ cut[len(asked) :].T
                rank = (scores > scores.gather(1, right[:, None])).sum(1)
                gain = torch.where(rank < 10, 1 / torch.log2(rank + 2.0), torch.zeros(()))
                figures.append(float(gain.mean()))
        say(f"{what}: " + " ".join(f"{figure:.3f}" for figure in figures))


def _divergence(scores: Tensor, goal: Tensor) -> Tensor:
    return functional.kl_div(
        functional.log_softmax(scores, 1), functional.log_softmax(goal, 1), reduction="batchmean", log_target=True
    )


def _rate(at: int, total: int) -> float:
    warm = min(1.0, (at + 1) / max(1, total // 20))
    return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, at / max(1, total))))
