"""Visualizing_embeddings_in_2D: the reviews on a plane, coloured by stars.

python examples/cookbook/visualizing_2d.py [map.html|map.png]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from fine_food import load

from imi import tasks


def main(out=None):
    """Lay the reviews out; what is near on the plane should be near in meaning."""
    reviews = load()
    drawn = tasks.map(reviews.z, reviews.texts, columns={"stars": reviews.stars.tolist()}, colour="stars")
    plane = drawn.points
    near = ((plane[:, None] - plane[None]) ** 2).sum(-1).argsort(axis=1)[:, 1:6]
    alike = np.einsum("nd,nkd->nk", reviews.z, reviews.z[near]).mean()
    print(f"{len(plane)} reviews; mean cosine of the five nearest on the plane {alike:.3f}, ", end="")
    print(f"of any two {float((reviews.z @ reviews.z.T).mean()):.3f}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(out or Path(folder) / "map.html")
        drawn.save(path, "Reviews")
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB, opens without a network")


if __name__ == "__main__":
    main(*sys.argv[1:2])
