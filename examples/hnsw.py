"""HNSW drawn layer by layer: from the few points of the top, by greedy descent, to the nearest of all.

python examples/hnsw.py [hnsw.png]     (the picture needs matplotlib)

Source: Malkov and Yashunin, arXiv 1603.09330. faiss builds the graph; the descent is followed here, step by step.
"""

import sys

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


def draw(graph, points, query, paths, path):
    """Draw each layer's points and links, and the way taken, red as on the slide; the query is green."""
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    top = levels(graph)
    figure = Figure(figsize=(4 * len(paths), 4.2), layout="constrained")
    for axes, (layer, way) in zip(figure.subplots(1, len(paths), squeeze=False)[0], paths, strict=True):
        here = np.flatnonzero(top >= layer)
        edges = [(points[one], points[other]) for one in here for other in links(graph, int(one), layer)]
        axes.add_collection(LineCollection(edges, colors="#cccccc", linewidths=0.6))
        axes.plot(*points[here].T, "o", color="#4477aa", markersize=3)
        axes.plot(*points[way].T, "-o", color="#cc3311", linewidth=2, markersize=5)
        axes.plot(*query, "*", color="#228833", markersize=14)
        axes.set_title(f"layer {layer}: {len(here)} points, steps: {len(way) - 1}", fontsize=10)
        axes.set_axis_off()
    figure.savefig(path, dpi=110)


def main(picture=None):
    """Build, descend, compare with every point, draw."""
    rng = np.random.default_rng(5)
    points = rng.uniform(0, 1, (POINTS, 2)).astype(np.float32)
    query = np.array([0.08, 0.35], np.float32)
    index = built(points)
    graph = index.hnsw
    paths = descend(graph, points, query)
    for layer, way in paths:
        print(f"layer {layer}: {int((levels(graph) >= layer).sum()):>3} points, way {' → '.join(map(str, way))}")
    nearest = int(((points - query) ** 2).sum(axis=1).argmin())
    looked = sum(len(links(graph, point, layer)) for layer, way in paths for point in way)
    print(f"found {paths[-1][1][-1]}, nearest of all {nearest}; {looked} distances instead of {POINTS}")
    if picture:
        draw(graph, points, query, paths, picture)


if __name__ == "__main__":
    main(*sys.argv[1:2])
