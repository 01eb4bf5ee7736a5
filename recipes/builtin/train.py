"""Make the built-in model: read public data, ask the teachers, train, write the folder.

    python -m recipes.builtin.train --data FOLDER

Every stage leaves its result in the work folder and is skipped when that is there, so that a run that was stopped
goes on. Nothing is downloaded. Seeded: the same data, packages and number of threads give the same model.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from imi.embedders.builtin import FOLDER
from imi.embedders.pieces import Pieces
from imi.evaluate import splits
from imi.train import prepared
from imi.train.batches import Mix, TextBatches
from imi.train.export import write_model
from imi.train.prepared import PAIR_KINDS, Prepared
from imi.train.student import DIMS, Student, Weights, loss
from imi.types import Floats
from recipes.builtin import emoji, initial, perturb, readings, sources, spellings, vocabulary
from recipes.builtin.corpus import Corpus
from recipes.builtin.lessons import layer_of
from recipes.builtin.prune import prune
from recipes.builtin.teachers import english_teacher, first_teacher
from recipes.progress import Say, say

MODELS = FOLDER.parent
LICENCE = "Apache-2.0 (code); weights CC BY-SA 4.0, attribution in card.md"
SOURCE = "recipes.builtin.train"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run may change; the defaults make the model that the package ships."""

    steps: int = 12_000
    hidden: int = 512
    kept_units: int = 192
    middle: float = 0.4
    last_share: float = 0.65
    row_rate: float = 1.5e-3
    layer_rate: float = 1e-3
    warmup: int = 200
    second_share: float = 0.5
    group_share: float = 0.6
    seed: int = 0
    pieces: int = vocabulary.SIZE
    part: int = 1  # one text in so many is read
    emoji_steps: int = 120


FEW_PIECES = 9_000
"""Of a vocabulary that so few texts can fill: emoji, bytes and characters are most of it."""


def gather(data: Path, work: Path, recipe: Recipe, say: Say) -> tuple[Corpus, list[tuple[str, ...]]]:
    """Read the sources and make the groups of small differences (kept in the work folder)."""
    corpus = sources.read_all(data)
    if recipe.part > 1:
        corpus = corpus.thinned(recipe.part)
    say(
        f"{len(corpus.texts):,} texts, "
        + ", ".join(f"{len(pairs):,} {kind} pairs" for kind, pairs in corpus.pairs.items())
    )
    kept = work / "groups.json"
    if not kept.exists():
        kept.write_text(
            json.dumps(perturb.groups(corpus, data, seed=recipe.seed, share=recipe.group_share), ensure_ascii=False)
        )
    groups = [tuple(group) for group in json.loads(kept.read_text())]
    say(f"{len(groups):,} groups")
    return corpus, groups


def prepare(data: Path, work: Path, recipe: Recipe, say: Say) -> tuple[Prepared, Floats, Path]:
    """Return all a run reads, the rows to start from, and the vocabulary's file."""
    corpus, groups = gather(data, work, recipe, say)
    symbols = [text for text, language in zip(corpus.texts, corpus.languages, strict=True) if language == "emoji"]
    symbols += [one.char for one in splits.emoji(data).dev]
    vocabulary_file = work / "pieces.model"
    if not vocabulary_file.exists():
        say("training the vocabulary")
        partial = vocabulary_file.with_suffix(".partial")
        vocabulary.train(corpus.texts, symbols, partial, size=recipe.pieces, seed=recipe.seed)
        rare = vocabulary.rare_words(corpus.texts, Pieces(partial))
        kana = readings.whole_readings(data, corpus.texts, Pieces(partial))
        whole = vocabulary.keep_whole(partial, [*spellings.variants(), *rare, *kana])
        say(f"{whole:,} spellings, rare words and readings kept whole")
        (work / "readings.json").write_text(json.dumps(kana, ensure_ascii=False))
        partial.rename(vocabulary_file)
    versions = list(dict.fromkeys(text for group in groups for text in group))
    number = {text: len(corpus.texts) + at for at, text in enumerate(versions)}
    texts = [*corpus.texts, *versions]
    teacher = first_teacher(work / "teachers")
    first = teacher.vectors(texts, lambda done, total: say(f"first teacher: {done:,} of {total:,} texts"))
    initial.substitute(first, corpus)
    kept = work / "rotation.npy"
    if not kept.exists():
        # Eigenvectors have no sign of their own: a state trained towards one rotation is useless under another.
        np.save(kept, initial.rotation(first[: len(corpus.texts)], seed=recipe.seed).astype(np.float16))
    turn = np.load(kept).astype(np.float32)
    for start in range(0, len(first), 65_536):
        first[start : start + 65_536] = first[start : start + 65_536].astype(np.float32) @ turn
    pieces = Pieces(vocabulary_file)
    ids, offsets = prepared.split_all(pieces, texts)
    say(f"{len(ids):,} pieces in {len(texts):,} texts; clustering")
    neighbours, starts = initial.clusters(first[: len(corpus.texts)], seed=recipe.seed)
    rows = initial.start_rows(
        ids[: offsets[len(corpus.texts)]], offsets[: len(corpus.texts) + 1], first[: len(corpus.texts)], pieces.size
    )
    known = {text: at for at, text in enumerate(corpus.texts)}
    scored = [(known.get(one.a), known.get(one.b), one.score) for one in splits.jsts(data).train]
    taken = [one for one in scored if one[0] is not None and one[1] is not None]
    ready = Prepared(
        ids=ids,
        offsets=offsets,
        first=first,
        second=_second(corpus, versions, work, recipe, say),
        pairs={kind: corpus.pair_array(kind) for kind in PAIR_KINDS},
        groups=np.array([[number[text] for text in group] for group in groups], np.int64).reshape(
            -1, perturb.VERSIONS + 1
        ),
        neighbours=neighbours,
        cluster_starts=starts,
        scored=np.array([one[:2] for one in taken], np.int64).reshape(-1, 2),
        scores=np.array([one[2] for one in taken], np.float32),
    )
    return ready, rows, vocabulary_file


def _second(corpus: Corpus, versions: list[str], work: Path, recipe: Recipe, say: Say) -> prepared.Halves:
    """Return the English teacher's vectors: of a Japanese text those of its translation."""
    second = np.zeros((len(corpus.texts) + len(versions), 384), np.float16)
    if not recipe.second_share:
        return second
    everyday = {"JMdict", "Sudachi synonym dictionary"}
    chosen = [
        at
        for at, (text, language, origin) in enumerate(zip(corpus.texts, corpus.languages, corpus.origins, strict=True))
        if language == "en" and origin not in everyday and len(text) < 600
    ]
    numbers = [*chosen, *(len(corpus.texts) + at for at, text in enumerate(versions) if text.isascii())]
    texts = [*corpus.texts, *versions]
    teacher = english_teacher(work / "teachers")
    second[numbers] = teacher.vectors(
        [texts[at] for at in numbers], lambda done, total: say(f"second teacher: {done:,} of {total:,} texts")
    )
    for a, b in corpus.pair_array("translation").tolist():
        if not second[b].any():
            second[b] = second[a]
    return second


def train(ready: Prepared, rows: Floats, work: Path, recipe: Recipe, say: Say) -> Student:
    """Train for `recipe.steps` batches, saving the state every 500; a saved state is gone on from."""
    student = Student(rows, recipe.hidden, recipe.seed)
    saved = work / "state.pt"
    if saved.exists():
        student.resume(torch.load(saved, weights_only=True))
        say(f"going on from step {student.steps:,}")
    batches = TextBatches(ready, Mix(), recipe.seed + student.steps)
    began, total = time.monotonic(), 0.0
    while student.steps < recipe.steps:
        texts, batch = batches.next()
        out, numbers, read = student.forward(*ready.tokens(texts))
        first = torch.from_numpy(ready.first[texts].astype(np.float32))
        second = torch.from_numpy(ready.second[texts].astype(np.float32))
        value = loss(out, first, second, batch, Weights(), recipe.second_share)
        value.backward()
        rate = min(1.0, (student.steps + 1) / recipe.warmup) * (1 - student.steps / recipe.steps)
        student.step(numbers, read, recipe.row_rate * rate, recipe.layer_rate * rate)
        total += value.item()
        if student.steps % 100 == 0:
            say(f"step {student.steps:,} of {recipe.steps:,}: loss {total / 100:.4f}, {time.monotonic() - began:.0f} s")
            total = 0.0
        for due, file in (
            (student.steps == round(recipe.middle * recipe.steps), work / "middle.pt"),
            (student.steps % 500 == 0 or student.steps == recipe.steps, saved),
        ):
            if due:
                partial = file.with_suffix(".partial")
                torch.save(student.state(), partial)
                partial.rename(file)
    return student


def average(student: Student, work: Path, recipe: Recipe) -> None:
    """Move the trained weights a part of the way back to those of the middle of the run, in place.

    The mean of two points of one run does as well on what it was trained on and better on what it was not.
    """
    middle = torch.load(work / "middle.pt", weights_only=True)
    student.rows = torch.lerp(middle["rows"], student.rows, recipe.last_share)
    last = (student.inward, student.bias, student.outward)
    both = zip(middle["layer"], last, strict=True)
    student.adopt(*(torch.lerp(a, b.detach(), recipe.last_share).numpy() for a, b in both))


def narrow(student: Student, ready: Prepared, recipe: Recipe, say: Say) -> Student:
    """Return the student with `kept_units` hidden units, fitted on short texts of translations."""
    texts = np.unique(ready.pairs["translation"])
    texts = texts[np.diff(ready.offsets)[texts] <= 24]
    texts = np.sort(np.random.default_rng(recipe.seed).permutation(texts)[:12_000])
    ids, starts = ready.tokens(texts)
    few, lost = prune(layer_of(student), student.units(ids, starts), recipe.kept_units)
    say(f"{recipe.kept_units} hidden units do all but {lost:.1%} of the work of {recipe.hidden}")
    small = Student(student.rows.numpy(), recipe.kept_units)
    small.adopt(few.inward, few.bias, few.outward)
    return small


def finish(student: Student, data: Path, work: Path, recipe: Recipe, say: Say) -> None:
    """Fit readings to their words and all emoji to their names, also those held out, which are measured before."""
    both = splits.emoji(data)
    kana = json.loads((work / "readings.json").read_text())
    say(f"{readings.copy_rows(student, kana, Pieces(work / 'pieces.model')):,} readings like their words")
    pieces = Pieces(work / "pieces.model")
    count = emoji.fold_in(student, (*both.train, *both.dev), pieces, steps=recipe.emoji_steps)
    say(f"{count} rows of emoji")


def _write(out: Path, student: Student, pieces: Path) -> None:
    layer = layer_of(student)
    write_model(out, "built-in", student.rows.numpy(), layer, pieces, dims=DIMS, licence=LICENCE, source=SOURCE)


def main(arguments: list[str] | None = None) -> None:
    """Run all stages; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m recipes.builtin.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="where stages are kept (build/model)")
    parser.add_argument("--out", type=Path, default=MODELS / "built-in", help="the model folder to write")
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--hidden", type=int, default=Recipe().hidden)
    parser.add_argument(
        "--second-share",
        type=float,
        default=Recipe().second_share,
        help="of the English teacher; 0: do not ask it",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--few", action="store_true", help="one text in four hundred and twenty steps: does it run?")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(steps=options.steps, hidden=options.hidden, second_share=options.second_share, seed=options.seed)
    if options.few:
        recipe = replace(recipe, steps=20, pieces=FEW_PIECES, part=400, group_share=0.02, emoji_steps=3)

    ready, rows, pieces = prepare(options.data, options.work, recipe, say)
    student = train(ready, rows, options.work, recipe, say)
    average(student, options.work, recipe)
    student = narrow(student, ready, recipe, say)
    _write(options.work / "before-emoji", student, pieces)
    finish(student, options.data, options.work, recipe, say)
    torch.save(student.state(), options.work / "finished.pt")
    _write(options.out, student, pieces)
    say(f"wrote {options.out}")


if __name__ == "__main__":
    main()
