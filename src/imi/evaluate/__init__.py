"""Evaluation: how good vectors are at similarity, translation, retrieval and classification, at every dims.

Every function takes an embedder, or arrays in its place, encodes once and cuts with `imi.truncate`, and returns a
`Score` with a bootstrap interval for each dims. `imi.evaluate.sets` reads known sets from local files,
`imi.evaluate.run` measures models on them, `imi.evaluate.report` shows the result as table, JSON and figure.
"""

from __future__ import annotations

from imi.evaluate.cascade import Adaptive, adaptive
from imi.evaluate.classification import classification
from imi.evaluate.intervals import Difference
from imi.evaluate.questions import ByWords, hybrid, retrieval
from imi.evaluate.scores import Score
from imi.evaluate.similarity import bitext, sts

__all__ = [
    "Adaptive",
    "ByWords",
    "Difference",
    "Score",
    "adaptive",
    "bitext",
    "classification",
    "hybrid",
    "retrieval",
    "sts",
]
