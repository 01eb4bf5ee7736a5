"""Pictures that the built-in picture tower is made from and measured on, and who is kept out of its training.

Trained on: emoji drawings of two sets with their Unicode names (Twemoji, CC BY 4.0; Noto, Apache 2.0) and photos of
clothing (CC0). A tenth of the emoji is held out in both drawings, as the text model holds them out; of a sixth of the
others only the Noto drawing is. Of the photos' `train` part a sixth is kept for looking, and `validation` for figures.
"""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imi.errors import DataError
from imi.evaluate import splits
from imi.pictures import open_picture

Pixels = NDArray[np.uint8]
Part = Literal["train", "look", "figures"]
CELL = 64
"""Pixels of a side of an emoji's drawing, and of what photos are squeezed into."""
SHEETS = {"twemoji": "sheet_twitter_64.png", "noto": "sheet_google_64.png"}
_VENDORS = {"twemoji": "has_img_twitter", "noto": "has_img_google"}

CLOTHING: Mapping[str, tuple[str, str]] = {
    "dress": ("dress", "ドレス"),
    "hat": ("hat", "帽子"),
    "longsleeve": ("long-sleeved shirt", "長袖シャツ"),
    "outwear": ("jacket", "上着"),
    "pants": ("trousers", "ズボン"),
    "shirt": ("button-up shirt", "ワイシャツ"),
    "shoes": ("shoes", "靴"),
    "shorts": ("shorts", "短パン"),
    "skirt": ("skirt", "スカート"),
    "t-shirt": ("T-shirt", "Tシャツ"),
}
"""English and Japanese names of the photos' classes."""
OTHER_NAMES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dress": (("gown", "clothes"), ("ワンピース", "服")),
    "hat": (("cap",), ("キャップ", "ハット")),
    "longsleeve": (("sweater", "sweatshirt", "longsleeve"), ("セーター", "長袖", "トレーナー")),
    "outwear": (("coat", "outerwear", "outwear"), ("ジャケット", "コート", "アウター")),
    "pants": (("pants", "jeans"), ("パンツ", "ジーンズ")),
    "shirt": (("shirt", "blouse"), ("シャツ", "ブラウス")),
    "shoes": (("sneakers", "boots", "footwear"), ("スニーカー", "ブーツ", "シューズ")),
    "shorts": (("short trousers",), ("ショートパンツ", "半ズボン")),
    "skirt": (("miniskirt",), ("ミニスカート",)),
    "t-shirt": (("tee", "short-sleeved shirt"), ("ティーシャツ", "半袖シャツ")),
}
"""What else people call these."""
CIFAR: Mapping[str, tuple[str, str]] = {
    "airplane": ("airplane", "飛行機"),
    "automobile": ("car", "自動車"),
    "bird": ("bird", "鳥"),
    "cat": ("cat", "猫"),
    "deer": ("deer", "鹿"),
    "dog": ("dog", "犬"),
    "frog": ("frog", "カエル"),
    "horse": ("horse", "馬"),
    "ship": ("ship", "船"),
    "truck": ("truck", "トラック"),
}
"""The same of the ten classes that are measured on and never trained on."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """One emoji in one set: its names, and its picture (64, 64, 4) uint8 with transparency.

    still: whether it means something else when mirrored, as arrows, letters and flags do. held: "" for training, "both"
    where no drawing of the emoji is trained on, "drawing" where only the other set's is. keywords: other words for it,
    English and Japanese.
    """

    char: str
    en: str
    ja: str
    set: str
    pixels: Pixels
    still: bool
    held: Literal["", "both", "drawing"]
    keywords: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


@dataclass(frozen=True, eq=False)
class Photos:
    """Labelled photos: (n, size, size, 3) uint8, and the class of each."""

    pixels: Pixels
    classes: tuple[str, ...]


def drawings(data: Path) -> list[Drawing]:
    """Return the drawings of both sets that have a name in English and Japanese, in the order of the list of emoji.

    Args:
        data: the folder of public data sets, with `emoji` and `images/emoji_sheets`.

    Raises:
        DataError: the sheets are not there.
    """
    folder = data / "images" / "emoji_sheets"
    try:
        listed: list[dict[str, Any]] = json.loads(gzip.decompress((folder / "emoji.json.gz").read_bytes()))
    except OSError as missing:
        raise DataError(
            f"{folder} cannot be read: {missing.strerror}", hint="--data names the folder above"
        ) from missing
    both = splits.emoji(data)
    named = {_bare(one.char): one for one in (*both.train, *both.dev) if one.en and one.ja}
    sheets = {name: _sheet(folder / file) for name, file in SHEETS.items()}
    found = []
    for one in listed:
        char = "".join(chr(int(code, 16)) for code in one["unified"].split("-"))
        name = named.get(_bare(char))
        if name is None:
            continue
        across, down = one["sheet_x"] * CELL, one["sheet_y"] * CELL
        for sheet, pixels in sheets.items():
            cell = pixels[down : down + CELL, across : across + CELL]
            if one[_VENDORS[sheet]] and cell[..., 3].any():
                still = one["category"] in ("Symbols", "Flags", None)
                words = (name.en_keywords, name.ja_keywords)
                found.append(Drawing(name.char, name.en, name.ja, sheet, cell, still, _held(name.char, sheet), words))
    return found


def _held(char: str, sheet: str) -> Literal["", "both", "drawing"]:
    if splits.emoji_held_out(char):
        return "both"
    return "drawing" if sheet == "noto" and splits.held_out(f"noto {_bare(char)}", 6) else ""


def _bare(char: str) -> str:
    return char.replace("\ufe0f", "")


def _sheet(path: Path) -> Pixels:
    from PIL import Image

    with Image.open(path) as sheet:
        return np.asarray(sheet.convert("RGBA"))


def clothing(data: Path, part: Part, *, size: int = CELL) -> Photos:
    """Return photos of clothing: five sixths of `train` for training, a sixth for looking, `validation` for figures."""
    archive = data / "images" / "clothing_small_96px.zip"

    def wanted(name: str) -> bool:
        if name.startswith("validation/"):
            return part == "figures"
        return part == ("look" if splits.held_out(f"clothing {name}", 6) else "train")

    return _photos(archive, wanted, size)


def cifar(data: Path, *, each: int | None = None, size: int = 32) -> Photos:
    """Return the slice of CIFAR-10, `each` photos a class at most; for measuring only, as it states no licence."""
    seen: dict[str, int] = {}

    def wanted(name: str) -> bool:
        kind = Path(name).parent.name
        seen[kind] = seen.get(kind, 0) + 1
        return each is None or seen[kind] <= each

    return _photos(data / "images" / "cifar10_train_10k.zip", wanted, size)


def _photos(archive: Path, wanted: Any, size: int) -> Photos:
    try:
        with zipfile.ZipFile(archive) as files:
            names = [name for name in sorted(files.namelist()) if name.endswith((".jpg", ".png")) and wanted(name)]
            pixels = [open_picture(files.read(name)).square(size) for name in names]
    except OSError as missing:
        raise DataError(
            f"{archive} cannot be read: {missing}", hint="--data names the folder of data sets"
        ) from missing
    return Photos(np.stack(pixels), tuple(Path(name).parent.name for name in names))


def on_white(drawing: Drawing) -> Pixels:
    """Return a drawing as a file without transparency shows it, (64, 64, 3) uint8."""
    rgba = drawing.pixels.astype(np.float32)
    share = rgba[..., 3:] / 255
    return np.asarray((rgba[..., :3] * share + 255 * (1 - share)).round(), dtype=np.uint8)
