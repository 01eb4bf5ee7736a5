"""The index of words: a ranked search finds what the oracle finds, whatever was written, built, deleted or damaged."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

import imi
from imi.collection import Collection
from imi.embedders.testing import HashEmbedder
from imi.index.policy import IndexPolicy
from imi.records import Document
from imi.text.bm25 import BM25
from imi.text.lexical import index_tokens, ranking_terms

# The index begins at sizes that a test can afford.
SMALL = IndexPolicy(words_from=100, words_saved=40, words_tail=60, words_batch=70)
COMMON = ["the", "of", "cat", "dog", "猫", "犬", "tokyo", "kyoto", "river", "bank"]
WORDS = [*COMMON, "京都", "歌う", "green", "slowly", "window", "窓", "seven", "orange", "piano", "雨"]
QUERIES = [
    "the cat of the river sleeps by a green window",
    "where is the piano that seven dogs of kyoto play slowly",
    "京都の窓で猫と犬が雨の中で歌う",
    "the of the of nothing else than the",
]


def text(at: int) -> str:
    chance = random.Random(at)
    return " ".join(chance.choices(WORDS, [1 / (n + 1) for n in range(len(WORDS))], k=chance.randint(1, 25)))


def rows(ids: range) -> list[Document]:
    return [Document(f"r{at}", text(at), {"n": at}) for at in ids]


def check(c: Collection, ids: list[int], where: dict[str, object] | None = None, *, postings: bool = True) -> None:
    """Ranked searches give the oracle's scores over all rows, and only rows that pass."""
    assert c.info.index["words"]["kind"] == ("postings" if postings else "fts5")
    if not postings:
        assert all(len(c.search(query, mode="text")) for query in QUERIES)
        return
    every = sorted(ids)
    oracle = BM25([index_tokens(text(at)) for at in every])
    passing = np.array([where is None or at >= where["n"][">="] for at in every])  # type: ignore[index]
    for query in QUERIES:
        scores = oracle.scores([ranking_terms(query)])[0]
        hits = c.search(query, k=10, mode="text", where=where)
        assert [hit.score for hit in hits] == pytest.approx(
            sorted(scores[passing], reverse=True)[: len(hits)], rel=1e-4
        )
        assert len(hits) == min(10, np.count_nonzero(scores[passing]))
        for hit in hits:
            assert hit.score == pytest.approx(scores[every.index(int(hit.id[1:]))], rel=1e-4)


@pytest.fixture
def big(tmp_path: Path):
    with imi.open(tmp_path / "c.imi", HashEmbedder(), policy=SMALL) as c:
        c.add(rows(range(300)))
        c._index.wait()
        yield c


def test_the_index_comes_behind_the_writes_and_ranks_as_the_oracle(big, tmp_path: Path) -> None:
    check(big, list(range(300)))
    check(big, list(range(300)), {"n": {">=": 295}})
    check(big, list(range(300)), {"n": {">=": 30}})
    assert big.info.index["words"]["rows"] == 300
    with imi.open(tmp_path / "c.imi", HashEmbedder(), mode="r", policy=SMALL) as reader:
        check(reader, list(range(300)))
    counted = big.search(QUERIES[0], mode="text", facets=["n"])
    assert {hit.metadata["n"] for hit in counted} <= {int(value) for value in counted.facets["n"]}
    hybrid = big.search(QUERIES[1], k=5)
    assert len(hybrid) == 5


def test_small_collections_and_contains_are_left_to_fts5(tmp_path: Path, big) -> None:
    with imi.open(tmp_path / "few.imi", HashEmbedder(), policy=SMALL) as few:
        few.add(rows(range(50)))
        check(few, list(range(50)), postings=False)
        assert not (tmp_path / "few.imi" / "index" / "words").exists()
    holding = {f"r{at}" for at in range(300) if "猫" in text(at)}
    assert {hit.id for hit in big.search("猫", k=300, mode="text")} == holding


def test_rows_added_updated_and_deleted_count_at_once(big, tmp_path: Path) -> None:
    with imi.open(tmp_path / "c.imi", HashEmbedder(), mode="r", policy=SMALL) as reader:
        ids = list(range(300))
        for turn in range(8):
            new = range(300 + 20 * turn, 320 + 20 * turn)
            big.add(rows(new))
            ids += new
            gone = random.Random(turn).sample(ids, 25)
            big.delete([f"r{at}" for at in gone])
            ids = [at for at in ids if at not in gone]
            check(big, ids)
            check(reader, ids)
            big._index.wait()
            check(reader, ids)
        big.add([Document("r7", "an orange piano that nobody else has, incomparably")])
        assert big.search("who has an incomparably orange piano", k=1, mode="text")[0].id == "r7"
    with imi.open(tmp_path / "c.imi", HashEmbedder(), mode="r", policy=SMALL) as fresh:
        assert fresh.search("who has an incomparably orange piano", k=1, mode="text")[0].id == "r7"


def test_far_behind_fts5_answers_until_the_files_are_there(big, tmp_path: Path) -> None:
    with imi.open(tmp_path / "c.imi", HashEmbedder(), mode="r", policy=SMALL) as reader:
        check(reader, list(range(300)))
        with big._index._writing():  # another process is writing index files: this one leaves them alone
            big.add(rows(range(300, 500)))
            big._index.wait()
        check(reader, list(range(500)), postings=False)
        big.add(rows(range(500, 501)))
        big._index.wait()
        check(reader, list(range(501)))
        check(big, list(range(501)))


@pytest.mark.parametrize("damage", ["missing", "manifest", "flip", "cut", "foreign", "older"])
def test_a_damaged_index_is_noticed_and_heals_with_the_next_write(big, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "c.imi" / "index" / "words"
    if damage == "older":
        shutil.copytree(folder, tmp_path / "kept")
        big.delete([f"r{at}" for at in range(100)])
        big._store.connection.execute("DELETE FROM deletions")  # as a file put back from somewhere would be
        big.add(rows(range(100)))
        big.delete([f"r{at}" for at in range(100)])
        big._index.wait()
    big.close()
    if damage in ("missing", "older"):
        shutil.rmtree(folder)
    if damage == "manifest":
        (folder / "manifest.json").write_text("{}")
    elif damage == "foreign":
        with imi.open(tmp_path / "other.imi", HashEmbedder(), policy=SMALL) as other:
            other.add(rows(range(300)))
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "other.imi" / "index" / "words", folder)
    elif damage == "older":
        shutil.copytree(tmp_path / "kept", folder)
    elif damage in ("flip", "cut"):
        for part in folder.iterdir():
            content = bytearray(part.read_bytes())
            at = random.Random(5).randrange(len(content))
            content[at] ^= 0x10
            part.write_bytes(content if damage == "flip" else content[:at])
    ids = list(range(100 if damage == "older" else 0, 300))
    with imi.open(tmp_path / "c.imi", HashEmbedder(), mode="r", policy=SMALL) as reader:
        if damage != "older":  # its deletions are still to be had: it may catch up
            check(reader, ids, postings=False)
    with imi.open(tmp_path / "c.imi", HashEmbedder(), policy=SMALL) as c:
        c.add(rows(range(300, 301)))
        c._index.wait()
        check(c, [*ids, 300])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_ranks_too(big) -> None:
    expected = [hit.id for hit in big.search(QUERIES[0], mode="text")]
    pid = os.fork()
    if pid == 0:
        try:
            ok = [hit.id for hit in big.search(QUERIES[0], mode="text")] == expected
        except BaseException:
            ok = False
        os._exit(0 if ok else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_reader_of_an_earlier_state_than_the_words_has_them_again_afterwards(tmp_path):
    z = np.zeros((160, 4), np.float32) + 1
    with imi.open(tmp_path / "c.imi", policy=SMALL) as writer:
        writer.add(rows(range(110)), z[:110])
        writer.wait()
        with imi.open(tmp_path / "c.imi", mode="r", policy=SMALL) as reader:
            with reader.store.reading():
                assert reader.store.text_count() == 110
                writer.add(rows(range(110, 160)), z[110:])
                writer.wait()
                assert reader._index.words.info()["rows"] == 110
            check(reader, list(range(160)))
