"""Names for groups of pictures: what most of a group seems to show, and the other groups do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from imi.collection.pictures import small_pictures
from imi.errors import ImiError
from imi.tasks.rows import is_collection

_LOOKED_AT = 16
_SIDE = 224
_LEAST = 0.2
"""The share of a group's pictures that a name must hold of."""


def _tower(collection: Any) -> Any:
    try:
        return getattr(collection.model, "tower", None)
    except ImiError:  # a model of another machine, or not trusted: pictures are grouped without it, and stay unnamed
        return None


def shown_by_groups(data: Any, groups: Sequence[Sequence[str]], language: str) -> list[str]:
    """Return a name for each group of pictures, "" where nothing is seen in enough of them.

    Args:
        data: what the groups are of; anything other than a collection with pictures, whose model can guess what they
            show, gets no names.
        groups: ids of each group, the most typical first.
        language: "en" or "ja".
    """
    nothing = ["" for _ in groups]
    store = getattr(data, "store", None) if is_collection(data) else None
    some = [list(ids[:_LOOKED_AT]) for ids in groups]
    small = small_pictures(store, [one for ids in some for one in ids], _SIDE)
    tower = _tower(data) if small else None
    if tower is None:
        return nothing
    said = dict(zip(small, tower.guesses(list(small.values()), language), strict=True))
    shares = []
    for ids in some:
        seen = [id_ for id_ in ids if id_ in said]
        counts = Counter(name for id_ in seen for name in said[id_])
        shares.append({name: count / len(seen) for name, count in counts.items()})
    everywhere: Counter[str] = Counter()
    for share in shares:
        everywhere.update(share)
    names = []
    for share in shares:
        # What the other groups show as well names none of them.
        apart = {name: 2 * own - everywhere[name] / len(groups) for name, own in share.items() if own >= _LEAST}
        names.append(", ".join(sorted(apart, key=lambda name: (-apart[name], name))[:2]))
    return names
