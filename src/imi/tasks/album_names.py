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
_LEAST = 0.3
"""The share of a group's pictures that a name must hold of, and two of them at least: one guess may be wild."""
_MIXED = {"en": "mixed pictures", "ja": "いろいろな写真"}


def _tower(collection: Any) -> Any:
    try:
        return getattr(collection.model, "tower", None)
    except ImiError:  # a model of another machine, or not trusted: pictures are grouped without it, and stay unnamed
        return None


def shown_by_groups(data: Any, groups: Sequence[Sequence[str]], language: str) -> list[str]:
    """Return a name for each group of pictures: what is seen in many of them, "" where there are none.

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
    shares, agreed = [], []
    for ids in some:
        seen = [id_ for id_ in ids if id_ in said]
        counts = Counter(name for id_ in seen for name in said[id_])
        shares.append({name: count / len(seen) for name, count in counts.items()})
        agreed.append({name for name, count in counts.items() if count >= max(min(2, len(seen)), _LEAST * len(seen))})
    everywhere: Counter[str] = Counter()
    for share in shares:
        everywhere.update(share)
    names = []
    for share, common in zip(shares, agreed, strict=True):
        # What the other groups show as well names none of them.
        apart = {name: 2 * own - everywhere[name] / len(groups) for name, own in share.items() if name in common}
        mixed = _MIXED.get(language, _MIXED["en"]) if share else ""
        names.append(", ".join(sorted(apart, key=lambda name: (-apart[name], name))[:2]) or mixed)
    return names
