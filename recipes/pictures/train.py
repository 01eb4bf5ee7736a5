"""Train the built-in picture tower: pictures into the space of the built-in text model, in minutes on one core.

    python -m recipes.pictures.train --data ../shared/data

Emoji drawings and photos of clothing are pulled to the text model's vectors of their names, English and Japanese at
once, before all other names, at every trained size. An interrupted run goes on from its last epoch.
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
from imi.train.vision import Nested, Recipe, fit
from imi.types import Floats
from imi.vectors import normalize
from recipes.pictures.data import CELL, CLOTHING, clothing, drawings, on_white
from recipes.pictures.tower import MovedPictures, Names, Nearness, Tower, embed_moved, write_tower

OUT = FOLDER.parent / "pictures"
SIZE = 48
TIMES = 5
"""How often a drawing comes in an epoch, a photo once: most names have two drawings, a class of clothing 260 photos."""
KEYWORDS = 0.5
"""What the mean of an emoji's keywords counts beside its name, in each language."""
LICENCE = "Apache-2.0 (code); weights CC BY-SA 4.0, attribution in card.md"
Say = Callable[[str], None]
CARD = """# The built-in picture tower

A residual network of {numbers:,} int8 weights, numpy at run time: a picture of 48 × 48 dots becomes a vector in the
space of the built-in text model, whose first 32, 64, 128 and 256 dimensions are vectors themselves, so that 猫, "cat"
and the drawing of a cat lie near each other. Made by `python -m recipes.pictures.train`{begin} for the text model with
the weights `{text}`; a tower for other weights is refused.

## Measured

Kept out of training: a tenth of the emoji in both drawings, a sixth of the others in Noto's drawing, a sixth of the
photos. Emoji are asked for their Unicode names among those of all, clothing for its ten classes.
`python benchmarks/pictures.py FOLDER` measures more, on photos that nothing was chosen by.

{table}

## What it is bad at

- Photos of anything but clothing. No other photos whose licence allows passing weights on were at hand, so it has never
  seen a real cat: words find little above chance there, and `pixels` or `clip:` are better for likeness.
- Emoji that neither set's drawing of was trained on: it finds the kind (a face, a flag, an animal), seldom the name.
- Small things, several things at once, writing.

## Made from

Only data whose licence allows it to be passed on. The goal is the built-in text model, so the weights come under its
CC BY-SA 4.0; the code is Apache-2.0. Thanks to those who made and shared:

- Twemoji drawings: CC BY 4.0; Twitter, Inc. and other contributors
- Noto Emoji drawings: Apache-2.0; Google
- Names of emoji (CLDR): Unicode License v3; Unicode, Inc.
- Clothing dataset, small, `train` part: CC0 1.0; Alexey Grigorev and those who gave their photos
"""


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
    """Read the pictures that may be trained on and embed their names: both languages, and half as much its keywords."""
    drawn = [one for one in drawings(data) if not one.held]
    photos = clothing(data, "train")
    pairs = list(dict.fromkeys([(one.en, one.ja) for one in drawn] + list(CLOTHING.values())))
    number = {pair: at for at, pair in enumerate(pairs)}
    opaque = np.full((len(photos.pixels), CELL, CELL, 1), 255, np.uint8)
    pixels = np.concatenate([np.stack([one.pixels for one in drawn]), np.concatenate([photos.pixels, opaque], axis=3)])
    labels = [number[one.en, one.ja] for one in drawn] + [number[CLOTHING[name]] for name in photos.classes]
    names = text.embed([en for en, _ in pairs]) + text.embed([ja for _, ja in pairs])
    for one in {(one.en, one.ja): one for one in drawn}.values():
        for words in filter(None, one.keywords):
            # Unicode's Japanese name of a cat is ネコ; 猫 is among its keywords.
            names[number[one.en, one.ja]] += KEYWORDS * normalize(text.embed(list(words)).mean(axis=0))
    names = normalize(names)
    return Ready(
        pixels,
        np.array(labels, np.int64),
        np.array([one.still for one in drawn] + [False] * len(photos.classes)),
        np.array([TIMES] * len(drawn) + [1] * len(photos.classes), np.int64),
        names,
    )


def train(
    ready: Ready, text: BuiltIn, recipe: Recipe, shape: Shape, checkpoint: Path, say: Say, start: Path | None = None
) -> Tower:
    """Return the trained tower; `start` is the checkpoint of another run, whose network this one begins with."""
    torch.manual_seed(recipe.seed)
    tower = Tower(text.info.width, shape.stages, shape.inner)
    tower.to(memory_format=torch.channels_last)
    batches = MovedPictures(
        ready.pixels, ready.labels, ready.still, size=SIZE, batch=recipe.batch, times=ready.times, seed=recipe.seed
    )
    model = Nested(tower, Names(text.info.dims, ready.names))
    if start is not None:
        model.load_state_dict(torch.load(start, map_location="cpu", weights_only=True)["parts"][0])
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


def card(tower: Tower, text: BuiltIn, found: dict[str, float], *, begun: bool) -> str:
    """Return the card of a tower: what it is, what was measured, what it is bad at, what it was made from."""
    rows = [f"| {name} | {value:.3f} |" for name, value in found.items()]
    numbers = sum(parameter.numel() for parameter in tower.parameters())
    table = "\n".join(["| what | value |", "|---|---|", *rows])
    begin = " (begun with earlier runs, by `--start`)" if begun else ""
    return CARD.format(numbers=numbers, text=text.info.weights, table=table, begin=begin)


def main(arguments: list[str] | None = None) -> None:
    """Train and write the tower; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m recipes.pictures.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--model", type=Path, default=FOLDER, help="the text model whose space is the goal")
    parser.add_argument("--out", type=Path, default=OUT, help="the folder to write")
    parser.add_argument("--work", type=Path, default=Path("build/pictures"), help="where the run is kept")
    parser.add_argument(
        "--start", type=Path, help="a run's file in --work to begin with: for an earlier text model, say"
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
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
    tower = train(ready, text, recipe, Shape(), checkpoint, say, options.start)
    about = {
        "size": SIZE, "dims": list(text.info.dims), "text": text.info.weights, "licence": LICENCE,
        "source": "recipes.pictures.train",
    }  # fmt: skip
    write_tower(tower, options.out, about)
    found = look(tower, options.data, text)
    written = card(tower, text, found, begun=options.start is not None)
    (options.out / "card.md").write_text(written, encoding="utf-8")
    say(f"{options.out} written")
    for name, value in found.items():
        say(f"{name}: {value:.3f}")


if __name__ == "__main__":
    main()
