"""The plain way of each task, to judge ours by: TF-IDF with a linear head, always the commonest, always the mean."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from imi.errors import MissingExtra, UsageError
from imi.tasks.rows import Rows
from imi.text.lexical import ENDING, index_tokens, is_word

Doubles = NDArray[np.float64]
Codes = NDArray[np.int64]
_FEATURES = 20_000


def has_words(texts: Sequence[str] | None) -> bool:
    """Return whether there are texts, and what TF-IDF's head needs is installed."""
    from importlib.util import find_spec

    return texts is not None and any(texts) and find_spec("sklearn") is not None


def no_words(rows: Rows) -> NoReturn:
    """Say why the method "words" cannot be used."""
    if rows.texts is None or not any(rows.texts):
        raise UsageError("method is 'words' but there are no texts", hint="give texts=, or method='vectors'")
    raise MissingExtra("scikit-learn", "tasks")


def terms_of(text: str) -> list[str]:
    """Return the words, characters and bigrams of a text, and its pairs of neighbouring words."""
    tokens = [token for token in index_tokens(text) if not token.startswith(ENDING)]
    pairs = [f"{a} {b}" for a, b in pairwise(tokens) if is_word(a) and is_word(b)]
    return tokens + pairs


def words_labels(texts: Sequence[str], codes: Codes, train: Codes, held: Codes) -> Codes:
    """Return what TF-IDF and logistic regression, trained on the rows `train`, say of the rows `held`."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    learned, asked = _weights(texts, train, held)
    with threadpool_limits(1):  # threads that wait for each other cost more than they bring here
        head = LogisticRegression(C=10.0, max_iter=300, tol=1e-3).fit(learned, codes[train])
        return np.asarray(head.predict(asked), dtype=np.int64)


def words_numbers(texts: Sequence[str], values: Doubles, train: Codes, held: Codes) -> Doubles:
    """Return what TF-IDF and ridge regression, trained on the rows `train`, read in the rows `held`."""
    from sklearn.linear_model import RidgeCV
    from threadpoolctl import threadpool_limits

    learned, asked = _weights(texts, train, held)
    with threadpool_limits(1):
        head = RidgeCV(alphas=(0.3, 1.0, 3.0, 10.0)).fit(learned, values[train])
        read = np.asarray(head.predict(asked), dtype=np.float64)
    return np.clip(read, float(values[train].min()), float(values[train].max()))


def _weights(texts: Sequence[str], train: Codes, held: Codes) -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    maker = TfidfVectorizer(analyzer=terms_of, sublinear_tf=True, max_features=_FEATURES)
    return maker.fit_transform([texts[row] for row in train]), maker.transform([texts[row] for row in held])


def commonest(codes: Codes, train: Codes, held: Codes) -> Codes:
    """Return the commonest label of the rows `train` for each of the rows `held`."""
    return np.full(len(held), int(np.bincount(codes[train]).argmax()), np.int64)


def shared_words(texts: Sequence[str], descriptions: Sequence[Sequence[str]]) -> Codes:
    """Return, for each text, the label whose descriptions share most of their words with it; of none, the first."""
    meant = [set().union(*(terms_of(one) for one in described)) for described in descriptions]
    scores = np.array(
        [[len(words & set(found)) / max(1, len(words)) for words in meant] for found in map(terms_of, texts)]
    )
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)
