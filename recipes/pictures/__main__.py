"""Make the picture tower: fetch the network, look at drawings and clothing with it, learn their kinds, write.

    python -m recipes.pictures --data ../shared/data [--out src/imi/models/pictures] [--scratch build/pictures] [--few]
    python -m recipes.pictures --names

Everything between is kept in the scratch folder, so that a second run goes on where the first one stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from PIL import Image

import imi
from imi.embedders.picture_kinds import Kind, Level, read_kinds
from imi.types import Floats
from recipes.pictures import graph, head, pack, source, words
from recipes.pictures.data import CLOTHING, OTHER_NAMES, Drawing, Photos, clothing, drawings
from recipes.pictures.views import MovedPictures
from recipes.progress import say

SIZE = 224
SIDE = 96
"""Dots of a side of what is moved about: photos have these, drawings are made as large."""
VIEWS = 5
"""How often each picture is seen moved about; once more it is seen as it is."""
KEYWORDS = 0.25
"""What an emoji's keywords count beside its names."""
OTHERS = 0.3
"""What the other names of clothing count."""
WIDEST = 512
BATCH = 16


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(prog="python -m recipes.pictures", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("src/imi/models/pictures"))
    parser.add_argument("--scratch", type=Path, default=Path("build/pictures"))
    parser.add_argument("--views", type=int, default=VIEWS, help="how often each picture is moved about")
    parser.add_argument("--few", action="store_true", help="a fiftieth of the pictures, to see that it runs")
    parser.add_argument("--names", action="store_true", help="only embed the names again, for a text model that is new")
    given = parser.parse_args(arguments)
    models = {name: imi.load(name) for name in ("built-in", "deep")}
    if given.names:
        pack.write_names(given.out, read_kinds(given.out / "kinds.jsonl"), models)
        return
    torch.set_num_threads(1)
    files = source.fetch(given.scratch)
    tensors = source.tensors(files[source.WEIGHTS])
    network = graph.network(tensors, SIZE)
    drawn = [one for one in drawings(given.data) if not one.held][:: 50 if given.few else 1]
    photos = clothing(given.data, "train", size=SIDE)
    if given.few:
        photos = Photos(photos.pixels[::50], photos.classes[::50])
    names = list(dict.fromkeys((one.en, one.ja) for one in drawn))
    seen = look(network, drawn, photos, names, given.scratch, given.views)
    say(f"{len(seen.features):,} views of {len(drawn):,} drawings and {len(photos.classes):,} photos")
    weight, bias = tensors["_fc.weight"].T, tensors["_fc.bias"]
    learnt = head.learn(seen, (weight, bias), len(names) + len(CLOTHING), head.Recipe())
    restraint = np.repeat([head.EMOJI_RESTRAINT, head.CLOTHING_RESTRAINT], [len(names), len(CLOTHING)])
    layers = pack.Layers(
        np.concatenate([weight, learnt[0]], axis=1),
        np.concatenate([bias, learnt[1] - restraint]).astype(np.float32),
        seen.features.mean(axis=0),
        pack.likeness_of(weight, WIDEST),
    )
    kinds = words.photo_kinds(words.Dictionary(given.data), source.classes(files)) + emoji_kinds(drawn, names)
    pack.write(given.out, network, SIZE, layers, kinds + clothing_kinds(), models)
    say(f"{given.out} written")


def look(
    network: onnx.ModelProto,
    drawn: Sequence[Drawing],
    photos: Photos,
    names: Sequence[tuple[str, str]],
    scratch: Path,
    views: int,
) -> head.Seen:
    """Return what the network sees of drawings and photos moved about; a pass that is in the scratch folder is read."""
    opaque = np.full((*photos.pixels.shape[:3], 1), 255, np.uint8)
    large = [Image.fromarray(one.pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR) for one in drawn]
    shown = {
        "emoji": (np.stack([np.asarray(one) for one in large]), [one.still for one in drawn]),
        "clothing": (np.concatenate([photos.pixels, opaque], axis=3), [False] * len(photos.classes)),
    }
    labels = {
        "emoji": np.array([names.index((one.en, one.ja)) for one in drawn], np.int64),
        "clothing": np.array([len(names) + list(CLOTHING).index(one) for one in photos.classes], np.int64),
    }
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    features, found = [], []
    for number in range(views + 1):
        for name, (pixels, still) in shown.items():
            kept = scratch / f"{name}-{len(pixels)}-{number}.npz"
            if not kept.is_file():
                say(f"{name}, view {number} of {views}")
                _look(session, pixels, np.array(still), number, kept)
            with np.load(kept) as arrays:
                features.append(arrays["features"].astype(np.float32))
                found.append(labels[name][arrays["rows"]])
    return head.Seen(np.concatenate(features), np.concatenate(found))


def _look(session: Any, pixels: NDArray[np.uint8], still: NDArray[np.bool_], number: int, kept: Path) -> None:
    """Write the features of one pass over pictures: as they are in pass 0, else each moved about in another way."""
    once = np.ones(len(pixels), np.int64)
    moved = MovedPictures(pixels, np.arange(len(pixels)), still, size=SIZE, batch=BATCH, times=once, seed=1)
    features: list[Floats] = []
    rows: list[NDArray[np.int64]] = []
    for views, which in moved.epoch(number - 1) if number else moved.plain():
        squares = np.ascontiguousarray(views.permute(0, 2, 3, 1).numpy())
        features.append(session.run(None, {"pictures": squares})[0].astype(np.float16))
        rows.append(which.numpy())
    np.savez(kept, features=np.concatenate(features), rows=np.concatenate(rows))


def emoji_kinds(drawn: Sequence[Drawing], names: Sequence[tuple[str, str]]) -> list[Kind]:
    """Return emoji as kinds, by their Unicode names and keywords."""
    by_name = {(one.en, one.ja): one for one in drawn}
    kinds = []
    for en, ja in names:
        english, japanese = by_name[en, ja].keywords
        levels = [Level(1, (en,), (ja,))]
        if english or japanese:
            # Unicode's Japanese name of a cat is ネコ; 猫 is among its keywords.
            levels.append(Level(KEYWORDS, tuple(english), tuple(japanese)))
        kinds.append(Kind("emoji", en, ja, tuple(levels)))
    return kinds


def clothing_kinds() -> list[Kind]:
    """Return the kinds of clothing, by their names and others that people use."""
    return [
        Kind("clothing", en, ja, (Level(1, (en,), (ja,)), Level(OTHERS, *OTHER_NAMES[name])))
        for name, (en, ja) in CLOTHING.items()
    ]


if __name__ == "__main__":
    main()
