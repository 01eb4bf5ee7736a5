"""Clustering: four themes among the reviews, named by the words that set them apart.

python examples/cookbook/clustering.py [clusters.png]
"""

import sys

from fine_food import load

from imi import tasks


def main(figure=None):
    """Group, name, and show one typical review of each group, as the notebook asks a language model to."""
    reviews = load()
    found = tasks.cluster(reviews.z, 4, reviews.texts)
    for at, group in enumerate(found.clusters):
        stars = reviews.stars[found.labels == at].mean()
        print(f"{group.size:>4} reviews, {stars:.2f} stars on average: {group.name}")
        print(f"     {reviews.texts[int(group.representatives[0])][:110]}")
    print(f"silhouette {found.silhouette:.3f}, agreement of other starts {found.stability:.2f}")
    if figure:
        found.figure(figure)


if __name__ == "__main__":
    main(*sys.argv[1:2])
