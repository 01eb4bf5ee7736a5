"""From a model's name to the model: the one place that knows which names there are."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from imi.embedders.base import Embedder
from imi.errors import UsageError

DEFAULT = "built-in"
NAMES = (
    "built-in",
    "deep",
    "quality",
    "a model folder",
    "openai:NAME[@URL]",
    "st:NAME",
    "hf-static:FOLDER",
    "onnx:FOLDER",
    "clip:NAME",
    "pixels",
)

# "hash" is for tests, the command line's among them: it knows letters, no meaning, and is therefore not among NAMES.
_INSIDE = {
    "built-in": ("builtin", "BuiltIn"),
    "deep": ("deep", "Deep"),
    "quality": ("quality", "Quality"),
    "hash": ("testing", "HashEmbedder"),
}

_kept: dict[str, Embedder] = {}


def keep(name: str) -> None:
    """Load a model of the package once for this process, all of it: `load` gives the same one from then on."""
    model = _kept[name] = load(name)
    warm = getattr(model, "warm", None)
    if warm is not None:
        warm()


def load(name: str | Path | None = None, *, send_key: bool = True) -> Embedder:
    """Return the model of a name; what a model needs is imported only when it is asked for.

    Args:
        name: "built-in", "deep" (a small transformer: finer and slower), "quality" (the built-in model's teacher,
            rotated), a folder that `imi train` wrote, or one of the prefixes "openai:", "st:", "hf-static:", "onnx:",
            "clip:", or "pixels"; None is what IMI_MODEL says, else "built-in". The built-in model, "clip:" and "pixels"
            read pictures.
        send_key: whether an endpoint that the name holds gets OPENAI_API_KEY: False where a file named it. OpenAI's own
            and that of OPENAI_BASE_URL get it in any case.

    Raises:
        UsageError: no such model; the message lists the names that are allowed.
        MissingExtra: the model needs a package that is not installed.
    """
    asked = str(name) if name is not None else os.environ.get("IMI_MODEL") or DEFAULT
    kind, _, rest = asked.partition(":")
    if asked in _kept:
        return _kept[asked]
    if asked in _INSIDE:
        module, maker = _INSIDE[asked]
        inside: Embedder = getattr(import_module(f"imi.embedders.{module}"), maker)()
        return inside
    if kind == "openai" and rest:
        from imi.embedders.cache import Cached
        from imi.embedders.openai import OpenAI

        return Cached(OpenAI(rest, send_key=send_key))
    if kind == "st" and rest:
        from imi.embedders.sentence_transformers import SentenceTransformers

        return SentenceTransformers(rest)
    if kind == "hf-static" and rest:
        from imi.embedders.hf_static import HfStatic

        return HfStatic(Path(rest))
    if kind == "onnx" and rest:
        from imi.embedders.onnx import Onnx

        return Onnx(Path(rest))
    if (kind == "clip" and rest) or kind == "pixels":
        return _of_pictures(kind, rest)
    if asked and Path(asked).is_dir():
        from imi.embedders.builtin import BuiltIn

        return BuiltIn(Path(asked))
    if rest:
        # Other packages register models under their own names; see docs/plugins.md.
        from importlib.metadata import entry_points

        for point in entry_points(group="imi.embedders", name=kind):
            made: Embedder = point.load()(rest)
            return made
    raise UsageError(
        f"unknown model {asked!r}; there are: {', '.join(NAMES)}", hint="leave it out for the built-in one"
    )


def _of_pictures(kind: str, rest: str) -> Embedder:
    if kind == "clip":
        from imi.embedders.clip import Clip

        return Clip(rest)
    from imi.embedders.pixels import Pixels

    return Pixels(rest or "likeness")
