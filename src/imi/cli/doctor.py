"""`imi doctor`: what is wrong with vectors and texts, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from imi.cli.opening import exists, open_to_read
from imi.cli.options import Output, Seed
from imi.cli.output import show
from imi.cli.verbs import verb
from imi.errors import DataError
from imi.language import local


@dataclass(frozen=True, kw_only=True)
class DoctorOptions(Output):
    """What `imi doctor` takes."""

    source: Annotated[str, typer.Argument(metavar="COLLECTION|FILE", help="A collection, or vectors as .npy or .npz.")]
    width: Annotated[
        int | None, typer.Option("--width", metavar="N", help="The dimensions that vectors in the file should have.")
    ] = None
    seed: Seed = 0


def doctor(options: DoctorOptions) -> None:
    """Say what is wrong with vectors and texts, what it means, and what to do."""
    from imi import tasks

    if exists(options.source) or not Path(options.source).is_file():
        with open_to_read(options.source) as collection:
            result = tasks.doctor(collection, width=options.width, seed=options.seed)
    else:
        result = tasks.doctor(_vectors(Path(options.source)), width=options.width, seed=options.seed)
    rows = [[local(one.level), local(one.check), local(one.meaning), local(one.remedy)] for one in result.findings]
    show(result.to_dict(), ["level", "check", "meaning", "what to do"], rows, as_json=options.as_json)


def _vectors(path: Path) -> Any:
    import numpy as np

    try:
        held = np.load(path, allow_pickle=False)
        return held if isinstance(held, np.ndarray) else held[held.files[0]]
    except (OSError, ValueError, IndexError) as wrong:
        if "pickle" in str(wrong):
            raise DataError(
                f"{path} is not a file of vectors", hint="give .npy or .npz, or imi add the file first"
            ) from wrong
        raise DataError(
            f"{path} holds no vectors: {wrong}", hint="give .npy or .npz, or imi add the file first"
        ) from wrong


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(app, "doctor", DoctorOptions, doctor, example="imi doctor reviews.imi")
