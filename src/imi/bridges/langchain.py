"""LangChain's embeddings, vector store and retriever over imi's models and collections.

from imi.bridges.langchain import ImiVectorStore

store = ImiVectorStore(imi.open("notes.imi"))
store.as_retriever(search_kwargs={"k": 3}).invoke("delicious beans")
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from imi.collection import Collection
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.errors import MissingExtra, UsageError
from imi.opening import open as open_collection
from imi.rag.retrieve import Retrieval, find_passages
from imi.records import Document, Hit, Mode

try:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document as Page
    from langchain_core.embeddings import Embeddings
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.vectorstores import VectorStore
    from langchain_core.vectorstores.utils import maximal_marginal_relevance
except ImportError as missing:
    raise MissingExtra("langchain-core", "langchain") from missing

Where = Mapping[str, Any]


class ImiEmbeddings(Embeddings):
    """A model of imi as LangChain's embeddings; questions and documents keep their own prompts."""

    def __init__(self, model: str | Embedder | None = None, dims: int | None = None) -> None:
        """Set up.

        Args:
            model: a name for `imi.load`, or an embedder; None for the built-in one.
            dims: leading dimensions to keep, re-normalised; None for all.
        """
        self.model: Embedder = load(model) if model is None or isinstance(model, str) else model
        self.dims = dims

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a unit vector for each text."""
        found: list[list[float]] = self.model.embed(texts, "document", self.dims).tolist()
        return found

    def embed_query(self, text: str) -> list[float]:
        """Return the unit vector of a question."""
        found: list[float] = self.model.embed([text], "query", self.dims)[0].tolist()
        return found


class ImiVectorStore(VectorStore):
    """A collection as LangChain's vector store; `filter` takes what `where` takes in `Collection.search`."""

    def __init__(self, collection: Collection, mode: Mode = "hybrid") -> None:
        """Set up.

        Args:
            collection: an open one.
            mode: how questions are searched: "text", "meaning" or "hybrid".
        """
        self.collection = collection
        self.mode = mode

    @property
    def embeddings(self) -> ImiEmbeddings:
        """The collection's model."""
        return ImiEmbeddings(self.collection.model)

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> ImiVectorStore:
        """Return a store over the collection at `path=`, with these texts added; `mode=` as for the class.

        Raises:
            UsageError: no path, or embeddings that are not of imi.
        """
        path, mode = kwargs.pop("path", None), kwargs.pop("mode", "hybrid")
        _no_more(kwargs)
        if path is None:
            raise UsageError("a collection needs a path", hint='from_texts(texts, embedding, path="notes.imi")')
        if not isinstance(embedding, ImiEmbeddings):
            raise UsageError(
                f"the embeddings are {type(embedding).__name__}, allowed are ImiEmbeddings",
                hint="ImiEmbeddings(NAME) takes every model that imi knows, endpoints among them",
            )
        store = cls(open_collection(path, model=embedding.model), mode)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, or replace those whose ids are there; return their ids."""
        kwargs.pop("batch_size", None)  # LangChain's indexing gives it to every store; batches are made here
        _no_more(kwargs)
        texts = list(texts)
        for what, given in (("ids", ids), ("metadatas", metadatas)):
            if given and len(given) != len(texts):
                raise UsageError(f"{len(given)} {what} came with {len(texts)} texts", hint="give one for each text")
        names = [one or uuid.uuid4().hex for one in ids or [""] * len(texts)]
        rows = zip(names, texts, metadatas or [{}] * len(texts), strict=True)
        self.collection.add([Document(*row) for row in rows])
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool | None:
        """Delete rows by id; those that are not there are no error."""
        _no_more(kwargs)
        self.collection.delete(self.collection.ids() if ids is None else ids)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Page]:
        """Return the rows of these ids that are there, in their order."""
        found = self.collection.get(list(ids), default=None)
        return [_page(one.id, one.text, one.metadata) for one in found if one is not None]

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Page]:
        """Return the pages that answer a question, best first."""
        return [page for page, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Where | None = None, **kwargs: Any
    ) -> list[tuple[Page, float]]:
        """Return pages with the scores of the store's mode; higher is better."""
        mode = kwargs.pop("mode", self.mode)
        _no_more(kwargs)
        return [(_page_of(hit), hit.score) for hit in self.collection.search(query, k, mode, filter or None)]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: Where | None = None, **kwargs: Any
    ) -> list[Page]:
        """Return the pages whose vectors are nearest to one of the collection's width."""
        _no_more(kwargs)
        hits = self.collection.search(np.asarray(embedding, np.float32), k, "meaning", filter or None)
        return [_page_of(hit) for hit in hits]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Where | None = None,
        **kwargs: Any,
    ) -> list[Page]:
        """Return pages that answer a question and do not repeat one another, chosen by meaning among `fetch_k`."""
        _no_more(kwargs)
        asked = self.collection.model.embed([query], "query", self._dims)[0]
        hits = self.collection.search(asked, fetch_k, "meaning", filter or None)
        near = self.collection.vectors([hit.id for hit in hits])
        chosen = maximal_marginal_relevance(asked, near.tolist(), lambda_mult, k)
        return [_page_of(hits[at]) for at in chosen]

    @property
    def _dims(self) -> int | None:
        bound = self.collection.bound
        return None if bound is None else bound.dims

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        # Cosines and fused scores lie within 0 and 1 but for what is unlike; BM25 has no upper end.
        return lambda score: min(1.0, max(0.0, score))


class ImiRetriever(BaseRetriever):
    """A retriever with what `imi ask` can: reranked passages, and passages with the text around them.

    collection: an open one. k, mode, where, rerank, expand: as in `imi.rag.retrieve.Retrieval`.
    """

    collection: Any
    k: int = 5
    mode: str = "hybrid"
    where: dict[str, Any] | None = None
    rerank: Any = "auto"
    expand: int | None = None

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        where: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Page]:
        """Find passages; `k` and `where` (or `filter`) of one call go before those of the retriever."""
        narrowed = where or kwargs.pop("filter", None) or self.where or None
        _no_more(kwargs)
        count = self.k if k is None else k
        finding = Retrieval(count, self.mode, narrowed, False, self.rerank, self.expand)  # type: ignore[arg-type]  # searching checks it
        return [_page_of(hit) for hit in find_passages(self.collection, query, finding)]


def _page_of(hit: Hit) -> Page:
    return _page(hit.id, hit.text, hit.metadata)


def _page(id_: str, text: str | None, metadata: Mapping[str, Any]) -> Page:
    return Page(page_content=text or "", metadata=dict(metadata), id=id_)


def _no_more(kwargs: Mapping[str, Any]) -> None:
    """Refuse what LangChain would pass on in silence.

    Raises:
        UsageError: there is something.
    """
    if kwargs:
        raise UsageError(f"{', '.join(kwargs)} cannot be used here", hint="filter= takes what where= takes in search")
