"""Train your own model: the built-in one, or another folder, moved towards pairs that should mean the same.

The base is both teacher and starting point. Pairs are pulled together against the other pairs of a batch; over all
texts the cosines of the base are kept, so that what it has learnt is not lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from imi.embedders.builtin import FOLDER, BuiltIn
from imi.errors import DataError, Failure, UsageError
from imi.progress import Progress
from imi.train.batches import Mix, TextBatches
from imi.train.export import Layer, write_model
from imi.train.prepared import Prepared, split_all
from imi.train.student import Student, Weights, loss

PAIRS = 256
OTHERS = 256
# Pairs weigh more than in the built-in recipe, the base's cosines less: the pairs are why one trains.
WEIGHTS = Weights(batch=4.0, inside=0.0, softmax=1.0, pull=0.5, scored=1.0)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that belong together; with a score, how much (any scale, higher is more)."""

    a: str
    b: str
    score: float | None = None


def read_pairs(path: Path) -> list[Pair]:
    """Return the pairs of a file with lines "a TAB b" or "a TAB b TAB score"; empty lines are skipped.

    Raises:
        DataError: lines that are neither (each is named), an unreadable file, or no pair at all.
    """
    pairs, failures = [], []
    for number, line in enumerate(_lines(path), 1):
        cells = line.split("\t")
        if not line.strip():
            continue
        try:
            if len(cells) not in (2, 3) or not cells[0].strip() or not cells[1].strip():
                raise ValueError(f"{len(cells)} columns or an empty text; a line is: a TAB b, or a TAB b TAB score")
            pairs.append(Pair(cells[0], cells[1], float(cells[2]) if len(cells) == 3 else None))
        except ValueError as wrong:
            failures.append(Failure(str(path), number, str(wrong)))
    if failures:
        first = failures[0]
        raise DataError(
            f"{path}: {len(failures)} lines are not pairs, the first is line {first.line}: {first.reason}",
            failures=failures,
        )
    if not pairs:
        raise DataError(f"{path} holds no pairs", hint="one pair a line: a TAB b")
    return pairs


def read_texts(path: Path) -> list[str]:
    """Return the lines of a file that are not empty.

    Raises:
        DataError: the file cannot be read.
    """
    return [line.strip() for line in _lines(path) if line.strip()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as broken:
        raise DataError(f"{path} cannot be read as UTF-8 text: {broken}", hint="name a UTF-8 text file") from broken


def train_own(
    pairs: Sequence[Pair],
    out: Path,
    *,
    texts: Sequence[str] = (),
    base: str | Path = "imi",
    epochs: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> BuiltIn:
    """Train on pairs, write the model folder `out`, and return the model, which `imi.load(out)` gives as well.

    Args:
        pairs: texts that belong together. Those with scores are also put in their order.
        out: a folder to make; one that is there already and holds other things is refused.
        texts: of the field, to keep the base's cosines over; the pairs' own texts are used too.
        base: "imi" (or "built-in") or a model folder.
        epochs: how often each pair is seen.
        seed: of all choices.
        progress: called as progress(done, total) in steps.

    Raises:
        UsageError: no pairs, epochs below 1, or `out` is taken.
    """
    if not pairs or epochs < 1:
        raise UsageError(f"{len(pairs)} pairs and {epochs} epochs: at least one of each is needed")
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]) and not (out / "model.json").exists():
        raise UsageError(f"{out} exists and is not a model folder", hint="give --out a new folder")
    model = BuiltIn(FOLDER if str(base) in ("imi", "built-in") else Path(base))
    ready = _prepare(model, pairs, texts)
    student = Student(model._rows * model._scales[:, None], model._inward.shape[1], seed, model.repeats)
    student.adopt(model._inward, model._bias, model._outward)
    mix = Mix(
        pairs=min(PAIRS, len(pairs)), neighbours=OTHERS, neighbour_size=1, groups=0, scored=min(64, len(ready.scored))
    )
    batches = TextBatches(ready, mix, seed)
    total = epochs * -(-len(pairs) // mix.pairs)
    for step in range(total):
        numbers, batch = batches.next()
        vectors, unique, read = student.forward(*ready.tokens(numbers))
        first = torch.from_numpy(ready.first[numbers].astype(np.float32))
        loss(vectors, first, torch.zeros(len(first), 1), batch, WEIGHTS, 0.0).backward()
        rate = min(1.0, (step + 1) / 20) * (1 - step / total)
        student.step(unique, read, 1e-3 * rate, 5e-4 * rate)
        if progress is not None:
            progress(step + 1, total)
    about = model.info
    inward, bias, outward = (tensor.detach().numpy() for tensor in (student.inward, student.bias, student.outward))
    layer = Layer(inward, bias, outward, student.repeats)
    source = f"imi.train.own from {about.id} ({about.weights})"
    pieces = model.folder / "pieces.model"
    write_model(
        out, out.name, student.rows.numpy(), layer, pieces, dims=about.dims, licence=about.licence, source=source
    )
    return BuiltIn(out)


def _prepare(model: BuiltIn, pairs: Sequence[Pair], texts: Sequence[str]) -> Prepared:
    unique = list(dict.fromkeys([text for pair in pairs for text in (pair.a, pair.b)] + list(texts)))
    number = {text: at for at, text in enumerate(unique)}
    ids, offsets = split_all(model._pieces, unique)
    together = np.array([[number[pair.a], number[pair.b]] for pair in pairs], np.int64)
    scored = np.array([pair.score is not None for pair in pairs])
    scores = np.array([pair.score or 0.0 for pair in pairs], np.float32)
    # A scored pair is a partner only in the upper half of the scale; its order counts everywhere.
    partners = ~scored | (scores >= np.median(scores[scored]) if scored.any() else False)
    return Prepared(
        ids=ids,
        offsets=offsets,
        first=model.embed(unique).astype(np.float16),
        second=np.zeros((len(unique), 1), np.float16),
        pairs={"translation": together[partners & (together[:, 0] != together[:, 1])]},
        groups=np.zeros((0, 5), np.int64),
        neighbours=np.arange(len(unique)),
        cluster_starts=np.arange(len(unique) + 1),
        scored=together[scored],
        scores=scores[scored] / max(float(np.ptp(scores[scored])), 1e-6) * 5 if scored.any() else scores[scored],
    )
