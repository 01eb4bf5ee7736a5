"""LangChain's own indexing works with the store."""

import pytest
from tests.needs import needs

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import UsageError

pytestmark = needs("langchain_core")


def setup_module():
    global ImiVectorStore
    from imi.bridges.langchain import ImiVectorStore


def test_indexing_adds_skips_and_deletes(tmp_path):
    from langchain_core.documents import Document
    from langchain_core.indexing import InMemoryRecordManager, index

    with imi.open(tmp_path / "l.imi", model=HashEmbedder()) as collection:
        store, records = ImiVectorStore(collection), InMemoryRecordManager("n")
        records.create_schema()

        def told(*texts):
            pages = [Document(page_content=text, metadata={"source": "s"}) for text in texts]
            found = index(pages, records, store, cleanup="full", source_id_key="source", key_encoder="sha256")
            return found["num_added"], found["num_skipped"], found["num_deleted"]

        assert told("tea", "coffee") == (2, 0, 0)
        assert told("tea", "coffee") == (0, 2, 0)
        assert told("tea") == (0, 1, 1)
        assert [one.text for one in collection] == ["tea"]


def test_no_filter_and_wrong_numbers(tmp_path):
    with imi.open(tmp_path / "l.imi", model=HashEmbedder()) as collection:
        store = ImiVectorStore(collection, "meaning")
        store.add_texts(["tea", "coffee"], [{"n": 1}, {"n": 2}], ids=["a", "b"])
        assert len(store.similarity_search("tea", filter={})) == 2
        with pytest.raises(UsageError, match="1 ids came with 2 texts"):
            store.add_texts(["x", "y"], ids=["a"])
        with pytest.raises(UsageError, match="3 metadatas came with 1 texts"):
            store.add_texts(["x"], [{}, {}, {}])
