"""Part 3 of the seminar: a picture is a vector, likeness beats an exact match, and a word finds a picture.

    python examples/pictures.py

Draws a few pictures itself. The same on the command line: imi explain cat.png, imi add album ./photos,
imi search album query.png, imi search album 猫
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import imi
from imi.embedders.pixels import bits
from imi.pictures import open_picture


def cat(ears: int = 18, colour: str = "orange") -> Image.Image:
    """Draw the face of a cat, 64 × 64 dots."""
    picture = Image.new("RGB", (64, 64), "white")
    pen = ImageDraw.Draw(picture)
    for left in (10, 54 - ears):
        pen.polygon([(left, 28), (left + ears // 2, 4), (left + ears, 28)], fill=colour)
    pen.ellipse((8, 14, 56, 58), fill=colour)
    for left in (20, 38):
        pen.ellipse((left, 28, left + 6, 36), fill="black")
    pen.polygon([(28, 42), (36, 42), (32, 47)], fill="hotpink")
    return picture


def ball(colour: str) -> Image.Image:
    """Draw a ball, 64 × 64 dots."""
    picture = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(picture).ellipse((8, 8, 56, 56), fill=colour)
    return picture


def a_picture_is_a_vector() -> None:
    dots = bits(open_picture(cat()))
    rows = np.packbits(dots, axis=1)
    print(f"64 × 64 dots of black and white: {rows.shape[0]} rows of {rows.shape[1]} bytes; row 31 is")
    print(rows[30].tobytes().hex(" "))
    print("1024 × 1024 dots of red, green and blue: three planes of", f"{1024 * 1024:,} numbers")


def exact_match_and_likeness() -> None:
    one, other = np.array(cat()), np.array(cat())
    other[20, 30] = (0, 0, 255)
    a, b = imi.load("pixels").embed_images([one, other])
    print(f"\none dot of 4,096 changed: exact match {np.array_equal(one, other)}, likeness {a @ b:.4f}")


def tags_and_likeness(folder: Path) -> None:
    album = {
        "tama": (cat(), "cat"), "mike": (cat(ears=24, colour="gray"), "cat"),
        "red ball": (ball("red"), "toy"), "orange ball": (ball("orange"), "toy"),
    }  # fmt: skip
    with imi.open(folder / "album.imi", model="pixels") as pictures:
        pictures.add([imi.Document(name, picture=one, metadata={"tag": tag}) for name, (one, tag) in album.items()])
        print("\nby tag (tag = cat):", ", ".join(one.id for one in pictures.documents(where={"tag": "cat"})))
        query = cat(ears=20)
        print("by likeness:       ", ", ".join(f"{hit.id} {hit.score:.2f}" for hit in pictures.search(query)))
        both = pictures.search(query, where={"tag": "toy"})
        print("both (tag = toy):  ", ", ".join(f"{hit.id} {hit.score:.2f}" for hit in both))


def words_and_pictures(folder: Path) -> None:
    """Text and pictures in one collection, by the built-in model: its picture tower knows drawings of emoji."""
    with imi.open(folder / "both.imi") as both:
        both.add([
            imi.Document("cat.png", picture=cat()), imi.Document("ball.png", picture=ball("red")),
            imi.Document("note", "うちの猫はタマと言います"), imi.Document("other note", "AIは素晴らしい！"),
        ])  # fmt: skip
        for question in ("cat", "猫", cat(ears=22)):
            hits = both.search(question, mode="meaning", k=4)
            asked = question if isinstance(question, str) else "a drawing of a cat"
            print(f"{asked:<19}", ", ".join(f"{hit.id} {hit.score:.2f}" for hit in hits))


def main() -> None:
    a_picture_is_a_vector()
    exact_match_and_likeness()
    with tempfile.TemporaryDirectory() as folder:
        tags_and_likeness(Path(folder))
        print()
        words_and_pictures(Path(folder))


if __name__ == "__main__":
    main()
