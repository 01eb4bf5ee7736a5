"""LlamaIndex's own classes over a collection."""

import asyncio

import numpy as np
import pytest
from tests.needs import needs

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import UsageError
from imi.rag.retrieve import Retrieval
from imi.records import Document as Row

pytestmark = needs("llama_index")


def setup_module():
    global Document, StorageContext, VectorStoreIndex
    global MetadataMode
    global FilterOperator, MetadataFilter, MetadataFilters
    global FilterCondition, VectorStoreQuery, VectorStoreQueryMode
    global ImiEmbedding, ImiRetriever, ImiVectorStore, where_of
    from llama_index.core import Document, StorageContext, VectorStoreIndex
    from llama_index.core.schema import MetadataMode
    from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters
    from llama_index.core.vector_stores.types import FilterCondition, VectorStoreQuery, VectorStoreQueryMode

    from imi.bridges.llamaindex import ImiEmbedding, ImiRetriever, ImiVectorStore, where_of


TEXTS = ["AIは素晴らしい！", "うちの猫はタマと言います", "うちのペットはいつも寝ています", "金魚は夜は休むのかな？"]


@pytest.fixture
def index(tmp_path):
    documents = [Document(text=text, id_=f"doc{n}", metadata={"n": n}) for n, text in enumerate(TEXTS)]
    with imi.open(tmp_path / "c.imi", model=HashEmbedder()) as collection:
        context = StorageContext.from_defaults(vector_store=ImiVectorStore(collection))
        yield VectorStoreIndex.from_documents(
            documents, storage_context=context, embed_model=ImiEmbedding(HashEmbedder()), transformations=[]
        )


def collection_of(index):
    return index.vector_store.client


def test_embeddings_are_the_models_own():
    model = HashEmbedder()
    embedding = ImiEmbedding(model, dims=32)
    assert np.allclose(embedding.get_text_embedding_batch(TEXTS), model.embed(TEXTS, dims=32))
    assert np.allclose(embedding.get_query_embedding("猫"), model.embed(["猫"], "query", 32)[0])
    assert asyncio.run(embedding.aget_query_embedding("猫")) == embedding.get_query_embedding("猫")
    assert embedding.model_name == model.info.id


def test_an_index_keeps_its_nodes_in_the_collection(index):
    collection = collection_of(index)
    assert [document.text for document in collection.documents()] == TEXTS
    # LlamaIndex embeds a node with its metadata before it.
    embedded = [node.get_content(MetadataMode.EMBED) for node in index.vector_store.get_nodes()]
    assert np.allclose(collection.vectors(), HashEmbedder().embed(embedded), atol=1e-6)
    for mode, own in (("default", "meaning"), ("hybrid", "hybrid"), ("text_search", "text")):
        retriever = index.as_retriever(similarity_top_k=2, vector_store_query_mode=mode)
        found = retriever.retrieve("うちの猫")
        assert [one.node.get_content() for one in found] == [hit.text for hit in collection.search("うちの猫", 2, own)]
        for one in found:
            n = TEXTS.index(one.node.get_content())
            assert one.node.metadata == {"n": n} and one.node.ref_doc_id == f"doc{n}"
    again = VectorStoreIndex.from_vector_store(ImiVectorStore(collection), embed_model=ImiEmbedding(HashEmbedder()))
    assert again.as_retriever(similarity_top_k=1).retrieve(embedded[3])[0].node.ref_doc_id == "doc3"


def test_filters(index):
    def found(*filters, condition=FilterCondition.AND):
        given = MetadataFilters(filters=list(filters), condition=condition)
        hits = index.as_retriever(similarity_top_k=9, filters=given).retrieve("猫")
        return sorted(one.node.metadata["n"] for one in hits)

    one = MetadataFilter(key="n", value=1, operator=FilterOperator.GT)
    two = MetadataFilter(key="n", value=[0, 3], operator=FilterOperator.IN)
    assert found(one) == [2, 3]
    assert found(one, two) == [3]
    assert found(one, two, condition=FilterCondition.OR) == [0, 2, 3]
    assert found(one, condition=FilterCondition.NOT) == [0, 1]
    assert found(MetadataFilter(key="n", value=[0, 3], operator=FilterOperator.NIN)) == [1, 2]
    assert found(MetadataFilters(filters=[one, two])) == [3]
    assert where_of(None) is None
    with pytest.raises(UsageError, match="'text_match'"):
        found(MetadataFilter(key="n", value="a", operator=FilterOperator.TEXT_MATCH))


def test_rows_come_and_go(index):
    store, collection = index.vector_store, collection_of(index)
    index.insert(Document(text="新しい", id_="new", metadata={"n": 9}))
    assert [node.get_content() for node in store.get_nodes(None, _n(9))] == ["新しい"]
    index.delete_ref_doc("new")
    assert len(collection) == 4
    store.delete_nodes(filters=_n(0))
    assert [node.metadata["n"] for node in store.get_nodes()] == [1, 2, 3]
    store.clear()
    assert len(collection) == 0
    store.delete("nothing")


def _n(value):
    return MetadataFilters(filters=[MetadataFilter(key="n", value=value)])


def test_retrievers_and_rows_that_imi_read_itself(tmp_path):
    with imi.open(tmp_path / "c.imi", model=HashEmbedder()) as collection:
        collection.add([Row(str(n), text, {"n": n}) for n, text in enumerate(TEXTS)])
        found = ImiRetriever(collection, Retrieval(k=2, mode="meaning", rerank="late")).retrieve(TEXTS[1])
        assert found[0].node.node_id == "1" and found[0].node.metadata == {"n": 1}
        assert found[0].score == pytest.approx(1, abs=1e-5)


def test_modes_that_no_collection_has_are_refused(index):
    query = VectorStoreQuery(query_str="猫", mode=VectorStoreQueryMode.SVM)
    with pytest.raises(UsageError, match="the mode is 'svm', allowed are default, hybrid"):
        index.vector_store.query(query)
