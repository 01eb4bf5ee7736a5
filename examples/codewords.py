"""Vector quantization: the plane cut into groups, and only the groups whose codewords are near are looked into.

python examples/codewords.py [codewords.png]     (the picture needs matplotlib)
"""

import sys

import faiss
import numpy as np

POINTS, CODEWORDS, PROBES = 3000, 24, 3


def clouds():
    """Return points (n, 2) in a few clouds, and a query."""
    rng = np.random.default_rng(1)
    centres = rng.uniform(-1, 1, (9, 2))
    points = centres[rng.integers(0, 9, POINTS)] + rng.normal(0, 0.16, (POINTS, 2))
    return points.astype(np.float32), np.array([0.1, 0.15], np.float32)


def quantize(points):
    """Return the codewords that k-means finds (c, 2), and each point's."""
    means = faiss.Kmeans(2, CODEWORDS, niter=20, seed=3, min_points_per_centroid=1)
    means.train(points)
    return means.centroids, means.index.search(points, 1)[1][:, 0]


def main(picture=None):
    """Search the nearest groups only, and say how much was read and what was missed."""
    points, query = clouds()
    codewords, group = quantize(points)
    near = ((codewords - query) ** 2).sum(axis=1).argsort()[:PROBES]
    read = np.flatnonzero(np.isin(group, near))
    found = read[((points[read] - query) ** 2).sum(axis=1).argsort()[:10]]
    truth = ((points - query) ** 2).sum(axis=1).argsort()[:10]
    print(f"{POINTS} points, {CODEWORDS} codewords: a point is stored in {np.log2(CODEWORDS):.1f} bits instead of 64")
    print(f"the {PROBES} groups nearest to the query hold {len(read)} points, {len(read) / POINTS:.0%} of all")
    print(f"of the ten nearest points {len(set(found) & set(truth))} are among them")
    if picture:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 6.4), layout="constrained")
        axes = figure.subplots()
        axes.scatter(*points.T, s=3, c=group, cmap="tab20", alpha=0.6)
        axes.scatter(*points[read].T, s=5, c="#cc3311", label=f"read: {len(read)} points")
        axes.plot(*codewords.T, "k+", markersize=9, label=f"{CODEWORDS} codewords")
        axes.plot(*query, "*", color="#228833", markersize=16, label="query")
        axes.legend(loc="lower left", fontsize=9)
        axes.set_axis_off()
        figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:2])
