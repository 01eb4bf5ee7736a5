"""The helpers of the seminar's review notebook, by the names on its slides, answered by a model of this machine.

    reviews = embed_reviews(load_reviews("fine_food_reviews_1k.csv"))
    save_embeddings(reviews, "fine_food_reviews_with_embeddings_1k.csv")
    search_reviews(load_embeddings("fine_food_reviews_with_embeddings_1k.csv"), "delicious beans", n=3)

The names of the older `openai.embeddings_utils` are here as well, so that notebooks run with one line changed:
`from imi.cookbook import get_embedding, cosine_similarity`. A model's name that imi does not know, such as
"text-embedding-3-small", is answered by the built-in model, and a warning says so once.

They work on pandas data frames, as the notebook does. A collection (`imi.open`) does the same without one.
Source: the OpenAI cookbook's Get_embeddings_from_dataset and Semantic_text_search_using_embeddings.
"""

from __future__ import annotations

import ast
import asyncio
import os
import sys
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imi.embedders.base import Embedder
from imi.embedders.load import DEFAULT, load
from imi.errors import DataError, MissingExtra, UsageError
from imi.text.writers import literal
from imi.vectors import cosine

if TYPE_CHECKING:
    import pandas

COLUMNS = ("Time", "ProductId", "UserId", "Score", "Summary", "Text")
MAX_TOKENS = 8000
SHOWN = 200

Model = str | Embedder | None


def get_embedding(text: str, model: Model = None, *, engine: str | None = None, dims: int | None = None) -> list[float]:
    """Return the embedding of one text as a list; line breaks become spaces, as on the slides.

    Args:
        text: what to embed.
        model: a model, its name, or None for the built-in one; unknown names mean the built-in one, too.
        engine: what `model` was called before.
        dims: leading dimensions to keep; None for all.
    """
    return get_embeddings([text], model, engine=engine, dims=dims)[0]


def get_embeddings(
    list_of_text: Sequence[str], model: Model = None, *, engine: str | None = None, dims: int | None = None
) -> list[list[float]]:
    """Return the embeddings of texts as lists; see `get_embedding`."""
    texts = [text.replace("\n", " ") for text in list_of_text]
    vectors: list[list[float]] = _embedder(engine if model is None else model).embed(texts, dims=dims).tolist()
    return vectors


async def aget_embedding(
    text: str, model: Model = None, *, engine: str | None = None, dims: int | None = None
) -> list[float]:
    """Return `get_embedding`, while other tasks run."""
    return await asyncio.to_thread(get_embedding, text, model, engine=engine, dims=dims)


async def aget_embeddings(
    list_of_text: Sequence[str], model: Model = None, *, engine: str | None = None, dims: int | None = None
) -> list[list[float]]:
    """Return `get_embeddings`, while other tasks run."""
    return await asyncio.to_thread(get_embeddings, list_of_text, model, engine=engine, dims=dims)


def cosine_similarity(a: ArrayLike, b: ArrayLike) -> float:
    """Return the cosine of two vectors of one width."""
    return float(cosine(np.asarray(a, np.float32), np.asarray(b, np.float32)))


def distances_from_embeddings(
    query_embedding: ArrayLike, embeddings: ArrayLike, distance_metric: str = "cosine"
) -> list[float]:
    """Return the distances from one vector (d,) to n others (n, d).

    Args:
        query_embedding: the one.
        embeddings: the others.
        distance_metric: "cosine" (1 less the cosine), "L1", "L2" or "Linf".

    Raises:
        UsageError: another metric.
    """
    one, others = np.asarray(query_embedding, np.float64), np.asarray(embeddings, np.float64)
    if distance_metric == "cosine":
        return [float(1 - value) for value in cosine(others, one[None])[:, 0]]
    orders = {"L1": 1, "L2": 2, "Linf": np.inf}
    if distance_metric not in orders:
        raise UsageError(f"the metric is {distance_metric!r}, allowed are cosine, {', '.join(orders)}")
    return [float(value) for value in np.linalg.norm(others - one, ord=orders[distance_metric], axis=1)]


def indices_of_nearest_neighbors_from_distances(distances: ArrayLike) -> NDArray[np.int64]:
    """Return the places of distances, the nearest first; equal ones in their order."""
    return np.argsort(np.asarray(distances), kind="stable").astype(np.int64)


def pca_components_from_embeddings(embeddings: ArrayLike, n_components: int = 2) -> NDArray[np.float64]:
    """Return (n, n_components): the directions in which n vectors differ most, each with its largest value positive."""
    z = np.asarray(embeddings, np.float64)
    if not 1 <= n_components <= min(z.shape):
        raise UsageError(f"n_components is {n_components}, allowed are 1 to {min(z.shape)}")
    left, sizes, _ = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    planes = left[:, :n_components] * sizes[:n_components]
    return np.asarray(planes * np.sign(planes[np.abs(planes).argmax(axis=0), np.arange(n_components)]))


def tsne_components_from_embeddings(embeddings: ArrayLike, n_components: int = 2, seed: int = 0) -> NDArray[np.float64]:
    """Return (n, 2): a plane in which neighbours stay neighbours, by t-SNE.

    Raises:
        UsageError: other than two components.
    """
    from imi.tasks.layout import tsne_plane
    from imi.vectors import normalize

    if n_components != 2:
        raise UsageError(f"n_components is {n_components}, t-SNE is drawn in 2", hint="pca_components_from_embeddings")
    z = np.asarray(embeddings, np.float32)
    if len(z) < 5:
        raise UsageError(f"there are {len(z)} vectors, t-SNE needs at least 5", hint="pca_components_from_embeddings")
    return tsne_plane(normalize(z), seed=seed).astype(np.float64)


def load_reviews(
    path: str | Path, *, newest: int | None = 1000, max_tokens: int = MAX_TOKENS, model: Model = None
) -> pandas.DataFrame:
    """Read reviews as the notebook does: its six columns, no row with a gap, title and text combined, tokens counted.

    Args:
        path: a CSV with the columns Time, ProductId, UserId, Score, Summary and Text, and an Id column or none.
        newest: how many of the latest reviews to keep, oldest of them first; None for all, in the file's order.
        max_tokens: longer ones are left out.
        model: whose tokens are counted.

    Returns:
        A frame with COLUMNS, `combined` ("Title: …; Content: …") and `n_tokens`.

    Raises:
        DataError: the file is missing or is not CSV.
        UsageError: a column is missing; the message lists those that are there.
    """
    frame = _read_csv(path)
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise UsageError(f"{path} has no column {missing[0]!r}, it has: {', '.join(map(str, frame.columns))}")
    index = frame.columns[0]
    if index == "Id" or str(index).startswith("Unnamed"):
        frame = frame.set_index(index)
    frame = frame[list(COLUMNS)].dropna()
    frame["combined"] = "Title: " + frame.Summary.str.strip() + "; Content: " + frame.Text.str.strip()
    if newest is not None:
        # Twice as many, because the long ones are left out after this.
        frame = frame.sort_values("Time", kind="stable").tail(2 * newest)
    frame["n_tokens"] = count_tokens(frame.combined.tolist(), model)
    frame = frame[frame.n_tokens <= max_tokens]
    return frame if newest is None else frame.tail(newest)


def count_tokens(texts: Sequence[str], model: Model = None) -> list[int]:
    """Return the tokens in each text: the model's own, or those of "cl100k_base" or "o200k_base" (extra `tokens`)."""
    if model in ("cl100k_base", "o200k_base"):
        try:
            import bpe_openai
        except ImportError as absent:
            raise MissingExtra("bpe-openai", "tokens") from absent
        encoding = bpe_openai.get_encoding(model)
        return [len(encoding.encode_ordinary(text)) for text in texts]
    return [int(number) for number in _embedder(model).count_tokens(list(texts))]


def embed_reviews(frame: pandas.DataFrame, model: Model = None, *, dims: int | None = None) -> pandas.DataFrame:
    """Return the frame with a column `embedding`: the vectors of `combined`, (d,) float32 each."""
    texts = [text.replace("\n", " ") for text in frame.combined]
    return frame.assign(embedding=list(_embedder(model).embed(texts, dims=dims)))


def save_embeddings(frame: pandas.DataFrame, path: str | Path) -> None:
    """Write a frame with embeddings as CSV, the vectors as literal lists."""
    frame.assign(embedding=[literal(vector) for vector in frame.embedding]).to_csv(path)


def load_embeddings(path: str | Path) -> pandas.DataFrame:
    """Read what `save_embeddings`, or the notebook, wrote: `embedding` becomes (d,) float32 arrays.

    Raises:
        DataError: the file is not there, has no such column, or a cell is not a list of numbers.
    """
    frame = _read_csv(path)
    if "embedding" not in frame.columns:
        raise DataError(f"{path} has no column 'embedding', it has: {', '.join(map(str, frame.columns))}")
    vectors = []
    for line, cell in enumerate(frame.embedding, start=2):
        try:
            vectors.append(np.asarray(ast.literal_eval(cell), np.float32))
        except (ValueError, SyntaxError, TypeError) as wrong:
            raise DataError(f"{path}: row {line} holds no list of numbers: {str(cell)[:40]!r}") from wrong
    return frame.assign(embedding=vectors)


def search_reviews(
    frame: pandas.DataFrame, product_description: str, n: int = 3, pprint: bool = True, model: Model = None
) -> pandas.Series[str]:
    """Return the n reviews that are nearest to a description, as "Title: Content", best first; show them with pprint.

    Args:
        frame: with `combined` and `embedding`, all embedded by the one model.
        product_description: what is looked for.
        n: how many.
        pprint: write the first 200 characters of each to standard output.
        model: the one that embedded the reviews.
    """
    if n < 1:
        raise UsageError(f"n is {n}, allowed are whole numbers from 1")
    vectors = np.stack(list(frame.embedding))
    width = vectors.shape[1]
    embedder = _embedder(model)
    asked = embedder.embed([product_description], kind="query", dims=width if width < embedder.info.width else None)
    ranked = frame.assign(similarity=cosine(vectors, asked)[:, 0]).sort_values(
        "similarity", ascending=False, kind="stable"
    )
    results: pandas.Series[str] = (
        ranked.head(n).combined.str.replace("Title: ", "", regex=False).str.replace("; Content:", ": ", regex=False)
    )
    if pprint:
        for text in results:
            sys.stdout.write(f"{text[:SHOWN]}\n\n")
    return results


def _embedder(model: Model) -> Embedder:
    if model is None:
        return _loaded(os.environ.get("IMI_MODEL") or DEFAULT)
    return _loaded(model) if isinstance(model, str) else model


@lru_cache(maxsize=8)
def _loaded(name: str) -> Embedder:
    """Return a model by its name; a notebook calls for it once a row."""
    try:
        return load(name)
    except UsageError:
        if ":" in name or not name:
            raise
    warnings.warn(
        f"{name!r} is not a model of this machine; the built-in one answers in its place "
        f"(openai:{name} asks OpenAI, with OPENAI_API_KEY)",
        stacklevel=4,
    )
    return load("built-in")


def _read_csv(path: str | Path) -> Any:
    try:
        import pandas
    except ImportError as missing:
        raise MissingExtra("pandas", "tables") from missing
    try:
        return pandas.read_csv(path)
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except (ValueError, pandas.errors.ParserError) as wrong:
        raise DataError(f"{path} is not CSV: {wrong}") from wrong
