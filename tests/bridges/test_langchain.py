"""LangChain's own classes over a collection."""

import asyncio

import numpy as np
import pytest
from tests.needs import needs

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import UsageError

pytestmark = needs("langchain_core")


def setup_module():
    global Page
    global ImiEmbeddings, ImiRetriever, ImiVectorStore
    from langchain_core.documents import Document as Page

    from imi.bridges.langchain import ImiEmbeddings, ImiRetriever, ImiVectorStore


TEXTS = ["AIは素晴らしい！", "うちの猫はタマと言います", "うちのペットはいつも寝ています", "金魚は夜は休むのかな？"]
ROWS = [{"tag": "work"}, {"tag": "pets"}, {"tag": "pets"}, {"tag": "pets"}]


@pytest.fixture
def store(tmp_path):
    embeddings = ImiEmbeddings(HashEmbedder())
    made = ImiVectorStore.from_texts(TEXTS, embeddings, ROWS, ids=list("abcd"), path=tmp_path / "c.imi")
    with made.collection:
        yield made


def test_embeddings_are_the_models_own():
    model = HashEmbedder()
    embeddings = ImiEmbeddings(model, dims=32)
    assert np.allclose(embeddings.embed_documents(TEXTS), model.embed(TEXTS, dims=32))
    assert np.allclose(embeddings.embed_query("猫"), model.embed(["猫"], "query", 32)[0])
    assert asyncio.run(embeddings.aembed_query("猫")) == embeddings.embed_query("猫")
    assert ImiEmbeddings().model.info.id == imi.load().info.id


def test_a_store_searches_as_its_collection(store):
    want = store.collection.search("猫とペット", 3)
    pages = store.similarity_search("猫とペット", k=3)
    assert [(one.id, one.page_content, one.metadata) for one in pages] == [
        (hit.id, hit.text, dict(hit.metadata)) for hit in want
    ]
    found = store.similarity_search_with_score("うちの猫", k=2, filter={"tag": "pets"}, mode="meaning")
    assert [score for _, score in found] == [
        hit.score for hit in store.collection.search("うちの猫", 2, "meaning", {"tag": "pets"})
    ]
    vector = store.embeddings.embed_query(TEXTS[3])
    assert store.similarity_search_by_vector(vector, k=1)[0].id == "d"
    assert store.search("うちの猫", "similarity", k=1)[0].id == "b"
    scored = store.similarity_search_with_relevance_scores("うちの猫", k=4, score_threshold=0.5)
    assert scored and all(0.5 <= score <= 1 for _, score in scored)


def test_rows_come_and_go(store):
    assert store.add_documents([Page("新しい", metadata={"tag": "new"}, id="e")]) == ["e"]
    (made,) = store.add_texts(["ほか"])
    assert [one.page_content for one in store.get_by_ids(["e", "nothing", made])] == ["新しい", "ほか"]
    store.add_texts(["もっと新しい"], ids=["e"])
    assert store.get_by_ids(["e"])[0].page_content == "もっと新しい"
    store.delete(["e", "nothing", made])
    assert len(store.collection) == 4
    store.delete()
    assert len(store.collection) == 0


def test_retrievers(store):
    by_store = store.as_retriever(search_kwargs={"k": 1, "filter": {"tag": "work"}})
    assert [one.id for one in by_store.invoke("猫")] == ["a"]
    apart = store.as_retriever(search_type="mmr", search_kwargs={"k": 2, "fetch_k": 4, "lambda_mult": 0.1})
    assert len({one.id for one in apart.invoke("うちの猫")}) == 2
    own = ImiRetriever(collection=store.collection, k=2, mode="meaning", rerank="late")
    assert own.invoke("うちの猫はタマと言います")[0].id == "b"
    assert asyncio.run(own.ainvoke("うちの猫はタマと言います"))[0].id == "b"
    assert own.batch(["金魚は夜は休むのかな？"])[0][0].id == "d"


def test_what_does_not_fit_is_said(store, tmp_path):
    from langchain_core.embeddings import FakeEmbeddings

    with pytest.raises(UsageError, match="FakeEmbeddings, allowed are ImiEmbeddings"):
        ImiVectorStore.from_texts(["a"], FakeEmbeddings(size=3), path=tmp_path / "x.imi")
    with pytest.raises(UsageError, match="a collection needs a path"):
        ImiVectorStore.from_texts(["a"], ImiEmbeddings(HashEmbedder()))
    with pytest.raises(UsageError, match="where cannot be used here"):
        store.similarity_search("a", where={"tag": "work"})
    with pytest.raises(UsageError, match=r"no row .* has the field 'nope'"):
        store.similarity_search("a", filter={"nope": 1})
