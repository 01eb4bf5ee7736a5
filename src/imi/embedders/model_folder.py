"""What a model's folder says of itself, whoever reads the weights: prompts, trained sizes, longest text, a hash."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from imi.embedders import checked
from imi.errors import DataError
from imi.hashing import blake2b

_MODULES = frozenset(
    ("Transformer", "Pooling", "Normalize", "Dense", "CLIPModel", "StaticEmbedding", "LayerNorm", "Dropout", "Router",
     "WeightedLayerPooling")
)  # fmt: skip
"""Parts of sentence-transformers that read weights and settings alone, and no class by a name in a file."""
_LARGEST_SETTINGS = 1 << 20
_PICKLES = frozenset((".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".msgpack"))
_LEFT_BY_TRAINING = re.compile(r"(training_args|optimizer|scheduler|scaler|rng_state).*")
_NAMES_A_MODEL = ("auto_map", "custom_pipelines", "base_model_name_or_path", "tokenizer_name_or_path")
_TRAINED = re.compile(r'"matryoshka_dims":\s*\[([\d,\s]+)\]')


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file, an empty one where there is no file.

    Raises:
        DataError: the file is there and holds something else.
    """
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as broken:
        raise DataError(f"{path} cannot be read: {broken}", hint="copy the model folder again") from broken
    return value if isinstance(value, dict) else {}


def check_runs_no_code(folder: Path) -> None:
    """Refuse a folder that would load code, pickles, or another model that a file in it names.

    Raises:
        DataError: it would.
    """
    for path in sorted(folder.rglob("*.json")):
        values = _settings(path)
        named = next((key for key in _NAMES_A_MODEL if values.get(key)), None)
        if named is not None or path.name == "adapter_config.json":
            raise _refused(path, f"it names code or another model ({named or 'an adapter of one'})")
    for part in _listed(folder / "modules.json"):
        _check_module(folder, str(part.get("type", "")), str(part.get("path", "")), folder / "modules.json")
    for router in sorted(folder.rglob("router_config.json")):
        for kind in dict(_settings(router).get("types") or {}).values():
            _check_module(folder, str(kind), "", router)
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in _PICKLES or _LEFT_BY_TRAINING.fullmatch(path.name):
            continue
        if not any(path.parent.glob("*.safetensors")):
            raise _refused(path, "weights that are pickled can run code; only .safetensors are read")


def _check_module(folder: Path, kind: str, place: str, said_by: Path) -> None:
    if not kind.startswith("sentence_transformers.") or kind.rpartition(".")[2] not in _MODULES:
        raise _refused(said_by, f"it asks for the class {kind!r}, which is not a part of sentence-transformers")
    if Path(place).is_absolute() or ".." in Path(place).parts:
        raise _refused(said_by, f"it names the place {place!r}, outside of the folder")


def _refused(path: Path, why: str) -> DataError:
    return DataError(f"{path} is not loaded: {why}", hint="save the model as safetensors, without custom code")


def _listed(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_text("utf-8")) if path.is_file() else []
    except (OSError, ValueError, RecursionError) as broken:
        raise DataError(f"{path} cannot be read: {broken}", hint="copy the model folder again") from broken
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _settings(path: Path) -> dict[str, Any]:
    """Return a file's JSON object; large ones are vocabularies and no settings."""
    try:
        return read_json(path) if path.stat().st_size < _LARGEST_SETTINGS else {}
    except DataError:
        return {}  # whoever needs it says so


def trained_dims(folder: Path | None, width: int) -> tuple[int, ...]:
    """Return the prefixes that a model was trained for, ascending, the width last; else the width alone.

    There is no standard place. Read are `matryoshka_dimensions` of config.json (vLLM's convention), the same of
    config_sentence_transformers.json, and the loss's parameters that sentence-transformers writes into the model card.
    """
    found: set[int] = set()
    if folder is not None:
        for name in ("config.json", "config_sentence_transformers.json"):
            values = read_json(folder / name)
            listed = values.get("matryoshka_dimensions") or values.get("matryoshka_dims") or ()
            found |= {one for one in listed if isinstance(one, int)}
        card = folder / "README.md"
        if not found and card.is_file():
            match = _TRAINED.search(card.read_text("utf-8", errors="replace"))
            found |= {int(one) for one in (match[1] if match else "").split(",") if one.strip()}
    return (*sorted(one for one in found if 0 < one < width), width)


def prompts_of(values: dict[str, Any]) -> dict[str, str]:
    """Return the prompts for "query" and "document" of a model's settings; models of the E5 family say "passage"."""
    given = values.get("prompts") or {}
    default = given.get(values.get("default_prompt_name") or "", "")
    query = given.get("query", default)
    document = given.get("document", given.get("passage", given.get("corpus", default)))
    return {"query": str(query), "document": str(document)} if query or document else {}


def hash_files(paths: Iterable[Path]) -> str:
    """Return 32 hex digits over the contents of files."""
    digest = blake2b(digest_size=16)
    for path in paths:
        with path.open("rb") as file:
            while piece := file.read(2**22):
                digest.update(piece)
    return digest.hexdigest()


def needed(folder: Path, *names: str) -> Path:
    """Return the first of these files that is in a model's folder.

    Raises:
        DataError: none is there.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(
        f"{folder} holds none of {', '.join(names)}", hint="give the folder that the model was saved to, whole"
    )


ABOUT = "model.json"


def packaged(folder: Path, form: int, what: str, *, own: bool) -> dict[str, Any]:
    """Read model.json of a folder that a recipe wrote, and compare every file with the hash that it names.

    Files that were compared in the last week and not written since are not read again: `imi.embedders.checked`.

    Args:
        folder: the folder.
        form: the format that is read.
        what: it should hold, for errors.
        own: whether it is the one in the package.

    Raises:
        DataError: a file is missing, cut, or not the one that is named.
    """
    hint = "reinstall imi: pip install --force-reinstall --no-deps imi" if own else "copy the folder again"
    try:
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        files = {str(name): str(digest) for name, digest in about["files"].items()}
    except (OSError, ValueError, KeyError, AttributeError) as broken:
        raise DataError(f"{folder} does not hold {what}: {broken}", hint=hint) from broken
    if about.get("format") != form:
        raise DataError(f"{folder} has format {about.get('format')!r}, this imi reads {form}", hint="update imi")
    if checked.seen(folder, files):
        return about
    before = checked.state_of(folder, files)
    for name, digest in files.items():
        try:
            found = hash_files([folder / name])
        except OSError as absent:
            raise DataError(f"{folder} lacks {name}: {absent.strerror}", hint=hint) from absent
        if found != digest:
            raise DataError(f"{folder / name} was altered or cut: its hash is {found}, not {digest}", hint=hint)
    checked.remember(folder, files, before)
    return about
