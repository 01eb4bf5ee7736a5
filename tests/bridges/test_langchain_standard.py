"""LangChain's own standard tests of vector stores."""

import inspect

import pytest

import imi
from imi.embedders.testing import HashEmbedder

pytest.importorskip("langchain_core")
pytest.importorskip("pytest_asyncio", reason="pytest-asyncio is not installed")
standard = pytest.importorskip("langchain_tests.integration_tests", reason="langchain-tests is not installed")

from imi.bridges.langchain import ImiVectorStore


class TestImiVectorStore(standard.VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path):
        with imi.open(tmp_path / "l.imi", model=HashEmbedder()) as collection:
            yield ImiVectorStore(collection, "meaning")


for _name in dir(TestImiVectorStore):
    if inspect.iscoroutinefunction(getattr(TestImiVectorStore, _name)):
        setattr(TestImiVectorStore, _name, pytest.mark.asyncio(getattr(TestImiVectorStore, _name)))
