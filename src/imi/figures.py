"""Pictures of results: matplotlib without global state, in fonts that this machine has, to PNG, SVG, PDF or HTML.

Where IMI_LANG or the locale asks for Japanese, titles, axes and legends are written in it.
"""

from __future__ import annotations

import html
import io
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imi.atomic import whole
from imi.errors import MissingExtra, UsageError
from imi.language import language, local

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with colour-blindness tell apart, then darker ones for many groups.
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#8C7A00",
    "#7F4FBF",
    "#5B5B5B",
    "#A03B3B",
    "#2F6B4F",
    "#345995",
)
_CJK = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "IPAexGothic",
    "IPAGothic",
    "IPAPGothic",
    "TakaoGothic",
    "TakaoPGothic",
    "VL Gothic",
    "Hiragino Sans",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
    "Noto Sans CJK SC",
    "Noto Sans Mono CJK JP",
    "Droid Sans Fallback",
)
_CJK_FILES = ("cjk", "notosansjp", "ipa", "takao", "vl-gothic", "hiragino", "yugoth", "meiryo", "msgothic")
"""What the files of such fonts are called, to find those that matplotlib's own list is too old to have."""
_TEXT = (".svg", ".html")
_KINDS = (".png", *_TEXT, ".pdf")


@cache
def _fonts() -> tuple[str, ...]:
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    if not known.intersection(_CJK):
        for path in font_manager.findSystemFonts():
            if any(part in Path(path).name.lower() for part in _CJK_FILES):
                font_manager.fontManager.addfont(path)
        known = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in _CJK if name in known))


def _undrawn(figure: Figure) -> str:
    """Return the characters of a figure that none of this machine's fonts draws, sorted."""
    from matplotlib import font_manager
    from matplotlib.text import Text

    characters = {one for text in figure.findobj(Text) for one in text.get_text() if one.isprintable()}
    for name in _fonts():
        font = font_manager.get_font(font_manager.findfont(name))
        characters = {one for one in characters if not font.get_char_index(ord(one))}
    return "".join(sorted(characters))


def _is_east_asian(character: str) -> bool:
    return "\u3000" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7af" or "\uff00" <= character <= "\uffef"


@cache
def _say_boxes(east_asian: bool) -> None:
    if east_asian:
        message = (
            "no font here draws Japanese text: boxes stand for it; save the picture as .svg or .html, which keep text "
            "as text, or install a font: `apt install fonts-noto-cjk` on Debian and Ubuntu, Noto Sans JP elsewhere"
        )
    else:
        message = (
            "no font here draws some characters: boxes stand for them; save the picture as .svg or .html, which keep "
            "text as text"
        )
    warnings.warn(message, RuntimeWarning, stacklevel=4)


def new_figure(width: float = 7, height: float = 5) -> tuple[Figure, Any]:
    """Return a figure of this size in inches and its axes, drawn without pyplot.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise MissingExtra("matplotlib", "plot") from missing
    with rc_context({"font.family": list(_fonts()), "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
        axes = figure.add_subplot()
    return figure, axes


def check_figure(path: str | Path) -> None:
    """Refuse a suffix that no figure has, before anything is computed.

    Raises:
        UsageError: it is none of .png, .svg, .html, .pdf.
    """
    kind = Path(path).suffix.lower()
    if kind not in _KINDS:
        raise UsageError(
            f"a figure cannot be written as {kind or 'a file without suffix'}: {path}",
            hint="use .png, .svg, .html or .pdf",
        )


def save_figure(figure: Figure, path: str | Path, below: str = "") -> None:
    """Write a figure; the suffix tells the kind. `below` is text that an HTML page shows under it.

    SVG and HTML hold their text as text. A PNG or PDF whose text no font here draws is written with boxes, and a
    warning says once how to get a font.

    Raises:
        UsageError: the suffix is none of .png, .svg, .html, .pdf.
    """
    from matplotlib import rc_context
    from matplotlib.text import Text

    kind = Path(path).suffix.lower()
    check_figure(path)
    if kind in _TEXT or set(_fonts()) & set(_CJK):  # better in English than in boxes
        _say_locally(figure)
    for text in figure.findobj(Text):  # made outside the context below, in matplotlib's default font
        text.set_fontfamily([*_fonts(), "sans-serif"])
    buffer = io.BytesIO()
    # Text in an SVG is drawn with the fonts of whoever looks at it; of the boxes in a PNG our own words tell, below.
    settings = {"font.sans-serif": [*_fonts(), *_CJK], "svg.fonttype": "none", "svg.hashsalt": "imi"}
    with warnings.catch_warnings(), rc_context(settings):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        form = "svg" if kind in _TEXT else kind[1:]
        figure.savefig(buffer, format=form, metadata={"Date": None} if form == "svg" else {})
    content = buffer.getvalue()
    if kind == ".html":
        svg = content.decode("utf-8")
        shown = f"<pre>{html.escape(below)}</pre>" if below else ""
        page = (
            f'<!doctype html><html lang="{language()}"><meta charset="utf-8"><title>imi</title>'
            '<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
            f"<body>{svg[svg.index('<svg') :]}{shown}</body></html>\n"
        )
        content = page.encode("utf-8")
    with whole(Path(path)) as beside:
        beside.write_bytes(content)
    missing = "" if kind in _TEXT else _undrawn(figure)
    if missing:
        _say_boxes(any(map(_is_east_asian, missing)))


def _say_locally(figure: Figure) -> None:
    """Put what a figure says of itself in the language of whoever looks at it; labels of rows are data and stay."""
    if language() == "en":
        return
    from matplotlib.text import Text

    data = {id(text) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for text in axis.get_ticklabels()}
    for text in figure.findobj(Text):
        if text.get_text() and id(text) not in data:
            text.set_text(local(text.get_text()))


def say_above(axes: Any, see: str, figures: str = "") -> None:
    """Say above a picture what to see in it, and under that, smaller, the figures that go with it."""
    axes.set_title(see + ("\n" if figures else ""), loc="left", fontsize=11)
    if figures:
        axes.annotate(
            figures, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", fontsize=9, color="#555555"
        )


def short(text: str, width: int = 28) -> str:
    """Return a label on one line, cut to `width` characters, with `$` kept from being read as mathematics."""
    flat = " ".join(text.split())
    cut = flat if len(flat) <= width else flat[: width - 1] + "…"
    return cut.replace("$", r"\$")


def draw_confusion(confusion: Any, labels: Sequence[str], title: str) -> Figure:
    """Draw a confusion matrix (c, c): rows are the truth, shares of a row shade, counts are written where they fit."""
    count = len(labels)
    side = min(12.0, max(4.2, 1.8 + 0.42 * count))
    figure, axes = new_figure(side + 0.8, side)
    totals = confusion.sum(axis=1, keepdims=True)
    shares = confusion / totals.clip(min=1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    size = 9 if count <= 12 else max(3.0, 110 / count)
    axes.set_xticks(
        range(count),
        [short(label, 18) for label in labels],
        rotation=45 if count <= 12 else 90,
        ha="right",
        fontsize=size,
    )
    axes.set_yticks(range(count), [short(label, 18) for label in labels], fontsize=size)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=11)
    if count <= 25:
        for row in range(count):
            for column in range(count):
                if confusion[row, column]:
                    tone = "white" if shares[row, column] > 0.55 else "black"
                    axes.text(
                        column,
                        row,
                        str(int(confusion[row, column])),
                        ha="center",
                        va="center",
                        color=tone,
                        fontsize=size,
                    )
    return figure
