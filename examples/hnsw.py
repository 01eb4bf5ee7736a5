"""HNSW drawn layer by layer: from the few points of the top, by greedy descent, to the nearest of all.

python examples/hnsw.py [hnsw.png]     (the picture needs matplotlib)

Source: Malkov and Yashunin, arXiv 1603.09330. faiss builds the graph; the descent is followed here, step by step.
"""

import sys
from itertools import pairwise

import faiss
import numpy as np

POINTS, LINKS = 400, 6


def built(points):
    """Return faiss's index over points (n, 2); its `hnsw` is the graph, and lives as long as it does."""
    index = faiss.IndexHNSWFlat(points.shape[1], LINKS)
    index.hnsw.efConstruction = 40
    index.add(points)
    return index


def levels(graph):
    """Return each point's top layer, 0 for most: the drawing of it falls off exponentially."""
    return faiss.vector_to_array(graph.levels) - 1


def links(graph, point, layer):
    """Return the neighbours of a point in a layer."""
    offsets = faiss.vector_to_array(graph.offsets)
    until = faiss.vector_to_array(graph.cum_nneighbor_per_level)
    start, end = (int(offsets[point]) + int(until[at]) for at in (layer, layer + 1))
    found = faiss.vector_to_array(graph.neighbors)[start:end]
    return found[found >= 0]


def descend(graph, points, query):
    """Return, from the top layer down, the points that greedy search stands on in each layer."""
    here, paths = graph.entry_point, []
    for layer in range(graph.max_level, -1, -1):
        path = [here]
        while True:
            near = links(graph, here, layer)
            distances = ((points[near] - query) ** 2).sum(axis=1)
            if not len(near) or distances.min() >= ((points[here] - query) ** 2).sum():
                break
            here = int(near[distances.argmin()])
            path.append(here)
        paths.append((layer, path))
    return paths


def nearest(points, centre, count):
    """Return the `count` points nearest to a centre, the plain way of choosing whom to link."""
    return ((points - centre) ** 2).sum(axis=1).argsort(kind="stable")[:count]


def spread(points, centre, count):
    """Return up to `count` points by the paper's heuristic (its algorithm 4), nearest first.

    A point is taken only if it is nearer to the centre than to every point taken before: of a cluster one link is
    enough, so that links are left for the other cluster and a search can get there.
    """
    taken = []
    for one in nearest(points, centre, len(points)):
        own = ((points[one] - centre) ** 2).sum()
        if all(own < ((points[one] - points[other]) ** 2).sum() for other in taken):
            taken.append(int(one))
        if len(taken) == count:
            break
    return np.array(taken)


def two_clusters():
    """Return points in two clusters (n, 2), which of them are in the second, and a new point by the first."""
    rng = np.random.default_rng(2)
    first, second = rng.normal((0, 0), 0.22, (40, 2)), rng.normal((2.2, 0.3), 0.22, (40, 2))
    return np.vstack([first, second]).astype(np.float32), np.arange(80) >= 40, np.array([0.75, 0.1], np.float32)


def draw_layer(axes, graph, points, query, found, before):
    """Draw a layer: its points and links, the way taken in arrows, where it came in and where it ended."""
    from matplotlib.collections import LineCollection

    layer, way = found
    here = np.flatnonzero(levels(graph) >= layer)
    edges = [(points[one], points[other]) for one in here for other in links(graph, int(one), layer)]
    axes.add_collection(LineCollection(edges, colors="#cccccc", linewidths=0.6))
    axes.plot(*points[here].T, "o", color="#4477aa", markersize=3)
    for one, other in pairwise(way):
        arrow = {"arrowstyle": "-|>", "color": "#cc3311", "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", points[other], points[one], arrowprops=arrow)
    axes.plot(*points[way[0]], "o", color="#cc3311", markersize=9, markerfacecolor="white", markeredgewidth=2)
    axes.plot(*query, "*", color="#228833", markersize=14)
    start = "start" if before is None else "from above"
    box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    axes.annotate(start, points[way[0]], (0, 9), textcoords="offset points", ha="center", fontsize=8, bbox=box)
    axes.set_title(f"layer {layer}: {len(here)} points, steps: {len(way) - 1}", fontsize=10)


def draw_links(axes, chosen, name):
    """Draw to whom a new point between two clusters is linked."""
    points, _, new = two_clusters()
    axes.plot(*points.T, "o", color="#4477aa", markersize=3)
    for one in chosen(points, new, LINKS):
        axes.plot(*np.stack([new, points[one]]).T, "-", color="#cc3311", linewidth=1.5)
    axes.plot(*new, "o", color="#cc3311", markersize=7)
    axes.set_title(name, fontsize=10)
    axes.set_aspect("equal")


def draw(graph, points, query, paths, path):
    """Draw the layers on one scale, from the top down, and under them the two ways of choosing links."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(paths), 7.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(4.2, 3))
    above.suptitle("One search, layer by layer: few far steps above, many near ones below; the star is the query")
    layers = above.subplots(1, len(paths), squeeze=False, sharex=True, sharey=True)[0]
    before = None
    for axes, found in zip(layers, paths, strict=True):
        draw_layer(axes, graph, points, query, found, before)
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), xticks=[], yticks=[], aspect="equal")
        before = found
    below.suptitle(f"A new point may link to {LINKS} others: only the heuristic keeps a way to the other cluster")
    for axes, (chosen, name) in zip(
        below.subplots(1, 2), ((nearest, "the nearest"), (spread, "the heuristic")), strict=True
    ):
        draw_links(axes, chosen, name)
        axes.set_axis_off()
    figure.savefig(path, dpi=110)


def main(picture=None):
    """Build, descend, compare with every point, choose links, draw."""
    rng = np.random.default_rng(5)
    points = rng.uniform(0, 1, (POINTS, 2)).astype(np.float32)
    query = np.array([0.08, 0.35], np.float32)
    index = built(points)
    graph = index.hnsw
    paths = descend(graph, points, query)
    for layer, way in paths:
        print(f"layer {layer}: {int((levels(graph) >= layer).sum()):>3} points, way {' → '.join(map(str, way))}")
    found = int(((points - query) ** 2).sum(axis=1).argmin())
    looked = sum(len(links(graph, point, layer)) for layer, way in paths for point in way)
    print(f"found {paths[-1][1][-1]}, nearest of all {found}; {looked} distances instead of {POINTS}")
    clusters, second, new = two_clusters()
    for chosen, name in ((nearest, "the nearest"), (spread, "the heuristic")):
        taken = chosen(clusters, new, LINKS)
        print(f"a point between two clusters, links by {name}: {len(taken)}, {int(second[taken].sum())} to the far one")
    if picture:
        draw(graph, points, query, paths, picture)


if __name__ == "__main__":
    main(*sys.argv[1:2])
