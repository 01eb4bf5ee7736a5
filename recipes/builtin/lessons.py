"""What the later lessons of the built-in model share: their options, and how the model goes on to the next."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from imi.embedders.builtin import FOLDER, BuiltIn
from imi.train.export import Layer, write_model
from imi.train.student import Student


def parse(name: str, description: str | None, kept: str, steps: int, arguments: list[str] | None) -> argparse.Namespace:
    """Return the options of a lesson, `steps` already few with `--few`; the work folder is made.

    Args:
        name: the module that is run.
        description: its docstring.
        kept: what stays in the work folder.
        steps: how many, unless the options say otherwise.
        arguments: of the command line; those of the process if None.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--work", type=Path, default=Path("build/model"), help=f"where {kept} is kept (build/model)")
    parser.add_argument("--start", type=Path, default=FOLDER, help="the model folder to begin with")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the model folder to write")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--few", action="store_true", help="five steps: does it run?")
    options = parser.parse_args(arguments)
    if options.few:
        options.steps = 5
    options.work.mkdir(parents=True, exist_ok=True)
    return options


def begin(model: BuiltIn, repeats: float) -> Student:
    """Return a student with the weights of a model."""
    table = np.asarray(model._rows * model._scales[:, None], np.float32)
    student = Student(table, model._inward.shape[1], repeats=repeats)
    student.adopt(model._inward, model._bias, model._outward)
    return student


def layer_of(student: Student) -> Layer:
    """Return the student's hidden layer as numpy arrays."""
    inward, bias, outward = (tensor.detach().numpy() for tensor in (student.inward, student.bias, student.outward))
    return Layer(inward, bias, outward, student.repeats)


def write(student: Student, start: Path, out: Path, source: str) -> None:
    """Write a student that began as the model in `start`; its name, sizes and licence stay."""
    about = json.loads((start / "model.json").read_text(encoding="utf-8"))
    kept = {"dims": about["dims"], "licence": about["licence"]}
    write_model(
        out, about["name"], student.rows.numpy(), layer_of(student), start / "pieces.model", source=source, **kept
    )
