"""LlamaIndex's embedding, vector store and retriever over imi's models and collections.

from llama_index.core import StorageContext, VectorStoreIndex
from imi.bridges.llamaindex import ImiEmbedding, ImiVectorStore

store = ImiVectorStore(imi.open("notes.imi", model="built-in"))
index = VectorStoreIndex.from_vector_store(store, embed_model=ImiEmbedding())
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imi.collection import Collection
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.errors import MissingExtra, UsageError
from imi.rag.retrieve import Retrieval, find_passages
from imi.records import Document, Hit, Mode

try:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.bridge.pydantic import PrivateAttr
    from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle, TextNode
    from llama_index.core.vector_stores.types import (
        BasePydanticVectorStore,
        FilterCondition,
        FilterOperator,
        MetadataFilters,
        VectorStoreQuery,
        VectorStoreQueryMode,
        VectorStoreQueryResult,
    )
    from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict
except ImportError as missing:
    raise MissingExtra("llama-index-core", "llamaindex") from missing

_MODES: dict[Any, Mode] = {
    VectorStoreQueryMode.HYBRID: "hybrid",
    VectorStoreQueryMode.TEXT_SEARCH: "text",
    VectorStoreQueryMode.SPARSE: "text",
}
_SAME = {
    FilterOperator.EQ: "=",
    FilterOperator.NE: "!=",
    FilterOperator.GT: ">",
    FilterOperator.GTE: ">=",
    FilterOperator.LT: "<",
    FilterOperator.LTE: "<=",
    FilterOperator.IN: "in",
    FilterOperator.CONTAINS: "contains",
}


class ImiEmbedding(BaseEmbedding):
    """A model of imi as LlamaIndex's embedding; questions and texts keep their own prompts."""

    _model: Any = PrivateAttr()
    _dims: int | None = PrivateAttr()

    def __init__(self, model: str | Embedder | None = None, dims: int | None = None, *, batch: int = 256) -> None:
        """Set up.

        Args:
            model: a name for `imi.load`, or an embedder; None for the built-in one.
            dims: leading dimensions to keep, re-normalised; None for all.
            batch: texts that LlamaIndex hands over at a time.
        """
        embedder = load(model) if model is None or isinstance(model, str) else model
        super().__init__(model_name=embedder.info.id, embed_batch_size=batch)
        self._model, self._dims = embedder, dims

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        found: list[list[float]] = self._model.embed(texts, "document", self._dims).tolist()
        return found

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        found: list[float] = self._model.embed([query], "query", self._dims)[0].tolist()
        return found

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


class ImiVectorStore(BasePydanticVectorStore):
    """A collection as LlamaIndex's vector store: nodes with their texts and vectors."""

    stores_text: bool = True
    _collection: Collection = PrivateAttr()

    def __init__(self, collection: Collection) -> None:
        """Set up over an open collection; give its model to LlamaIndex too, as `ImiEmbedding`."""
        super().__init__(stores_text=True)
        self._collection = collection

    @property
    def client(self) -> Collection:
        """The collection."""
        return self._collection

    def add(self, nodes: Sequence[BaseNode], **add_kwargs: Any) -> list[str]:
        """Add nodes with the vectors that LlamaIndex made of them; return their ids."""
        rows = [
            Document(
                node.node_id,
                node.get_content(MetadataMode.NONE),
                node_to_metadata_dict(node, remove_text=True, flat_metadata=False),
            )
            for node in nodes
        ]
        if rows:
            self._collection.add(rows, np.array([node.get_embedding() for node in nodes], np.float32))
        return [row.id for row in rows]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete the nodes of a document."""
        if "ref_doc_id" in self._collection.info.fields:
            self._collection.delete(where={"ref_doc_id": ref_doc_id})

    def delete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """Delete nodes by their ids, or those that pass filters."""
        self._collection.delete([node.node_id for node in self.get_nodes(node_ids, filters)])

    def clear(self) -> None:
        """Delete all nodes."""
        self._collection.delete(self._collection.ids())

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Return the nodes of these ids, or all, that pass the filters."""
        wanted = None if node_ids is None else set(node_ids)
        return [
            _node(one.id, one.text, one.metadata)
            for one in self._collection.documents(where_of(filters))
            if wanted is None or one.id in wanted
        ]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Search by the query's vector, or by its words in the modes hybrid and text search.

        Raises:
            UsageError: a mode that no collection has.
        """
        if query.mode == VectorStoreQueryMode.DEFAULT:
            asked: Any = np.asarray(query.query_embedding, np.float32)
        elif query.mode in _MODES:
            asked = query.query_str or ""
        else:
            allowed = ", ".join(["default", *(mode.value for mode in _MODES)])
            raise UsageError(f"the mode is {query.mode.value!r}, allowed are {allowed}")
        where = where_of(query.filters)
        if query.doc_ids:
            chosen = {"ref_doc_id": {"in": list(query.doc_ids)}}
            where = chosen if where is None else {"and": [where, chosen]}
        mode = _MODES.get(query.mode, "meaning")
        hits = self._collection.search(asked, query.similarity_top_k, mode, where)
        return VectorStoreQueryResult(
            nodes=[_node_of(hit) for hit in hits],
            similarities=[hit.score for hit in hits],
            ids=[hit.id for hit in hits],
        )


class ImiRetriever(BaseRetriever):
    """A retriever with what `imi ask` can: reranked passages, and passages with the text around them."""

    def __init__(self, collection: Collection, finding: Retrieval | None = None) -> None:
        """Set up.

        Args:
            collection: an open one.
            finding: how passages are found.
        """
        super().__init__()
        self._collection, self._finding = collection, finding or Retrieval()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = find_passages(self._collection, query_bundle.query_str, self._finding)
        return [NodeWithScore(node=_node_of(hit), score=hit.score) for hit in hits]


def where_of(filters: MetadataFilters | None) -> dict[str, Any] | None:
    """Return LlamaIndex's filters as imi's.

    Raises:
        UsageError: an operator or condition that imi does not have.
    """
    if filters is None or not filters.filters:
        return None
    parts = [where_of(one) if isinstance(one, MetadataFilters) else _comparison(one) for one in filters.filters]
    kept = [part for part in parts if part is not None]
    if filters.condition == FilterCondition.NOT:
        return {"not": {"or": kept}}
    return {"or" if filters.condition == FilterCondition.OR else "and": kept}


def _comparison(one: Any) -> dict[str, Any]:
    if one.operator in _SAME:
        return {one.key: {_SAME[one.operator]: one.value}}
    if one.operator == FilterOperator.NIN:
        return {"not": {one.key: {"in": one.value}}}
    if one.operator == FilterOperator.IS_EMPTY:
        return {one.key: None}
    if one.operator in (FilterOperator.ANY, FilterOperator.ALL):
        parts = [{one.key: {"contains": value}} for value in one.value]
        return {"or" if one.operator == FilterOperator.ANY else "and": parts}
    allowed = ", ".join([*(operator.value for operator in _SAME), "nin", "any", "all", "is_empty"])
    raise UsageError(f"the filter's operator is {one.operator.value!r}, allowed are {allowed}")


def _node_of(hit: Hit) -> BaseNode:
    return _node(hit.id, hit.text, hit.metadata)


def _node(id_: str, text: str | None, metadata: Mapping[str, Any]) -> BaseNode:
    if "_node_content" in metadata:
        return metadata_dict_to_node(dict(metadata), text=text)
    # A row that imi read from a file itself.
    return TextNode(id_=id_, text=text or "", metadata=dict(metadata))
