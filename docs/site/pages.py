"""The pages of the documentation that are made from the code, and how the site is put together from them.

mkdocs loads this file as a hook (`mkdocs.yml`); the tests call its functions without mkdocs.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import imi
import imi.errors
from imi.cli.groups import GROUPS
from imi.cli.verbs import load_verb
from imi.errors import ImiError
from imi.tasks.doctor_checks import CHECKS

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"

# What is public, by the module that it is imported from.
PUBLIC = ("imi", "imi.tasks", "imi.rag", "imi.evaluate", "imi.train", "imi.index", "imi.errors")

# The pages that people wrote, in the order in which they are best read.
GUIDES = {
    "How it searches": "search.md",
    "Files": "files.md",
    "From documents to answers": "answers.md",
    "Pictures": "pictures.md",
    "Tasks": "tasks.md",
    "The page": "page.md",
    "The server": "server.md",
    "Engines and clusters": "scale.md",
    "Models of others": "plugins.md",
}
ABOUT = {
    "Threat model": "threat-model.md",
    "Versions": "versions.md",
    "Benchmarks": "benchmarks/README.md",
    "Tasks at scale": "tasks_scale.md",
    "Where embeddings come from": "origins.md",
    "The Matryoshka lab": "lab/README.md",
    "The lab's tables": "lab/TABLES.md",
    "The built-in model": "model-card.md",
    "Architecture": "ARCHITECTURE.md",
    "Log": "LOG.md",
    "Changes": "changes.md",
    "Working on imi": "contributing.md",
}


def verbs() -> dict[str, dict[str, str]]:
    """Return the verbs by group, each with the module that registers it; hidden ones are on no page."""
    return {group.name: dict(group.verbs) for group in GROUPS if not group.hidden}


def verb_page(name: str, module: str) -> str:
    """Return the page of a verb, made from the command itself."""
    command = load_verb(name, module)
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    usage = " ".join(["imi", name, "[OPTIONS]", *(_metavar(one) for one in arguments)])
    parts = [f"# imi {name}", command.help, f"```text\n{usage}\n```"]
    if arguments:
        rows = [(f"`{_metavar(one)}`", one.help) for one in arguments]
        parts += ["## Arguments", _table(("argument", "what"), rows)]
    rows = [(_names(one), one.help, _default(one)) for one in options if not one.hidden and one.name != "help"]
    parts += ["## Options", _table(("option", "what", "default"), rows)]
    _, _, example = (command.epilog or "").partition("Example:\n")
    lines = "\n".join(line.strip() for line in example.splitlines() if line.strip())
    parts += ["## Example", f"```console\n{lines}\n```", "[All commands](index.md)"]
    return "\n\n".join(parts) + "\n"


def _metavar(argument: Any) -> str:
    shown = argument.metavar or argument.name.upper()
    several = "..." if argument.nargs != 1 and not shown.rstrip("]").endswith("...") else ""
    return f"{shown}{several}" if argument.required or shown.startswith("[") else f"[{shown}{several}]"


def _names(option: Any) -> str:
    value = f" {option.metavar}" if option.metavar else ""
    names = ", ".join(f"`{name}{value}`" for name in [*option.opts, *option.secondary_opts])
    variable = f" (environment: `{option.envvar}`)" if option.envvar else ""
    return names + variable


def _default(option: Any) -> str:
    value = option.default
    if value is None or value is False or value in ("", (), []) or callable(value) or option.required:
        return ""
    return f"`{', '.join(map(str, value)) if isinstance(value, list | tuple) else value}`"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    def cell(text: str | None) -> str:
        return " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;")

    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(map(cell, row)) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def verb_index() -> str:
    """Return the page that lists the verbs by group."""
    parts = ["# Commands", "`imi VERB --help` prints what these pages say, and every verb takes `--json`."]
    for group, modules in verbs().items():
        rows = [(f"[`{name}`]({name}.md)", _first(load_verb(name, at).help)) for name, at in modules.items()]
        parts += [f"## {group.capitalize()}", _table(("verb", "what it does"), rows)]
    return "\n\n".join(parts) + "\n"


def _first(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def errors() -> list[type[ImiError]]:
    """Return every error that crosses the public face, bases first."""
    found = [one for one in vars(imi.errors).values() if isinstance(one, type) and issubclass(one, ImiError)]
    return sorted(found, key=lambda one: (len(one.__mro__), one.__name__))


def explained(error: type[ImiError]) -> tuple[str, str, str]:
    """Return what an error is, why it comes and how to mend it, from its docstring."""
    paragraphs = [" ".join(one.split()) for one in (inspect.getdoc(error) or "").split("\n\n")]
    said = {label: text for label, colon, text in (one.partition(": ") for one in paragraphs[1:]) if colon}
    if not {"Why", "Mend"} <= set(said):
        raise LookupError(f"the docstring of imi.errors.{error.__name__} needs a paragraph 'Why: …' and one 'Mend: …'")
    return paragraphs[0], said["Why"], said["Mend"]


def error_page(error: type[ImiError]) -> str:
    """Return the page of an error: what, why, mend."""
    what, why, mend = explained(error)
    bases = ", ".join(f"`{one.__name__}`" for one in error.__mro__[1:-3] if one is not Exception)
    about = f"`imi.errors.{error.__name__}`" + (f", also {bases}" if bases else "")
    about += f". The command line ends with exit code {error.exit_code}."
    return _what_why_mend(error.__name__, f"{about}\n\n{what}", why[0].upper() + why[1:], mend[0].upper() + mend[1:])


def finding_page(name: str) -> str:
    """Return the page of a check of `imi doctor`: what, why, mend."""
    check = CHECKS[name]
    return _what_why_mend(f"doctor: {name}", check.what, check.why, check.mend)


def _what_why_mend(title: str, what: str, why: str, mend: str) -> str:
    return f"# {title}\n\n{what}\n\n## Why\n\n{why}\n\n## What to do\n\n{mend}\n"


def slug(name: str) -> str:
    """Return a file name for the name of a check or an error."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def error_index() -> str:
    """Return the page that lists all errors and findings."""
    tree = (imi.errors.__doc__ or "").split("\n\n", 1)[1]
    listed = [(f"[`{one.__name__}`]({slug(one.__name__)}.md)", explained(one)[0]) for one in errors()]
    found = [(f"[{name}](doctor-{slug(name)}.md)", check.what) for name, check in CHECKS.items()]
    return (
        "# Errors and findings\n\nWhat imi raises, what `imi doctor` finds: what it is, why it comes, what to do.\n\n"
        f"```text\n{inspect.cleandoc(tree.rsplit('A message says', 1)[0])}\n```\n\n"
        f"{_table(('error', 'what'), listed)}\n\n## Findings of the doctor\n\n{_table(('check', 'what'), found)}\n"
    )


def api_page(module: str) -> str:
    """Return the reference of a public module: each of its names where it is defined, under the name to import."""
    loaded = import_module(module)
    parts = [f"# {module}", inspect.getdoc(loaded) or ""] if module != "imi.errors" else [f"# {module}"]
    parts[1:] = [
        re.sub(r"(?m)^(    .*(?:\n    .*|\n)*)", lambda m: f"```python\n{_dedent(m[1])}\n```\n", one)
        for one in parts[1:]
    ]
    names = getattr(loaded, "__all__", None) or [one.__name__ for one in errors()]
    for name in names:
        try:
            value = getattr(loaded, name)
        except ImiError:  # an extra that is not installed here: its page says where it is defined all the same
            value = None
        if inspect.ismodule(value) or name == "__version__" or (module == "imi" and name in vars(imi.errors)):
            continue  # modules and errors have pages of their own
        if module != "imi" and name in imi.__all__ and value is getattr(imi, name):
            parts.append(f"## {name}\n\nThe same as [imi.{name}](imi.md).")
            continue
        home = getattr(value, "__module__", module)
        options = "    options:\n      heading_level: 2\n      show_root_full_path: false\n"
        parts.append(f"::: {home}.{name}\n{options}")
    return "\n\n".join(parts) + "\n"


def _dedent(text: str) -> str:
    return inspect.cleandoc("\n" + text).rstrip()


def linked(text: str, here: str = "") -> str:
    """Return a page of the repository as a page of the site: files that have a page there become links."""
    known = {f"docs/{path.relative_to(DOCS)}" for path in DOCS.rglob("*.md")}
    known |= {"src/imi/models/built-in/card.md", "docs/benchmarks", "docs/lab"}
    up = "../" * here.count("/")

    def link(match: re.Match[str]) -> str:
        path = match[1]
        if path not in known:
            return match[0]
        target = {"src/imi/models/built-in/card.md": "model-card.md"}.get(path, path.removeprefix("docs/"))
        target += "/README.md" if path in ("docs/benchmarks", "docs/lab") else ""
        return f"[{path.removeprefix('docs/')}]({up}{target})"

    text = re.sub(r"(?<!\[)`([\w./-]+)`(?!\])", link, text)
    if up:  # a folder of docs/ has a README.md of its own
        return text
    return text.replace("](README.ja.md)", "](ja.md)").replace("](README.md)", "](index.md)")


def generated() -> dict[str, str]:
    """Return every page that no file of docs/ holds, by its path in the site."""
    pages = {
        "index.md": linked((ROOT / "README.md").read_text("utf-8")),
        "ja.md": linked((ROOT / "README.ja.md").read_text("utf-8")),
        "changes.md": linked((ROOT / "CHANGELOG.md").read_text("utf-8")),
        "contributing.md": linked((ROOT / "CONTRIBUTING.md").read_text("utf-8")),
        "model-card.md": linked((ROOT / "src/imi/models/built-in/card.md").read_text("utf-8")),
        "reference/commands/index.md": verb_index(),
        "reference/errors/index.md": error_index(),
    }
    for modules in verbs().values():
        pages |= {f"reference/commands/{name}.md": verb_page(name, at) for name, at in modules.items()}
    pages |= {f"reference/errors/{slug(one.__name__)}.md": error_page(one) for one in errors()}
    pages |= {f"reference/errors/doctor-{slug(name)}.md": finding_page(name) for name in CHECKS}
    pages |= {f"reference/python/{module}.md": api_page(module) for module in PUBLIC}
    return pages


def guides() -> dict[str, str]:
    """Return the guides in their order; a page of docs/ that is not listed comes last, by its title."""
    listed = {*GUIDES.values(), *ABOUT.values(), "slides.md", "environment.md"}
    others = sorted(path for path in DOCS.glob("*.md") if path.name not in listed)
    titles = {path.read_text("utf-8").split("\n", 1)[0].lstrip("# "): path.name for path in others}
    return GUIDES | titles


def nav() -> list[Any]:
    """Return the tree of pages."""
    commands: list[Any] = ["reference/commands/index.md"]
    for group, modules in verbs().items():
        commands.append({group: [{name: f"reference/commands/{name}.md"} for name in modules]})
    kinds = [{one.__name__: f"reference/errors/{slug(one.__name__)}.md"} for one in errors()]
    findings = [{name: f"reference/errors/doctor-{slug(name)}.md"} for name in CHECKS]
    return [
        {"First minute": "index.md"},
        {"日本語": "ja.md"},
        {"Guides": [{title: path} for title, path in guides().items()]},
        {"The seminar": "slides.md"},
        {
            "Reference": [
                {"Commands": commands},
                {"Python": [{module: f"reference/python/{module}.md"} for module in PUBLIC]},
                {"Errors and findings": ["reference/errors/index.md", {"errors": kinds}, {"doctor": findings}]},
                {"Environment variables": "environment.md"},
            ]
        },
        {"About": [_about(title, path) for title, path in ABOUT.items()]},
    ]


def _about(title: str, path: str) -> Any:
    if title != "Benchmarks":
        return {title: path}
    tables = sorted(one.relative_to(DOCS).as_posix() for one in (DOCS / "benchmarks").glob("*.md"))
    return {title: [path, *(one for one in tables if one != path)]}


# --- what mkdocs calls ---


def on_config(config: Any) -> Any:
    """Give mkdocs the tree of pages."""
    config.nav = nav()
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to those of docs/."""
    from mkdocs.structure.files import File

    for path, content in generated().items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let a page of docs/ link to the files that it names."""
    return linked(markdown, page.file.src_uri)
