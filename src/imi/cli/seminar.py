"""`imi seminar`: the seminar slide by slide, in Japanese or English, each step with a command that runs."""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from imi.cli.options import Output
from imi.cli.output import note, progress, show, show_json
from imi.cli.parameters import Argument, Option
from imi.cli.terminal import say
from imi.cli.verbs import verb
from imi.errors import DataError
from imi.language import language

if TYPE_CHECKING:
    import typer

    from imi.seminar.guide import SeminarStep

_STEP, _TITLE = {"en": "step", "ja": "番号"}, {"en": "what it shows", "ja": "内容"}
_LOOK, _TRY = {"en": "look at", "ja": "見どころ"}, {"en": "try", "ja": "試す"}
_NEXT = {
    "en": "imi seminar next: {id} {title}",
    "ja": "続き（imi seminar next）：{id} {title}",
}
_START = {
    "en": "imi seminar 1.1 shows and runs a step, imi seminar next the one after it; files go to ./seminar",
    "ja": "imi seminar 1.1 でステップを表示して実行、imi seminar next で次へ。ファイルは ./seminar に置きます",
}
_END = {"en": "that was the last step; imi seminar lists all", "ja": "最後のステップです。一覧は imi seminar"}


@dataclass(frozen=True, kw_only=True)
class SeminarOptions(Output):
    """What `imi seminar` takes."""

    step: Annotated[
        str | None, Argument(metavar="[STEP]", help="Which step, 1.1 to A.11, or next; all are listed without it.")
    ] = None
    page: Annotated[
        Path | None,
        Option("--page", metavar="FILE", help="Run all steps, or the one named, and write them as one HTML page."),
    ] = None


def seminar(options: SeminarOptions) -> None:
    """Go through the seminar that imi grew out of, slide by slide: what it says, a command that runs, what to look at.

    In Japanese where the locale or IMI_LANG asks for it. Small data of its own is written to ./seminar.
    """
    from imi.seminar.guide import find_step, last_shown, step_after, steps

    spoken = language()
    chosen: SeminarStep | None = None
    if options.step == "next":
        chosen = step_after(last_shown())
        if chosen is None:
            note(_END[spoken], quiet=options.quiet)
            if options.as_json:
                show_json(None)
            return
    elif options.step is not None:
        chosen = find_step(options.step)
    if options.page is not None:
        _write(options.page, steps() if chosen is None else (chosen,), options)
    elif chosen is None:
        _list(steps(), spoken, options)
    else:
        _show(chosen, spoken, options)


def _list(steps: Sequence[SeminarStep], spoken: str, options: SeminarOptions) -> None:
    if options.as_json:
        show_json([step.to_dict(spoken) for step in steps])
        return
    heads = [_STEP[spoken], _TITLE[spoken]]
    for part, members in groupby(steps, key=lambda step: step.part):
        rows = [[step.id, step.title.in_language(spoken)] for step in members]
        show(None, heads, rows, as_json=False, title=part.in_language(spoken))
    note(_START[spoken], quiet=options.quiet)


def _show(step: SeminarStep, spoken: str, options: SeminarOptions) -> None:
    from imi.seminar.guide import remember, step_after

    if options.as_json:
        show_json({**step.to_dict(spoken), "output": _captured(step, spoken)})
        remember(step)
        return
    say(f"{step.id}  {step.title.in_language(spoken)}")
    say(f"\n{step.slide.in_language(spoken)}\n", flush=True)
    _run(step, spoken, show_code=True)
    say(f"\n{_LOOK[spoken]}: {step.look.in_language(spoken)}")
    say(f"{_TRY[spoken]}: {step.question.in_language(spoken)}")
    remember(step)
    after = step_after(step.id)
    said = _END[spoken] if after is None else _NEXT[spoken].format(id=after.id, title=after.title.in_language(spoken))
    note(said, quiet=options.quiet)


def _run(step: SeminarStep, spoken: str, *, show_code: bool) -> None:
    """Make what a step needs, run its commands and its Python, and let both print."""
    from imi.seminar.guide import run_code

    reason = step.missing()
    if reason is not None:
        say(reason.in_language(spoken))
        return
    _prepare(step)
    for command in step.runs:
        say(f"$ {command}", flush=True)
        _command(command)
    if step.code:
        if step.runs:
            say()
        if show_code:
            say("\n".join(f"    {line}".rstrip() for line in step.code.splitlines()) + "\n", flush=True)
        run_code(step)


def _prepare(step: SeminarStep) -> None:
    """Make the collections of a step that are not there yet."""
    from imi.seminar.guide import prepare

    for command in prepare(step):
        say(f"$ {command}", flush=True)
        _command(command)


def _command(command: str) -> None:
    from imi.cli.command import run

    code = run(shlex.split(command)[1:])
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise DataError(
            f"the step ended with code {code} at: {command}",
            hint="read the message above; a folder seminar of something else is best left for another folder",
        )


class _Screen(io.StringIO):
    """Takes what a terminal would show: tables with their heads, without colours."""

    def isatty(self) -> bool:
        return True


class _Beside(io.StringIO):
    """Writes notes among the results, without bars of progress."""

    def __init__(self, screen: _Screen) -> None:
        super().__init__()
        self._screen = screen

    def write(self, text: str) -> int:
        return self._screen.write(text)


def _captured(step: SeminarStep, spoken: str, *, show_code: bool = False, only_prepare: bool = False) -> str:
    """Run a step, or only make what it needs, and return what it printed in a language."""
    screen = _Screen()
    settings = {"IMI_LANG": spoken, "TERM": "dumb", "COLUMNS": "110", "LINES": "50"}
    try:
        with _environment(settings), redirect_stdout(screen), redirect_stderr(_Beside(screen)):
            if only_prepare:
                _prepare(step)
            else:
                _run(step, spoken, show_code=show_code)
    except DataError as error:
        raise DataError(f"{error.message}\n{screen.getvalue().strip()}", hint=error.hint) from error
    return "\n".join(line.rstrip() for line in screen.getvalue().strip().splitlines())


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    """Set variables for a while."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _write(path: Path, steps: Sequence[SeminarStep], options: SeminarOptions) -> None:
    from imi.seminar.page import write_steps
    from imi.tasks.report import check_report

    check_report(path)
    shown = []
    with progress("running", quiet=options.quiet) as bar:
        for at, step in enumerate(steps):
            if step.missing() is None:
                _captured(step, "en", only_prepare=True)  # once, so that both languages print the same
            shown.append((step, {spoken: _captured(step, spoken, show_code=True) for spoken in ("en", "ja")}))
            if bar is not None:
                bar(at + 1, len(steps))
    write_steps(path, shown)
    value = {"page": str(path), "steps": len(steps)}
    show(value, list(value), [list(value.values())], as_json=options.as_json)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb(
        app,
        "seminar",
        SeminarOptions,
        seminar,
        example="""
        imi seminar
        imi seminar 1.2
        imi seminar 3.4 --page seminar.html
        """,
    )
