"""Train the built-in picture tower: pictures into the space of the built-in text model, in minutes on one core.

    python -m imi.train.pictures --data ../shared/data

Emoji drawings and photos of clothing are pulled to the text model's vectors of their names, English and Japanese at
once, before all other names, at every trained size. An interrupted run goes on from its last epoch. `--look` says what
the tower does with what it was not trained on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from imi.embedders.builtin import FOLDER, BuiltIn
from imi.train.picture_data import CELL, CLOTHING, clothing, drawings, on_white
from imi.train.picture_tower import MovedPictures, Names, Nearness, Tower, embed_moved, write_tower
from imi.train.vision import Nested, Recipe, fit
from imi.vectors import Floats, normalize

OUT = FOLDER.parent / "pictures"
SIZE = 48
LICENCE = "CC BY 4.0 (weights: adapted from Twemoji, CC BY 4.0, and Noto Emoji, Apache-2.0; photos CC0), see card.md"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Shape:
    """The network: channels a stage, numbers before the last layer."""

    stages: tuple[int, ...] = (32, 64, 128, 256)
    inner: int = 512


@dataclass(frozen=True, eq=False)
class Ready:
    """What is trained on: pictures (n, 64, 64, 4), the number of each one's name, and the names' vectors."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    still: NDArray[np.bool_]
    times: NDArray[np.int64]
    names: Floats


def prepare(data: Path, text: BuiltIn) -> Ready:
    """Read the pictures that may be trained on and embed their names, each the mean of its two languages."""
    drawn = [one for one in drawings(data) if not one.held]
    photos = clothing(data, "train")
    pairs = list(dict.fromkeys([(one.en, one.ja) for one in drawn] + list(CLOTHING.values())))
    number = {pair: at for at, pair in enumerate(pairs)}
    opaque = np.full((len(photos.pixels), CELL, CELL, 1), 255, np.uint8)
    pixels = np.concatenate([np.stack([one.pixels for one in drawn]), np.concatenate([photos.pixels, opaque], axis=3)])
    labels = [number[one.en, one.ja] for one in drawn] + [number[CLOTHING[name]] for name in photos.classes]
    names = normalize(text.embed([en for en, _ in pairs]) + text.embed([ja for _, ja in pairs]))
    return Ready(
        pixels,
        np.array(labels, np.int64),
        np.array([one.still for one in drawn] + [False] * len(photos.classes)),
        np.array([2] * len(drawn) + [1] * len(photos.classes), np.int64),
        names,
    )


def train(ready: Ready, text: BuiltIn, recipe: Recipe, shape: Shape, checkpoint: Path, say: Say) -> Tower:
    """Return the trained tower."""
    torch.manual_seed(recipe.seed)
    tower = Tower(text.info.width, shape.stages, shape.inner)
    tower.to(memory_format=torch.channels_last)
    batches = MovedPictures(
        ready.pixels, ready.labels, ready.still, size=SIZE, batch=recipe.batch, times=ready.times, seed=recipe.seed
    )
    model = Nested(tower, Names(text.info.dims, ready.names))
    began, each = time.monotonic(), len(batches)

    def told(done: int, total: int) -> None:
        if done % each == 0:
            say(f"epoch {done // each} of {total // each}, {time.monotonic() - began:.0f} s")

    history = fit(model, batches, recipe, loss=Nearness(recipe.smoothing), checkpoint=checkpoint, progress=told)
    say(f"loss of the epochs: {' '.join(f'{one:.2f}' for one in history)}")
    return tower


def look(tower: Tower, data: Path, text: BuiltIn) -> dict[str, float]:
    """Return top-1 accuracies over all names (of emoji) and classes (of clothing) for what was not trained on."""
    drawn = drawings(data)
    pairs = list(dict.fromkeys((one.en, one.ja) for one in drawn))
    found: dict[str, float] = {}
    right = np.array([pairs.index((one.en, one.ja)) for one in drawn])
    z = embed_moved(tower, np.stack([_shrunk(on_white(one)) for one in drawn]))
    for at, language in enumerate(("en", "ja")):
        order = np.argsort(-z @ text.embed([pair[at] for pair in pairs]).T, axis=1)
        for held in ("", "drawing", "both"):
            mine = np.array([one.held == held for one in drawn])
            hits = order[mine] == right[mine, None]
            found[f"emoji {held or 'trained'} {language} top-1"] = float(hits[:, 0].mean())
            found[f"emoji {held or 'trained'} {language} top-5"] = float(hits[:, :5].any(axis=1).mean())
    photos = clothing(data, "look", size=SIZE)
    classes = list(CLOTHING)
    z = embed_moved(tower, photos.pixels)
    right = np.array([classes.index(name) for name in photos.classes])
    for at, language in enumerate(("en", "ja")):
        best = (z @ text.embed([CLOTHING[name][at] for name in classes]).T).argmax(axis=1)
        found[f"clothing {language} top-1"] = float((best == right).mean())
    near = np.argsort(-(z @ z.T - 2 * np.eye(len(z))), axis=1)[:, :10]
    found["clothing precision@10"] = float((right[near] == right[:, None]).mean())
    return found


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from imi.pictures import Picture

    return Picture(pixels).square(SIZE)


def main(arguments: list[str] | None = None) -> None:
    """Train and write the tower; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m imi.train.pictures", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--model", type=Path, default=FOLDER, help="the text model whose space is the goal")
    parser.add_argument("--out", type=Path, default=OUT, help="the folder to write")
    parser.add_argument("--work", type=Path, default=Path("build/pictures"), help="where the run is kept")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--look", action="store_true", help="say what it does with pictures that were kept out")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)

    def say(line: str) -> None:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        sys.stderr.flush()

    text = BuiltIn(options.model)
    recipe = Recipe(
        epochs=options.epochs, batch=128, rate=2e-3, warm=0.1, decay=0.05, smoothing=0.05, mixed=True, adam=True,
        seed=options.seed,
    )  # fmt: skip
    ready = prepare(options.data, text)
    say(f"{len(ready.labels):,} pictures, {len(ready.names):,} names")
    # Another text model is another goal: its run begins anew.
    checkpoint = options.work / f"{text.info.weights[:8]}-{options.epochs}-{options.seed}.pt"
    tower = train(ready, text, recipe, Shape(), checkpoint, say)
    about = {
        "size": SIZE, "dims": list(text.info.dims), "text": text.info.weights, "licence": LICENCE,
        "source": "imi.train.pictures",
    }  # fmt: skip
    write_tower(tower, options.out, about)
    say(f"{options.out} written")
    if options.look:
        for name, value in look(tower, options.data, text).items():
            say(f"{name}: {value:.3f}")


if __name__ == "__main__":
    main()
