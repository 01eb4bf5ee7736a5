"""Use cases: one call each, on arrays of vectors or on a collection."""

from imi.tasks.anomalies import anomalies
from imi.tasks.classify import classify
from imi.tasks.cluster import cluster
from imi.tasks.code import code
from imi.tasks.compare import compare
from imi.tasks.customize import customize
from imi.tasks.dedupe import dedupe
from imi.tasks.diversity import diversity, subset
from imi.tasks.doctor import doctor
from imi.tasks.graph import graph
from imi.tasks.map import map
from imi.tasks.profiles import profiles
from imi.tasks.recommend import recommend
from imi.tasks.regress import regress
from imi.tasks.zero_shot import zero_shot

__all__ = [
    "anomalies",
    "classify",
    "cluster",
    "code",
    "compare",
    "customize",
    "dedupe",
    "diversity",
    "doctor",
    "graph",
    "map",
    "profiles",
    "recommend",
    "regress",
    "subset",
    "zero_shot",
]
