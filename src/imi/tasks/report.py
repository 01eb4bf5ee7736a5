"""What a task found, as sentences and tables in English and Japanese, for the terminal and for one page to send on."""

from __future__ import annotations

import base64
import html
import json
import math
import tempfile
import types
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from imi.atomic import whole
from imi.errors import MissingExtra, UsageError
from imi.language import language
from imi.records import Document
from imi.text.readable import readable


@dataclass(frozen=True)
class Phrase:
    """One phrase in both languages."""

    en: str
    ja: str

    def in_language(self, language: str) -> str:
        """Return the phrase in "ja", else in English."""
        return self.ja if language == "ja" else self.en


def span(low: float, high: float) -> Phrase:
    """Return an interval as a cell shows it."""
    return Phrase(f"{low:.3f} to {high:.3f}", f"{low:.3f}〜{high:.3f}")


_OF_DOCUMENTS = frozenset(
    {"text", "most typical text", "its text", "where it differs", "nearest normal row", "nearest liked"}
)
"""Columns whose cells are texts of documents."""
_BESIDE = 200
"""Characters of a text that only accompanies the one a row is about."""


@dataclass(frozen=True)
class ReportTable:
    """Rows under columns; cells are texts, numbers, phrases or None."""

    columns: tuple[Phrase, ...]
    rows: Sequence[Sequence[Any]]
    title: Phrase | None = None

    def for_people(self) -> ReportTable:
        """Return the table as people read it: texts without markup and the words of a template, no empty columns."""
        kept = [at for at in range(len(self.columns)) if any(as_text(row[at]) for row in self.rows)]
        columns = tuple(self.columns[at] for at in kept)

        def read(at: int, cell: Any) -> Any:
            head = self.columns[at].en
            if not isinstance(cell, str) or head not in _OF_DOCUMENTS:
                return cell
            read = as_read(cell)
            return f"{read[: _BESIDE - 1]}…" if head.startswith("nearest") and len(read) > _BESIDE else read

        rows = [[read(at, row[at]) for at in kept] for row in self.rows]
        return replace(self, columns=columns, rows=rows)


@dataclass(frozen=True)
class Findings:
    """What a task found: its name, sentences that sum it up (the baseline's among them), and tables."""

    title: Phrase
    says: tuple[Phrase, ...]
    tables: tuple[ReportTable, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


class Reported(ABC):
    """A result that can be reported: it has `findings()`, and perhaps a `figure`."""

    @abstractmethod
    def findings(self) -> Findings:
        """Return the sentences and tables of this result."""

    def report(self, path: str | Path, settings: Mapping[str, Any] | None = None) -> None:
        """Write one HTML page with the sentences, tables, figure and settings, in both languages, without a network.

        Args:
            path: ends in .html.
            settings: what the task was called with, shown at the end.

        Raises:
            UsageError: another suffix.
        """
        write_report(path, self.findings(), getattr(self, "figure", None), settings)


def confusion_table(confusion: Any, labels: Sequence[Any]) -> ReportTable:
    """Return a confusion matrix (c, c), rows the truth, as a table; of many labels the pairs mixed up most."""
    if len(labels) <= 12:
        columns = (
            Phrase("true ↓, predicted →", "正解 ↓ 予測 →"),
            *(Phrase(str(label), str(label)) for label in labels),
        )
        rows: list[list[Any]] = [[str(label), *map(int, row)] for label, row in zip(labels, confusion, strict=True)]
        return ReportTable(columns, rows, Phrase("Confusion", "混同行列"))
    wrong = [
        (int(confusion[true][said]), str(labels[true]), str(labels[said]))
        for true in range(len(labels))
        for said in range(len(labels))
        if true != said and confusion[true][said]
    ]
    rows = [[true, said, count] for count, true, said in sorted(wrong, key=lambda one: -one[0])[:12]]
    columns = (Phrase("true", "正解"), Phrase("predicted", "予測"), Phrase("times", "回数"))
    return ReportTable(columns, rows, Phrase("Mixed up most", "取り違えの多いペア"))


def worst_table(rows: Sequence[Sequence[Any]]) -> ReportTable:
    """Return the rows (id, text, true, predicted, confidence) of the surest wrong answers as a table."""
    columns = (
        Phrase("id", "ID"),
        Phrase("text", "テキスト"),
        Phrase("true", "正解"),
        Phrase("predicted", "予測"),
        Phrase("confidence", "確信度"),
    )
    return ReportTable(columns, rows, Phrase("Wrong, and surest of it", "確信度の高い誤り"))


def check_report(path: str | Path) -> None:
    """Raise UsageError where a report cannot be written to this path, before anything is computed."""
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"a report cannot be written as {Path(path).name}: it is one HTML page", hint="use .html")


def write_report(
    path: str | Path,
    findings: Findings,
    figure: Any = None,
    settings: Mapping[str, Any] | None = None,
    pictures: Mapping[str, bytes] | None = None,
) -> None:
    """Write findings as one page; see `Reported.report`.

    Args:
        path: ends in .html.
        findings: sentences and tables.
        figure: draws into a file.
        settings: what the task was called with.
        pictures: small JPEG files by id; a cell of such ids shows the pictures.
    """
    check_report(path)
    drawn = _drawn(figure)
    result = {**findings.settings, **(settings or {})}
    parts = [f"<h1>{both(findings.title)}</h1>"]
    parts += [f"<p>{both(phrase)}</p>" for phrase in findings.says]
    parts += [_table(table.for_people(), pictures or {}) for table in findings.tables if table.rows]
    if drawn:
        parts.append(f"<figure>{drawn}</figure>")
    if result:
        rows = "".join(
            f"<tr><th>{html.escape(str(key))}</th><td>{_cell(value)}</td></tr>" for key, value in result.items()
        )
        parts.append(f"<h2>{both(Phrase('Settings', '設定'))}</h2><table>{rows}</table>")
    write_page(path, findings.title, "\n".join(parts))


def write_page(path: str | Path, title: Phrase, body: str) -> None:
    """Write HTML as one page in the style of the reports: a switch for the language, nothing from elsewhere.

    It opens in the language of whoever writes it.
    """
    spoken = language()
    page = _PAGE.replace("{{language}}", spoken).replace(f'id="{spoken}"', f'id="{spoken}" checked')
    page = page.replace("{{title}}", html.escape(title.in_language(spoken))).replace("{{body}}", body)
    with whole(Path(path)) as beside:
        beside.write_text(page, encoding="utf-8")


def _drawn(figure: Any) -> str:
    """Return a figure as SVG, "" where there is none to draw or nothing to draw it with."""
    if figure is None:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.svg"
        try:
            figure(path)
        except (MissingExtra, UsageError):  # the page is worth having without it
            return ""
        svg = path.read_text(encoding="utf-8")
    return svg[svg.index("<svg") :]


def both(phrase: Phrase) -> str:
    """Return a phrase as HTML that shows the language chosen on the page."""
    if phrase.en == phrase.ja:
        return html.escape(phrase.en)
    return f'<span lang="en">{html.escape(phrase.en)}</span><span lang="ja">{html.escape(phrase.ja)}</span>'


def _cell(value: Any, pictures: Mapping[str, bytes] = types.MappingProxyType({})) -> str:
    if isinstance(value, Phrase):
        return both(value)
    shown = html.escape(as_text(value))
    if not isinstance(value, str):
        return shown
    # Several ids in one cell have spaces between them.
    images = [pictures[one] for one in ([value] if value in pictures else value.split()) if one in pictures]
    coded = (base64.b64encode(content).decode("ascii") for content in images)
    drawn = "".join(f'<img src="data:image/jpeg;base64,{content}" alt="">' for content in coded)
    return f"{drawn}<div>{shown}</div>" if drawn else shown


def as_read(text: str) -> str:
    """Return the text of a document as people read it, on one line: its title, then what it says."""
    read = readable(Document("", text))
    return " – ".join(part for part in (" ".join((read.title or "").split()), " ".join(read.body.split())) if part)


def as_text(value: Any) -> str:
    """Return a cell as people read it: three digits of a fraction, nothing for None or not-a-number."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _table(table: ReportTable, pictures: Mapping[str, bytes]) -> str:
    heads = "".join(f"<th>{both(column)}</th>" for column in table.columns)
    numeric = [
        all(
            row[at] is None or (isinstance(row[at], int | float) and not isinstance(row[at], bool))
            for row in table.rows
        )
        for at in range(len(table.columns))
    ]
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{' class=n' if right else ''}>{_cell(cell, pictures)}</td>"
            for cell, right in zip(row, numeric, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    title = f"<h2>{both(table.title)}</h2>" if table.title else ""
    return f"{title}<div class=wide><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"


_PAGE = """<!doctype html>
<html lang="{{language}}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{{title}} – imi</title>
<style>
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; font-size: .92rem } .wide { overflow-x: auto }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line) }
td { overflow-wrap: anywhere; min-width: 3rem } td:not(.n) { min-width: 6.5rem }
.n { text-align: right; font-variant-numeric: tabular-nums }
pre { overflow-x: auto; padding: .6rem .8rem; border: 1px solid var(--line); font-size: .85rem; line-height: 1.4 }
td img { max-width: 96px; max-height: 96px; margin: 0 .3rem .2rem 0; vertical-align: top; border-radius: 6px }
td:has(img) { font-size: .75rem; color: #888 }
figure { margin: 2rem 0 } figure svg { max-width: 100%; height: auto; background: #fff }
#ja:checked ~ main [lang=en], #en:checked ~ main [lang=ja] { display: none }
label { margin-right: 1rem; cursor: pointer } input:checked + label { font-weight: 600 }
</style></head><body>
<input type="radio" name="language" id="en"><label for="en">English</label>
<input type="radio" name="language" id="ja"><label for="ja">日本語</label>
<main>
{{body}}
</main></body></html>
"""
