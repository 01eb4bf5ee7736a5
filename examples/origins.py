"""Where embeddings come from, drawn: word2vec, an autoencoder, an RNN beside attention, and the Matryoshka loss.

python examples/origins.py [FOLDER]     (docs/origins when run for the documentation)

Runs the steps A.5 to A.8 of `imi seminar` and draws what they learned as SVG, without further packages.
"""

import sys
from pathlib import Path

import numpy as np

from imi.seminar.guide import find_step, run_code

INK, FIRST, SECOND = "#555", "#c0392b", "#2471a3"


def svg(width, height, title, shapes):
    """Return a drawing with a title that screen readers say."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="13"><title>{title}</title>'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{"".join(shapes)}</svg>\n'
    )


def text(x, y, words, colour=INK, anchor="start"):
    """Return words at a place."""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{words}</text>'


def bar(x, y, width, height, colour, opacity=1.0):
    """Return a filled rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}" '
        f'fill-opacity="{opacity:.2f}"/>'
    )


def draw_words(made):
    """Draw how near each noun is to cat and to car."""
    unit, names = made["unit"], made["names"]
    shapes = [text(20, 24, "word2vec: cosine with cat (red) and with car (blue), learned from neighbours alone")]
    for at, word in enumerate(("cat", "kitten", "dog", "puppy", "car", "van", "truck")):
        y = 46 + 34 * at
        shapes.append(text(90, y + 15, word, anchor="end"))
        for row, (other, colour) in enumerate((("cat", FIRST), ("car", SECOND))):
            near = float(unit[names.index(word)] @ unit[names.index(other)])
            left = 300 + min(near, 0) * 180
            shapes.append(bar(left, y + 11 * row, abs(near) * 180, 9, colour))
    shapes.append(f'<line x1="300" y1="40" x2="300" y2="284" stroke="{INK}"/>')
    return svg(560, 300, "How near words are after word2vec", shapes)


def draw_squeeze(made):
    """Draw how much an autoencoder loses by the width of its middle."""
    shapes = [text(20, 24, "autoencoder: share of the variance that is lost, by the width of the middle")]
    for at, dims in enumerate((1, 2, 4, 8, 16)):
        lost = made["squeeze"](dims)
        x = 60 + 90 * at
        shapes += [bar(x, 230 - 180 * lost, 50, 180 * lost, SECOND), text(x + 25, 250, str(dims), anchor="middle")]
        shapes.append(text(x + 25, 224 - 180 * lost, f"{100 * lost:.0f} %", anchor="middle"))
    return svg(540, 270, "What an autoencoder loses", shapes)


def draw_attention(made):
    """Draw what an RNN has kept of each word, and the matrix of attention."""
    words, weights, state = made["words"], made["weights"], made["state"]
    kept = made["x"] @ state / np.linalg.norm(state)
    shapes = [text(20, 24, "RNN: what is left of each word at the end; attention: what each word takes from each")]
    for at, word in enumerate(words):
        y = 70 + 28 * at
        shapes += [text(90, y + 18, word, anchor="end"), bar(100, y + 4, 110 * max(float(kept[at]), 0), 18, FIRST)]
        shapes.append(text(330, y + 18, word, anchor="end"))
        shapes += [bar(340 + 62 * to, y, 60, 26, SECOND, float(weight)) for to, weight in enumerate(weights[at])]
        shapes.append(text(370 + 62 * at, 60, word, anchor="middle"))
    return svg(790, 290, "An RNN beside attention", shapes)


def draw_nested(made):
    """Draw the contrastive loss at each prefix."""
    sizes, guess = made["sizes"], float(np.log(4))
    shapes = [text(20, 24, "contrastive loss of translations, by leading dimensions; the line is guessing")]
    for at, dims in enumerate(sizes):
        loss, x = made["loss"](dims), 70 + 100 * at
        shapes += [bar(x, 230 - 120 * loss, 50, 120 * loss, FIRST), text(x + 25, 250, str(dims), anchor="middle")]
        shapes.append(text(x + 25, 224 - 120 * loss, f"{loss:.2f}", anchor="middle"))
    top = 230 - 120 * guess
    shapes.append(f'<line x1="50" y1="{top:.1f}" x2="480" y2="{top:.1f}" stroke="{INK}" stroke-dasharray="4"/>')
    return svg(540, 270, "The Matryoshka loss, prefix by prefix", shapes)


def main(folder=None):
    """Run the four steps and, where a folder is named, write the four drawings."""
    drawings = (("A.5", "word2vec", draw_words), ("A.6", "autoencoder", draw_squeeze))
    drawings += (("A.7", "attention", draw_attention), ("A.8", "matryoshka", draw_nested))
    for step, name, draw in drawings:
        print(f"\n■ {find_step(step).title.ja}\n  {find_step(step).title.en}")
        drawn = draw(run_code(find_step(step)))
        if folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / f"{name}.svg").write_text(drawn, "utf-8")
            print(f"drawn: {Path(folder) / f'{name}.svg'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
