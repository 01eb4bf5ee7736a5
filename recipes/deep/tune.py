"""Train the last layers and the map together, at all sizes at once, from kept states of the layers below.

Four things are learnt in every step. A question is nearest to its paragraph among those of the batch, which are near
one another, and those of the last steps. Translations are nearest to each other. Captions lie as people scored them.
And so that nothing else is forgotten, batches are ordered, and everyday sentences lie, as they did before (a KL
divergence, and squared differences of cosines). In the end the weights go only part of the way from where they began.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imi.embedders.deep import batched
from imi.embedders.pieces import threads
from imi.train.losses import MatryoshkaLoss
from recipes.deep.learn import DIMS, Map, divergence, gains, rate, turn_map
from recipes.deep.states import Seen
from recipes.deep.tail import Tail
from recipes.deep.texts import Texts
from recipes.progress import say
from recipes.turning import Turn

Ints = NDArray[np.int64]
_KEPT_BACK = 16
_BATCH_TOKENS = 8192
_CLIPPED = 5.0
_WATCHED = 1_200
"""Paragraphs that were learnt from among which questions kept back look for theirs."""


@dataclass(frozen=True)
class Settings:
    """What was chosen on the articles kept back."""

    first: int = 8  # layers that stay as they are
    steps: int = 300  # of the schedule of the rate
    stop: int = 150  # it ends here: the second half learns paragraphs by heart, and finds those kept back less often
    groups: int = 10  # of paragraphs that are near one another
    near: int = 4  # paragraphs in each
    questions: int = 2  # of a paragraph
    pairs: int = 48
    everyday: int = 64
    alike: int = 32
    bank: int = 1_000  # paragraphs of the last steps that are in the way as well
    rate: float = 8e-5
    map_rate: float = 1e-4
    scale: float = 20.0
    own: float = 1.0  # weight of the softmax over true pairs
    order: float = 0.5  # of the order that there was before
    translations: float = 0.6
    cosines: float = 30.0
    scored: float = 0.1  # of captions as people scored them
    weights: tuple[float, ...] = (0.3, 1.2, 1.2, 0.7, 2.0)  # of the sizes
    share: float = 0.7  # of the way from where it began, in the end: what it was not taught falls less
    every: int = 50  # steps after which it is measured and kept
    seed: int = 0


FEW = Settings(steps=3, stop=3, groups=3, pairs=16, everyday=16, alike=16)
"""To see that it runs."""


@dataclass(frozen=True)
class Batch:
    """Numbers of texts: questions with the place of each one's paragraph, paragraphs, translations, the rest."""

    asked: Ints
    home: Ints
    paragraphs: Ints
    pairs: Ints  # (m, 2)
    everyday: Ints
    alike: Ints  # places in Texts.alike

    def rows(self, texts: Texts) -> list[Ints]:
        """Return the numbers of all texts, part by part."""
        scored = np.array([texts.alike[at][:2] for at in self.alike.tolist()], np.int64).reshape(-1, 2)
        pairs = [self.pairs[:, 0], self.pairs[:, 1], scored[:, 0], scored[:, 1]]
        return [self.asked, self.paragraphs, *pairs, self.everyday]


class Tuner:
    """Trains one tail and one map."""

    def __init__(self, seen: Seen, texts: Texts, tail: Tail, start: Map, settings: Settings) -> None:
        self.seen, self.texts, self.tail, self.map, self.settings = seen, texts, tail, start, settings
        self.began = [one.detach().clone() for one in self._weights()]
        self.kinds = torch.tensor([int(query) for query in texts.queries])
        self.lengths = np.diff(seen.offsets)
        pairs = np.array(texts.pairs, np.int64).reshape(-1, 2)
        self.pairs, self.pairs_back = np.delete(pairs, np.s_[::_KEPT_BACK], axis=0), pairs[::_KEPT_BACK]
        self.homes = np.array([at for at, some in texts.asked.items() if some], np.int64)
        self.everyday = np.array(texts.everyday, np.int64)
        self.pool = ThreadPoolExecutor(threads())
        self.sizes = [MatryoshkaLoss(of, DIMS, settings.weights) for of in (self._found, self._matched, self._alike)]
        with torch.no_grad():
            states = functional.normalize(torch.from_numpy(seen.means), dim=-1)
            self.goal = functional.normalize(start(states, self.kinds), dim=-1)
            self.beside = self._nearest(self.goal[torch.from_numpy(self.homes)])
        self.bank = torch.zeros(0, start.map.shape[1]), torch.zeros(0, dtype=torch.int64)

    def _weights(self) -> list[Tensor]:
        return [*self.tail.parameters(), *self.map.parameters()]

    def mix(self, share: float) -> None:
        """Take this share of the way from where it began to where it is, in the tail and in the map."""
        with torch.no_grad():
            for old, new in zip(self.began, self._weights(), strict=True):
                new.copy_(torch.lerp(old, new, share))

    @staticmethod
    def _nearest(z: Tensor, depth: int = 24) -> Ints:
        depth = min(depth, len(z))
        found: Ints = torch.cat([(part @ z.T).topk(depth).indices for part in z.split(1024)]).numpy()
        return found

    def _part(self, rows: Ints) -> Tensor:
        length = int(self.lengths[rows].max())
        x = torch.zeros(len(rows), length, self.seen.states.shape[1])
        there = torch.zeros(len(rows), length, dtype=torch.bool)
        for at, row in enumerate(rows.tolist()):
            a, b = self.seen.offsets[row], self.seen.offsets[row + 1]
            x[at, : b - a] = torch.from_numpy(np.asarray(self.seen.states[a:b], np.float32))
            there[at, : b - a] = True
        with torch.autocast("cpu", torch.bfloat16):
            out: Tensor = self.tail(x, there)
        return out.float()

    def _parts(self, rows: Ints) -> tuple[list[Tensor], Ints]:
        """Run texts through the tail on all cores: means part by part, and the place of each text in them."""
        batches = list(batched(self.lengths[rows].tolist(), _BATCH_TOKENS))
        made = list(self.pool.map(self._part, [rows[batch] for batch in batches]))
        return made, np.argsort(np.concatenate(batches))

    def states(self, rows: Ints) -> Tensor:
        """Run texts through the tail: (n, d) means, not to be trained through."""
        if not len(rows):
            return torch.zeros(0, self.seen.states.shape[1])
        with torch.no_grad():
            made, place = self._parts(rows)
            return torch.cat(made)[torch.from_numpy(place)]

    def learn(self, batch: Batch) -> float:
        """Put the gradients of a batch into tail and map; return its loss.

        The loss needs all texts at once, the tail none but its own: so the gradient goes to the means first, and from
        there into the tail part by part, on all cores.
        """
        rows = np.concatenate(batch.rows(self.texts))
        made, place = self._parts(rows)
        means = torch.cat([part.detach() for part in made])[torch.from_numpy(place)].requires_grad_()
        loss = self.loss(batch, means)
        loss.backward()
        if means.grad is None:
            raise ValueError("the loss of a batch does not depend on its texts")
        back = means.grad[torch.from_numpy(np.argsort(place))].split([len(part) for part in made])
        weights = list(self.tail.parameters())
        # In the order of the parts, so that sums are the same on any number of cores.
        for grads in self.pool.map(
            lambda pair: torch.autograd.grad(pair[0], weights, pair[1]), zip(made, back, strict=True)
        ):
            for weight, grad in zip(weights, grads, strict=True):
                weight.grad = grad if weight.grad is None else weight.grad.add_(grad)
        return float(loss.detach())

    def vectors(self, rows: Ints, means: Tensor | None = None) -> Tensor:
        """Return the vectors of texts, not yet unit rows, of their means where these are known."""
        means = self.states(rows) if means is None else means
        return self.map(functional.normalize(means, dim=-1), self.kinds[torch.from_numpy(rows)])

    def _found(self, asked: Tensor, found: Tensor, goal: Tensor, home: Tensor, same: Tensor) -> Tensor:
        given = self.settings
        scores = (given.scale * asked @ found.T).masked_fill(same, -1e4)
        return given.own * functional.cross_entropy(scores, home) + given.order * divergence(scores, goal)

    def _matched(self, a: Tensor, b: Tensor, goal: Tensor, same: Tensor) -> Tensor:
        given, own = self.settings, torch.arange(len(a))
        scores = (given.scale * a @ b.T).masked_fill(same, -1e4)
        true = functional.cross_entropy(scores, own) + functional.cross_entropy(scores.T, own)
        return given.translations * (true + divergence(scores, goal) * given.order)

    def _alike(self, a: Tensor, b: Tensor, c: Tensor, cosines: Tensor, scored: Tensor) -> Tensor:
        given, all_texts = self.settings, torch.cat([a, b, c])
        kept = given.cosines * functional.mse_loss(all_texts @ all_texts.T, cosines)
        cosine = given.scale * (a * b).sum(1)
        wrong = (cosine[None, :] - cosine[:, None])[scored[:, None] > scored[None, :]]
        return kept + given.scored * torch.logsumexp(torch.cat([torch.zeros(1), wrong]), 0)

    def loss(self, batch: Batch, means: Tensor | None = None) -> Tensor:
        """Return the loss of a batch, and put its paragraphs into the bank."""
        given, parts = self.settings, batch.rows(self.texts)
        rows = np.concatenate(parts)
        z = self.vectors(rows, means).split([len(part) for part in parts])
        goal = self.goal[torch.from_numpy(rows)].split([len(part) for part in parts])
        held, numbers = self.bank
        found = torch.cat([z[1], held])
        listed = torch.cat([torch.from_numpy(batch.paragraphs), numbers])
        home = torch.from_numpy(batch.home)
        same = listed[None, :] == torch.from_numpy(batch.paragraphs)[home][:, None]
        same[torch.arange(len(home)), home] = False
        aim = (given.scale * goal[0] @ self.goal[listed].T).masked_fill(same, -1e4)
        total = self.sizes[0]((z[0], found), aim, home, same)
        if len(batch.pairs):
            # A text that stands twice in a batch does not compete with itself.
            alike = goal[3] @ goal[3].T > 1 - 1e-4
            same = alike & ~torch.eye(len(alike), dtype=torch.bool)
            aim = (given.scale * goal[2] @ goal[3].T).masked_fill(same, -1e4)
            total = total + self.sizes[1]((z[2], z[3]), aim, same)
        if len(batch.alike):
            scored = torch.tensor([self.texts.alike[at][2] for at in batch.alike.tolist()])
            whole = torch.cat(goal[4:])
            total = total + self.sizes[2](z[4:], whole @ whole.T, scored)
        self.bank = (
            torch.cat([z[1].detach(), held])[: given.bank],
            torch.cat([torch.from_numpy(batch.paragraphs), numbers])[: given.bank],
        )
        return total

    def batches(self) -> Iterator[Batch]:
        """Yield batches without end, always the same ones; each epoch has every paragraph once, near ones together."""
        given = self.settings
        for epoch in count():
            chance = np.random.default_rng((given.seed, epoch))
            groups = self._groups(chance)
            order = chance.permutation(len(groups)).tolist()
            for first in range(0, max(1, len(order) - given.groups + 1), given.groups):
                paragraphs = np.concatenate([groups[at] for at in order[first : first + given.groups]])
                asked = [_some(chance, self.texts.asked[at], given.questions) for at in paragraphs.tolist()]
                home = np.repeat(np.arange(len(paragraphs)), [len(some) for some in asked])
                pairs = self.pairs[_some(chance, np.arange(len(self.pairs)), given.pairs)]
                everyday = _some(chance, self.everyday, given.everyday)
                alike = _some(chance, np.arange(len(self.texts.alike)), given.alike)
                yield Batch(np.concatenate(asked), home, paragraphs, pairs, everyday, alike)

    def _groups(self, chance: np.random.Generator) -> list[Ints]:
        free, groups = np.ones(len(self.homes), bool), []
        for at in chance.permutation(len(self.homes)).tolist():
            if free[at]:
                own = [at, *(to for to in self.beside[at].tolist() if free[to] and to != at)][: self.settings.near]
                free[own] = False
                groups.append(self.homes[own])
        return groups

    def train(self, kept: Path) -> None:
        """Train, and go back part of the way.

        Args:
            kept: the file from which it goes on after an interruption; what other settings left there is not taken.
        """
        given = self.settings
        groups = [{"params": self.tail.parameters()}, {"params": self.map.parameters(), "lr": given.map_rate}]
        optimiser = torch.optim.AdamW(groups, lr=given.rate, betas=(0.9, 0.98), weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda at: rate(at, given.steps))
        parts = {"tail": self.tail, "map": self.map, "optimiser": optimiser, "schedule": schedule}
        step, total = 0, 0.0
        if kept.is_file():
            saved = torch.load(kept)
            if saved.get("settings") == asdict(given):
                step, self.bank = saved["step"], saved["bank"]
                for name, part in parts.items():
                    part.load_state_dict(saved[name])
            else:
                say(f"{kept} is of other settings: from the beginning")
        self.say(f"begins at step {step}")
        for at, batch in enumerate(self.batches()):
            if step == given.stop:
                break
            if at < step:
                continue
            optimiser.zero_grad()
            loss = self.learn(batch)
            torch.nn.utils.clip_grad_norm_(self.tail.parameters(), _CLIPPED)
            optimiser.step()
            schedule.step()
            step, total = step + 1, total + loss
            if step % 10 == 0:
                say(f"step {step} of {given.steps}, loss {total / 10:.3f}")
                total = 0.0
            if step % given.every == 0 or step == given.stop:
                state = {name: part.state_dict() for name, part in parts.items()}
                torch.save({"step": step, "bank": self.bank, "settings": asdict(given), **state}, kept)
                self.say(f"step {step}")
        self.mix(given.share)

    def turned(self, turn: Turn) -> Map:
        """Turn the map once more for its small sizes, and return it."""
        with torch.no_grad():
            z = torch.cat([self.vectors(part) for part in np.array_split(np.arange(len(self.kinds)), 200)])
        turn_map(self.map, z, self.texts.asked, self.pairs, turn)
        self.say("turned")
        return self.map

    def say(self, what: str) -> None:
        """Print nDCG@10 of the questions kept back, by size, and translations found."""
        more = np.random.default_rng(1).permutation(np.array(list(self.texts.asked)))[:_WATCHED]
        homes = np.array([*self.texts.back, *more.tolist()], np.int64)
        asked = [(at, place) for place, home in enumerate(self.texts.back) for at in self.texts.back[home]]
        with torch.no_grad():
            questions = self.vectors(np.array([at for at, _ in asked], np.int64))
            figures = gains(
                questions, self.vectors(homes), torch.tensor([place for _, place in asked], dtype=torch.int64)
            )
            one, other = (functional.normalize(self.vectors(self.pairs_back[:, side]), dim=-1) for side in (0, 1))
        found = float(((one @ other.T).argmax(1) == torch.arange(len(one))).float().mean())
        say(f"{what}: " + " ".join(f"{figure:.3f}" for figure in figures) + f", translations {found:.3f}")


def _some(chance: np.random.Generator, of: Ints | Sequence[int], most: int) -> Ints:
    return np.asarray(chance.choice(of, min(most, len(of)), replace=False), np.int64)
