"""Articles as people keep them, a folder a format, added by the command and asked: is the answer in the first passage?

    python benchmarks/documents.py [--data ../shared/data] [--part dev] [--formats md docx …] [--languages ja en across]
                                   [--questions 400] [--model NAME] [--deep] [--keep FOLDER] [--json FILE]

The articles are JaQuAD's and SQuAD's development paragraphs, put together by their titles: plain text, the same with
lines wrapped by hand, Markdown, HTML (with navigation, a footer and readings over kanji), Word, PDF in one column and
in two, and slides. `across` asks JaQuAD's articles in English. `--part train` takes as many articles of the training
parts; tune on these. Nothing but the collection's model orders what is found; with `--deep` the finer model has read
all rows first, as by `imi deepen`, and orders what hybrid finds.

A passage of JaQuAD is right when it holds one of the answers. SQuAD's questions come without answers: there a passage
is right when half of the question's paragraph is in it, or half of the passage is of that paragraph. Printed for each
folder and way of searching: right in the first passage and in the first five, characters of these five; seconds of
processor a file.
"""

import argparse
import contextlib
import io
import json
import random
import tempfile
import textwrap
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

import imi
import imi.cli
from imi.evaluate import splits
from imi.evaluate.sets import ENGLISH_QUESTIONS

MODES = ("text", "meaning", "hybrid")
READ = 5
SECTION = 4
"""Paragraphs under a heading."""
RUNS = "一-鿿"


@dataclass(frozen=True)
class Article:
    """A title and its paragraphs, with a heading above every few."""

    title: str
    paragraphs: tuple[str, ...]
    japanese: bool

    def sections(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return (heading, paragraphs)."""
        word = "第{}節" if self.japanese else "Section {}"
        starts = range(0, len(self.paragraphs), SECTION)
        return [(word.format(n), self.paragraphs[at : at + SECTION]) for n, at in enumerate(starts, 1)]


@dataclass(frozen=True)
class Asked:
    """A question, the strings of which a right passage holds one, and the paragraph it was written for."""

    text: str
    answers: tuple[str, ...]
    paragraph: str


# --- the formats ---


def as_text(article: Article, path: Path) -> None:
    parts = [article.title]
    for heading, paragraphs in article.sections():
        parts += [heading, *paragraphs]
    path.write_text("\n\n".join(parts) + "\n", "utf-8")


def as_wrapped(article: Article, path: Path) -> None:
    width = 36 if article.japanese else 76
    lines = [article.title, ""]
    for heading, paragraphs in article.sections():
        lines += [heading, ""]
        for paragraph in paragraphs:
            for part in paragraph.split("\n\n"):
                part = part.replace("\n", "" if article.japanese else " ")
                if article.japanese:
                    lines += [part[at : at + width] for at in range(0, len(part), width)]
                else:
                    lines += textwrap.wrap(part, width)
                lines.append("")
    path.write_text("\n".join(lines), "utf-8")


def as_markdown(article: Article, path: Path) -> None:
    parts = [f"---\ntitle: {json.dumps(article.title, ensure_ascii=False)}\ntags: [article]\n---", f"# {article.title}"]
    for number, (heading, paragraphs) in enumerate(article.sections(), 1):
        parts += [f"## {heading} {{#s{number}}}", *paragraphs]
    path.write_text("\n\n".join(parts) + "\n", "utf-8")


def as_html(article: Article, path: Path) -> None:
    menu = "".join(f"<li><a href='/{n}'>Menu {n}</a></li>" for n in range(8))
    body = [f"<h1>{escape(article.title)}</h1>"]
    for heading, paragraphs in article.sections():
        body.append(f"<h2>{heading}</h2>")
        body += [f"<p>{part}</p>" for paragraph in paragraphs for part in _with_readings(paragraph, article.japanese)]
    path.write_text(
        f"<!DOCTYPE html><html><head><meta charset='utf-8'><title>{escape(article.title)} - Wiki</title></head><body>"
        f"<header><nav><ul>{menu}</ul></nav></header><main><article>{''.join(body)}</article></main>"
        f"<footer><p>All rights reserved. Contact us. Privacy.</p><ul>{menu}</ul></footer></body></html>",
        "utf-8",
    )


def _with_readings(paragraph: str, japanese: bool) -> list[str]:
    """Return HTML paragraphs; every fifth run of kanji carries a reading."""
    import re

    count = 0

    def ruby(match: "re.Match[str]") -> str:
        nonlocal count
        count += 1
        return match[0] if count % 5 else f"<ruby>{match[0]}<rp>(</rp><rt>よみがな</rt><rp>)</rp></ruby>"

    parts = [escape(part) for part in paragraph.split("\n\n")]
    return [re.sub(f"[{RUNS}]+", ruby, part) for part in parts] if japanese else parts


def as_word(article: Article, path: Path) -> None:
    from docx import Document

    document = Document()
    document.add_heading(article.title, 0)
    for heading, paragraphs in article.sections():
        document.add_heading(heading, 1)
        for paragraph in paragraphs:
            for part in paragraph.split("\n\n"):
                document.add_paragraph(part)
    document.save(str(path))


def as_slides(article: Article, path: Path) -> None:
    from pptx import Presentation

    slides = Presentation()
    slides.slides.add_slide(slides.slide_layouts[0]).shapes.title.text = article.title
    for heading, paragraphs in article.sections():
        for paragraph in paragraphs:
            slide = slides.slides.add_slide(slides.slide_layouts[1])
            slide.shapes.title.text = heading
            slide.placeholders[1].text = paragraph
    slides.save(str(path))


def as_pdf(article: Article, path: Path, columns: int = 1) -> None:
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph

    name = _font() if article.japanese else "Helvetica"
    wrap = "CJK" if article.japanese else None
    plain = ParagraphStyle("plain", fontName=name, fontSize=10, leading=14, spaceAfter=7, wordWrap=wrap)
    head = ParagraphStyle("head", parent=plain, fontSize=14, leading=20, spaceBefore=8)
    width, height = A4
    room = (width - 100 - 20 * (columns - 1)) / columns
    frames = [Frame(50 + at * (room + 20), 60, room, height - 120, 0, 0, 0, 0) for at in range(columns)]

    def numbered(canvas, document) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawCentredString(width / 2, 30, str(document.page))

    flow = [Paragraph(escape(article.title), head)]
    for heading, paragraphs in article.sections():
        flow.append(Paragraph(heading, head))
        flow += [Paragraph(escape(part), plain) for one in paragraphs for part in one.split("\n\n") if part.strip()]
    document = BaseDocTemplate(str(path), pagesize=A4, title=article.title)
    document.addPageTemplates(PageTemplate(frames=frames, onPage=numbered))
    document.build(flow)


def _font() -> str:
    """Register the Japanese font that japanize-matplotlib carries, and return its name."""
    from importlib.util import find_spec

    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    if "IPAexGothic" not in pdfmetrics.getRegisteredFontNames():
        home = find_spec("japanize_matplotlib").submodule_search_locations[0]
        pdfmetrics.registerFont(TTFont("IPAexGothic", f"{home}/fonts/ipaexg.ttf"))
    return "IPAexGothic"


FORMATS: dict[str, tuple[str, Callable[[Article, Path], None]]] = {
    "txt": (".txt", as_text),
    "wrapped": (".txt", as_wrapped),
    "md": (".md", as_markdown),
    "html": (".html", as_html),
    "docx": (".docx", as_word),
    "pdf": (".pdf", as_pdf),
    "pdf2": (".pdf", lambda article, path: as_pdf(article, path, 2)),
    "pptx": (".pptx", as_slides),
}


# --- articles and questions ---


def japanese(data: Path, part: str, most: int) -> tuple[list[Article], list[Asked]]:
    paragraphs, questions = splits.jaquad(data, part)
    rows = splits.read_json_lines(data / f"jaquad/{part}_queries.jsonl.gz")
    given = {row["_id"]: tuple(row["answers"]) for row in rows}
    return _taken(paragraphs, questions, given, most, japanese=True)


def english(data: Path, part: str, most: int) -> tuple[list[Article], list[Asked]]:
    paragraphs, questions = splits.squad(data)
    rows = splits.read_json_lines(data / "squad/queries.jsonl.gz")
    answerable = {row["_id"] for row in rows if row["answerable"] == "yes"}
    asked = [one for one in getattr(questions, part) if one.id in answerable]
    return _taken(getattr(paragraphs, part), asked, {}, most, japanese=False)


def across(data: Path, part: str, most: int) -> tuple[list[Article], list[Asked]]:
    """Return the Japanese articles with English questions to them."""
    articles, asked = japanese(data, part, 10**6)
    paragraphs, questions = splits.jaquad(data, part)
    held = {p.text for one in articles for p in paragraphs if p.text in one.paragraphs}
    home = {question.id: question for question in questions}
    text_of = {p.id: p.text for p in paragraphs}
    answers = {one.text: one.answers for one in asked}
    rows = [line.split("\t") for line in splits.read_lines(ENGLISH_QUESTIONS)]
    found = []
    for row in rows:
        question = home.get(row[1]) if row[0] == part else None
        if question is not None and text_of[question.paragraph_id] in held:
            found.append(Asked(row[2], answers.get(question.text, ()), text_of[question.paragraph_id]))
    return articles, found[:most]


def _taken(paragraphs, questions, given, most: int, *, japanese: bool) -> tuple[list[Article], list[Asked]]:
    titles: dict[str, list[str]] = {}
    for one in paragraphs:
        titles.setdefault(one.title, []).append(one.text)
    # A hundred articles are what a development part has.
    kept = set(random.Random(0).sample(sorted(titles), min(101, len(titles))))
    articles = [Article(title, tuple(texts), japanese) for title, texts in titles.items() if title in kept]
    home = {one.id: one for one in paragraphs}
    asked = [one for one in questions if home[one.paragraph_id].title in kept]
    asked = random.Random(0).sample(asked, min(most, len(asked)))
    return articles, [Asked(one.text, given.get(one.id, ()), home[one.paragraph_id].text) for one in asked]


LANGUAGES = {"ja": japanese, "en": english, "across": across}


# --- asking ---


def plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def grams(text: str) -> set[str]:
    flat = plain(text)
    return {flat[at : at + 8] for at in range(max(1, len(flat) - 7))}


def is_right(asked: Asked, passage: str) -> bool:
    if asked.answers:
        return any(plain(answer) in plain(passage) for answer in asked.answers)
    wanted, given = grams(asked.paragraph), grams(passage)
    shared = len(wanted & given)
    return shared >= 0.5 * len(wanted) or shared >= 0.5 * len(given)


def score(collection: imi.Collection, questions: Sequence[Asked], mode: str) -> dict[str, float]:
    first, five, read = [], [], []
    for asked in questions:
        texts = [hit.text or "" for hit in collection.search(asked.text, k=READ, mode=mode)]
        right = [is_right(asked, text) for text in texts]
        first.append(bool(right) and right[0])
        five.append(any(right))
        read.append(sum(map(len, texts)))
    return {"first": float(np.mean(first)), "five": float(np.mean(five)), "characters": float(np.mean(read))}


def written(articles: Iterable[Article], kind: str, folder: Path) -> int:
    suffix, write = FORMATS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for number, article in enumerate(articles, 1):
        safe = "".join(char if char.isalnum() else "_" for char in article.title)[:40]
        path = folder / f"{number:03}-{safe}{suffix}"
        if not path.exists():
            write(article, path)
    return number


def measured(kind: str, language: str, given: argparse.Namespace, kept: Path, scratch: Path) -> dict[str, object]:
    articles, questions = LANGUAGES[language](given.data, given.part, given.questions)
    folder = kept / f"{given.part}-{'ja' if language == 'across' else language}-{kind}"
    files = written(articles, kind, folder)
    collection = scratch / f"{language}-{kind}.imi"
    chosen = ["--model", given.model] if given.model else []
    began, busy = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        wrong = imi.cli.main(["add", str(collection), str(folder), "-q", "--json", *chosen])
    if wrong:
        raise SystemExit(f"{folder} could not be added")
    seconds, busy = (time.perf_counter() - began) / files, (time.process_time() - busy) / files
    with imi.open(collection) as opened:
        rows = len(opened)
        if given.deep:
            opened.deepen()
        opened.rerank = "deep" if given.deep else "none"
        scores = {mode: score(opened, questions, mode) for mode in MODES}
    shown = "  ".join(f"{scores[mode]['first']:.3f} {scores[mode]['five']:.3f}" for mode in MODES)
    read = scores["hybrid"]["characters"]
    print(
        f"{language:7}{kind:8}{rows:6} rows  {shown}  {read:7.0f} characters  {busy * 1000:6.0f} ms a file", flush=True
    )
    return {
        "language": language,
        "format": kind,
        "files": files,
        "questions": len(questions),
        "rows": rows,
        "seconds": seconds,
        "busy": busy,
        "scores": scores,
    }


def table(results: Sequence[dict]) -> str:
    """Return the table of docs/benchmarks, Markdown."""
    lines = [
        "| | format | rows | text: first, five | meaning | hybrid | characters read | processor a file |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in results:
        scores = [f"{one['scores'][mode]['first']:.3f}, {one['scores'][mode]['five']:.3f}" for mode in MODES]
        lines.append(
            f"| {one['language']} | {one['format']} | {one['rows']:,} | {' | '.join(scores)} | "
            f"{one['scores']['hybrid']['characters']:,.0f} | {one['busy'] * 1000:.0f} ms |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Articles in eight formats, added and asked.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--part", choices=("dev", "train"), default="dev")
    parser.add_argument("--formats", nargs="*", choices=list(FORMATS), default=list(FORMATS))
    parser.add_argument("--languages", nargs="*", choices=list(LANGUAGES), default=list(LANGUAGES))
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--model", default=None)
    parser.add_argument("--deep", action="store_true", help="let the finer model read all rows and order by it")
    parser.add_argument("--keep", type=Path, default=None, help="where the files are to stay")
    parser.add_argument(
        "--json", type=Path, default=None, help="where the figures go; a table of the same name beside it"
    )
    given = parser.parse_args()
    print(f"{'':21}    rows  {'  '.join(f'{mode}: first five'[:11].ljust(11) for mode in MODES)}")
    results = []
    with tempfile.TemporaryDirectory() as files:
        for language in given.languages:
            for kind in given.formats:
                with tempfile.TemporaryDirectory() as scratch:
                    results.append(measured(kind, language, given, given.keep or Path(files), Path(scratch)))
    if given.json:
        given.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
        given.json.with_suffix(".md").write_text(table(results) + "\n", "utf-8")
    print(table(results))
