"""A made data set with many classes in families: signs of several scripts, drawn in many fonts, turned and smudged.

Ten classes fit into nine dimensions, so ten-class photos cannot tell what dimensions beyond that are worth. These signs
can: 240 classes in eight families, and 41 more that training never sees. The fonts are those that matplotlib ships, so
that every machine draws the same.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.matryoshka.pictures import Part, Pictures, Scale
from imi.errors import MissingExtra

SIDE = 20
FONTS = tuple(
    f"DejaVu{family}{style}.ttf"
    for family, slanted in (("Sans", "Oblique"), ("SansMono", "Oblique"), ("Serif", "Italic"))
    for style in ("", "-Bold", f"-{slanted}", f"-Bold{slanted}")
)
# Blocks of Unicode that all those fonts draw, or most of them.
FAMILIES = {
    "latin capitals": "ABCDEFGHIJKLMNOPQRSTUVWXYZÆØÞŊƏƔƐƟ",
    "latin small": "abcdefghijkmnopqrstuvwxyzæøßþðŋəɣɛ",
    "greek": "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθικλμνξπρςστυφχψω",
    "cyrillic": "БГДЖЗИЙЛПУФЦЧШЩЪЫЬЭЮЯбвгджзклмнтцчшщъыьэюяЂЉЊ",
    "arrows": "←↑→↓↔↕↖↗↘↙↚↛↠↢↣↦↩↪↫↬↭↯↰↱↲↳↴↵↶↷↺↻↼⇀⇄⇐⇑⇒⇓⇔⇕⇦⇨",
    "mathematics": "∀∂∃∄∅∇∈∉∋∏∑∓∔∕∗√∝∞∠∧∨∩∪∫∬∮∴∵∼≃≈≠≡≤≥≪≫⊂⊃⊆⊇⊕⊗",
    "shapes": "■□▢▣▤▥▦▧▨▩▪▬▭▮▯▰▱▲△▶▷▼▽◀◁◆◇◈◉◊○◌◍◎●◐◑◒◓◔◕◢◣◤◥",
    "boxes": "─│┌┐└┘├┤┬┴┼═║╒╓╔╕╖╗╘╙╚╛╜╝╞╟╠╡╢╣╤╥╦╧╨╩╪╫╬",
}
PER_FAMILY, NOVEL_PER_FAMILY = 30, 6


def glyphs(seed: int = 0, *, per_class: tuple[int, int, int] = (40, 6, 15)) -> Pictures:
    """Draw the data set: 240 classes, and 41 novel ones.

    Args:
        seed: of what is drawn.
        per_class: how many of each class for training, for thresholds, for the figures.

    Raises:
        MissingExtra: matplotlib, whose fonts are used, is not installed.
    """
    random = np.random.default_rng(seed)
    known, novel, groups = choose_signs()
    pen = _Pen(random)
    drawn = [np.stack([pen.draw(sign) for _ in range(count) for sign in known]) for count in per_class]
    labels = [np.tile(np.arange(len(known), dtype=np.int64), count) for count in per_class]
    scale = Scale.of(drawn[0])
    train, held, test = (Part(scale(x), y) for x, y in zip(drawn, labels, strict=True))
    count = sum(per_class)
    unseen = np.stack([pen.draw(sign) for _ in range(count) for sign in novel])
    strangers = Part(scale(unseen), np.tile(np.arange(len(novel), dtype=np.int64), count))
    names = tuple(f"{sign} {unicodedata.name(sign).lower()}" for sign in known)
    return Pictures("glyphs", train, held, test, names, groups, strangers)


def choose_signs() -> tuple[list[str], list[str], tuple[str, ...]]:
    """Return the known signs, the novel ones and the known ones' families, leaving out signs that look like another."""
    plain = _font("DejaVuSans.ttf", 18)
    seen: set[bytes] = {_shape(plain, "\uffff")}  # the box that stands for a missing sign
    known: list[str] = []
    novel: list[str] = []
    groups: list[str] = []
    for family, signs in FAMILIES.items():
        kept = []
        for sign in signs:
            shape = _shape(plain, sign)
            if shape not in seen:
                kept.append(sign)
            seen.add(shape)
        known += kept[:PER_FAMILY]
        novel += kept[PER_FAMILY : PER_FAMILY + NOVEL_PER_FAMILY]
        groups += [family] * len(kept[:PER_FAMILY])
    return known, novel, tuple(groups)


def _font(name: str, points: int) -> Any:
    try:
        import matplotlib
        from PIL import ImageFont
    except ImportError as missing:
        raise MissingExtra("matplotlib", "plot") from missing
    # The basic layout engine is always there and does not depend on system libraries.
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), points, layout_engine=ImageFont.Layout.BASIC
    )


def _shape(font: Any, sign: str) -> bytes:
    mask = font.getmask(sign)
    return bytes(str(mask.size), "ascii") + bytes(mask)


class _Pen:
    """Draws signs one after the other, each time in another hand."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.fonts = {(name, size): _font(name, size) for name in FONTS for size in (12, 14, 16, 18)}
        self.missing = {key: _shape(font, "\uffff") for key, font in self.fonts.items()}
        self.keys = list(self.fonts)

    def draw(self, sign: str) -> NDArray[np.uint8]:
        """Return one picture (SIDE, SIDE)."""
        from PIL import Image, ImageDraw

        key = self.keys[self.random.integers(len(self.keys))]
        while _shape(self.fonts[key], sign) == self.missing[key]:
            key = self.keys[self.random.integers(len(self.keys))]
        turn, right, down, dark = self.random.normal(0, 1, 4)
        picture = Image.new("L", (32, 32))
        ImageDraw.Draw(picture).text((16, 16), sign, fill=255, font=self.fonts[key], anchor="mm")
        picture = picture.rotate(8 * turn, Image.Resampling.BILINEAR, translate=(round(1.2 * right), round(1.2 * down)))
        edge = (32 - SIDE) // 2
        pixels = np.asarray(picture.crop((edge, edge, edge + SIDE, edge + SIDE)), dtype=np.float32)
        pixels = pixels * (0.75 + 0.15 * np.tanh(dark)) + self.random.normal(0, 25, pixels.shape)
        # A blot: part of what tells relatives apart is hidden in every picture.
        top, left = self.random.integers(0, SIDE - 4, 2)
        pixels[top : top + 4, left : left + 4] = self.random.uniform(0, 255)
        drawn: NDArray[np.uint8] = np.clip(pixels, 0, 255).astype(np.uint8)
        return drawn
