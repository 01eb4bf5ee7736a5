"""Part 1 of the seminar: an embedding layer is a table, and embedding a token is looking up its row.

    python examples/token_lookup.py

The slide's 6 × 3 weight matrix and its four tokens; then the same lookup in the built-in model.
"""

import numpy as np

import imi
from imi.tasks.explain import explain

# One row a token id, three numbers a row, as on the slide.
WEIGHTS = np.array(
    [
        [0.3374, -0.1778, -0.1690],
        [0.9178, 1.5810, 1.3010],
        [1.2753, -0.2010, -0.1606],
        [-0.4015, 0.9666, -1.1481],
        [-1.1589, 0.3255, -0.6315],
        [-2.8400, -0.7849, -1.4096],
    ]
)
IDS = {"fox": 2, "jumps": 3, "over": 5, "dog": 1}


def lookup(words: list[str]) -> np.ndarray:
    """Return the rows of the words, (n, 3)."""
    return WEIGHTS[[IDS[word] for word in words]]


def one_hot(words: list[str]) -> np.ndarray:
    """Return the words as rows with a single 1, (n, 6): the lookup is this matrix times the table."""
    return np.eye(len(WEIGHTS))[[IDS[word] for word in words]]


def main() -> None:
    words = list(IDS)
    rows = lookup(words)
    print("the slide's table has", "×".join(map(str, WEIGHTS.shape)), "=", WEIGHTS.size, "parameters")
    for word, row in zip(words, rows, strict=True):
        print(f"  {word:<6} id {IDS[word]}  {row}")
    print("a one-hot matrix times the table gives the same rows:", bool(np.allclose(one_hot(words) @ WEIGHTS, rows)))

    found = explain(imi.load(), "a fox jumps over the dog", first=3)
    if found.parameters is not None:
        print(f"\nthe built-in model's table has {found.vocabulary:,}×{found.width} = {found.parameters:,} parameters")
    for token in found.readings[0].tokens:
        print(f"  {token.text:<8} id {token.id:<6} {np.round(token.row, 4)} …")


if __name__ == "__main__":
    main()
