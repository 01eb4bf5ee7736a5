"""The picture tower: a network that has seen photos, and names of what it sees in the space of a text model.

    features = EfficientNet-Lite2 of 224 × 224 dots                     onnxruntime, int8 weights
    chances  = softmax(features·W + b)                                  photos' kinds, clothing, emoji: all in one
    names    = Σ chance · name of the kind                              in the texts' space, half their mean taken off
    vector   = unit(unit(names) + likeness · unit((features - mean)·R)) likeness: directions that tell kinds apart,
                                                                        in the dimensions behind the first 64

What a picture shows thus lies near every word that the text model has near those names, words that no picture was
trained on among them. `recipes/pictures` made the files; `models/pictures/card.md` says from what.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imi import vectors
from imi.embedders.model_folder import packaged
from imi.embedders.onnx_runtime import load_runtime
from imi.embedders.pieces import threads
from imi.hashing import blake2b
from imi.pictures import Pixels, Source, open_all_or_none
from imi.progress import Progress
from imi.records import Kind as Role
from imi.records import ModelInfo
from imi.types import Floats

if TYPE_CHECKING:
    from imi.embedders.picture_kinds import Embed, Kind

FOLDER = Path(__file__).parent.parent / "models" / "pictures"
FORMAT = 2
_AT_ONCE = 64
"""Pictures that are opened at once."""
_SILENT = 1e-3
_UNFAMILIAR = 0.52
"""Share of silent features above which the network has not seen a picture's like: of photos, clothing and drawings a
twentieth have so many, of charts half, of scanned pages, digits, cells under a microscope and noise nearly all."""
_BATCH = 16
"""Pictures that go through the network at once; each core has its own batch."""


class Network:
    """The files of a folder that depend on no text model: the network, the chances of kinds, their words."""

    def __init__(self, folder: Path) -> None:
        """Read and check the files.

        Raises:
            DataError: a file is missing, cut, or not the one that `model.json` names.
        """
        self.folder = folder
        self.about = packaged(folder, FORMAT, "a picture tower", own=folder == FOLDER)
        self.size = int(self.about["size"])
        with np.load(folder / "layers.npz") as arrays:
            self._weight = _unpacked(arrays["kinds.codes"], arrays["kinds.steps"])
            self._bias = arrays["kinds.bias"].astype(np.float32)
            self._likeness = _unpacked(arrays["likeness.codes"], arrays["likeness.steps"])
            self._mean = arrays["mean"].astype(np.float32)

    @cached_property
    def _session(self) -> Any:
        onnxruntime = load_runtime("deep")
        options = onnxruntime.SessionOptions()
        # Several batches at once use several cores better than several threads within one.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Unpacks the int8 weights once, when the network is loaded, in place of each time.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        graph = str(self.folder / "network.onnx")
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """What it knows, in the order of `chances`."""
        from imi.embedders.picture_kinds import read_kinds

        return read_kinds(self.folder / "kinds.jsonl")

    @property
    def groups(self) -> tuple[slice, ...]:
        """Which kinds are of photos, emoji and clothing."""
        ends = np.cumsum(self.about["groups"]).tolist()
        return tuple(slice(end - count, end) for end, count in zip(ends, self.about["groups"], strict=True))

    def features(self, pictures: Sequence[Source], progress: Progress | None = None) -> Floats:
        """Return what the network sees in pictures, (n, 1280).

        Raises:
            DataError: a picture cannot be read. MissingExtra: onnxruntime is not installed.
        """
        parts = [np.empty((0, len(self._mean)), np.float32)]
        for first in range(0, len(pictures), _AT_ONCE):
            read = open_all_or_none(pictures[first : first + _AT_ONCE])
            squares = np.stack([one.square(self.size) for one in read])
            parts += self._run([squares[at : at + _BATCH] for at in range(0, len(squares), _BATCH)])
            if progress is not None:
                progress(first + len(read), len(pictures))
        return np.concatenate(parts)

    def _run(self, batches: list[Pixels]) -> Iterator[Floats]:
        session = self._session  # made by one thread, before there are several

        def one(batch: Pixels) -> Floats:
            return np.asarray(session.run(None, {"pictures": batch})[0])

        cores = min(threads(), len(batches))
        if cores < 2:
            yield from map(one, batches)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(cores, "imi pictures") as pool:
            yield from pool.map(one, batches)

    def unfamiliar(self, features: Floats) -> NDArray[np.bool_]:
        """Say of which pictures the network sees so little that it may never have seen their like, (n,)."""
        return np.asarray((features < _SILENT).mean(axis=1) > _UNFAMILIAR)

    def logits(self, features: Floats) -> Floats:
        """Return how much each kind speaks for itself, (n, kinds)."""
        return np.asarray(features @ self._weight + self._bias)

    def likeness(self, features: Floats, width: int) -> Floats:
        """Return what makes two pictures alike, (n, width) unit rows, with nothing in the first dimensions."""
        out = np.zeros((len(features), width), np.float32)
        first = int(self.about["likeness_from"])
        room = min(width - first, self._likeness.shape[1])
        if room > 0:
            out[:, first : first + room] = vectors.normalize((features - self._mean) @ self._likeness[:, :room])
        return out


@lru_cache(maxsize=2)
def network(folder: Path = FOLDER) -> Network:
    """Return the network of a folder, read once in a process."""
    return Network(folder)


class PictureTower:
    """The network and its kinds' names in the space of one text model."""

    def __init__(self, weights: str, width: int, embed: Embed, folder: Path = FOLDER) -> None:
        """Join a text model.

        Args:
            weights: the hash of the text model's weights.
            width: its dimensions.
            embed: what embeds texts at full width.
            folder: where the tower's files are.

        Raises:
            DataError: as `Network`.
        """
        self.network = network(folder)
        self._weights, self._width, self._embed = weights, width, embed

    @property
    def fingerprint(self) -> str:
        """The hash of these weights and of the text model's."""
        both = f"{self.network.about['weights']} {self._weights}"
        return blake2b(both.encode(), digest_size=16).hexdigest()

    @cached_property
    def table(self) -> Floats:
        """The kinds in the space of the texts, (kinds, width) unit rows.

        Kept in a file for imi's own text models; for another one the words are embedded, which takes a moment.
        """
        file = self.network.about["tables"].get(self._weights)
        if file is None:
            from imi.embedders.picture_kinds import table

            return table(self.network.kinds, self._embed)
        with np.load(self.network.folder / file) as arrays:
            return _unpacked(arrays["codes"].T, arrays["steps"]).T

    @cached_property
    def names(self) -> Floats:
        """The table with a part of the mean of photos' kinds taken off, which all photos would share."""
        shared = self.table[self.network.groups[0]].mean(axis=0)
        return np.asarray(self.table - self.network.about["shared"] * shared, np.float32)

    def embed(self, pictures: Sequence[Source], *, progress: Progress | None = None) -> Floats:
        """Return (n, width) float32 unit rows.

        Raises:
            DataError: a picture cannot be read.
        """
        return self.of_features(self.network.features(pictures, progress))

    def unfamiliar(self, pictures: Sequence[Source]) -> NDArray[np.bool_]:
        """Say which pictures are unlike all that the network was trained on, (n,).

        Raises:
            DataError: a picture cannot be read.
        """
        return self.network.unfamiliar(self.network.features(pictures))

    def guesses(self, pictures: Sequence[Source], language: str = "en") -> list[tuple[str, ...]]:
        """Return what pictures most likely show, the likeliest first, in "en" or "ja"; none where nothing is likely.

        Raises:
            DataError: a picture cannot be read.
        """
        from imi.embedders.picture_guesses import Guesser

        chances = softmax(self.network.logits(self.network.features(pictures)))
        return Guesser(self.network.kinds).guess(chances, language)

    def of_features(self, features: Floats) -> Floats:
        """Return the vectors of what the network saw, (n, width) unit rows."""
        logits = self.network.logits(features)
        chances = softmax(logits)
        seen = np.zeros((len(features), self._width), np.float32)
        for group, warmth in zip(self.network.groups, self.network.about["warmth"], strict=True):
            share = chances[:, group].sum(axis=1, keepdims=True)
            seen += share * (softmax(logits[:, group] / warmth) @ self.names[group])
        alike = self.network.likeness(features, self._width)
        return vectors.normalize(vectors.normalize(seen) + self.network.about["likeness"] * alike)


class EmbedsPictures(ABC):
    """What a text model of the package gains by the picture tower: pictures in the space of its texts."""

    @property
    @abstractmethod
    def info(self) -> ModelInfo:
        """The text model."""

    @abstractmethod
    def embed(
        self,
        texts: Sequence[str],
        kind: Role = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed texts as unit rows."""

    @cached_property
    def tower(self) -> PictureTower:
        """The picture tower in the space of this model."""
        return PictureTower(self.info.weights, self.info.width, self.embed)

    @property
    def picture_fingerprint(self) -> str:
        """Who made the vectors of pictures: the picture tower's weights and this model's."""
        return self.tower.fingerprint

    def embed_images(
        self, pictures: Sequence[Source], dims: int | None = None, *, progress: Progress | None = None
    ) -> Floats:
        """Embed pictures as unit rows in the space of the texts, (n, dims) float32; see `PictureEmbedder`.

        Raises:
            UsageError: dims is out of range. DataError: a picture cannot be read. MissingExtra: no Pillow.
        """
        z = self.tower.embed(pictures, progress=progress)
        return z if dims is None or dims == z.shape[1] else vectors.truncate(z, dims)


def softmax(logits: Floats) -> Floats:
    """Return rows of chances that add up to 1."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True), np.float32)


def packed(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return a matrix (in, out) as int8 with one step a column."""
    steps = np.maximum(np.abs(weight).max(axis=0) / 127, 1e-12).astype(np.float32)
    return np.rint(weight / steps).astype(np.int8), steps


def _unpacked(codes: NDArray[np.int8], steps: Floats) -> Floats:
    return np.asarray(codes.astype(np.float32) * steps)
