"""The vocabulary: rare words kept whole, spellings beside their plainer words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from imi.embedders.pieces import Pieces
from imi.train.corpus import Corpus
from imi.train.spellings import add_variants, variants
from imi.train.vocabulary import keep_whole, rare_words

SHIPPED = Path(__file__).parents[2] / "src" / "imi" / "models" / "built-in" / "pieces.model"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(SHIPPED, tmp_path / "pieces.model"))


def tokens(model: Path, text: str) -> list[str]:
    pieces = Pieces(model)
    return [pieces.processor.id_to_piece(int(one)) for one in pieces.split([text])[0]]


def test_words_kept_whole_are_one_piece_and_move_nothing_else(model: Path) -> None:
    sentence = "the zyxwvut fabrication of 猫 and a quick brown fox"
    before = tokens(model, sentence)
    parts = tokens(model, "zyxwvut")
    assert len(parts) > 1
    size = Pieces(model).size
    assert keep_whole(model, ["zyxwvut", "Zyxwvut", "the"]) == 1, "folded alike, and `the` is there already"
    assert Pieces(model).size == size + 1
    assert tokens(model, "zyxwvut") == ["▁zyxwvut"]
    assert tokens(model, "ZYXWVUT!") == ["▁zyxwvut", "!"]
    word = tokens(model, "zyxwvut")
    after = tokens(model, sentence)
    at = after.index("▁zyxwvut")
    assert after[:at] + parts + after[at + 1 :] == before
    assert tokens(model, "他の文は変わらない。") == [
        Pieces(SHIPPED).processor.id_to_piece(int(one)) for one in Pieces(SHIPPED).split(["他の文は変わらない。"])[0]
    ]


def test_rare_words_are_those_that_waste_most_pieces() -> None:
    pieces = Pieces(SHIPPED)
    texts = ["the qwxzjvk and the vzkqjxw"] * 20 + ["qwxzjvk again"] * 20 + ["once jjqqxxzzv"] + ["同じ文"] * 30
    assert rare_words(texts, pieces) == ["qwxzjvk", "vzkqjxw"], "not what is met once, nor what is one piece"
    assert rare_words(texts, pieces, limit=1) == ["qwxzjvk"]


def test_variants_stand_in_for_their_plainer_words() -> None:
    known = variants()
    assert known["spoilt"] == "spoiled" and known["colour"] == "color" and known["mice"] == "mouse"
    assert not set(known) & set(known.values()), "no chain"
    corpus = Corpus()
    sentence = corpus.add("the milk was spoiled when it came to us", "en")
    line = corpus.add("the third line of the file is wrong in every way", "en")
    corpus.add("牛乳が spoiled だったという長い文です。", "ja")
    add_variants(corpus)
    written = corpus.texts.index("the milk was spoilt when it came to us")
    assert corpus.stand_ins[written] == (sentence,)
    assert (written, sentence) in corpus.pairs["paraphrase"]
    assert corpus.stand_ins[corpus.texts.index("spoilt")] == (corpus.texts.index("spoiled"),)
    assert not any("queue of the file" in text for text in corpus.texts), "a queue is not any line"
    assert (corpus.texts.index("queue"), corpus.texts.index("line")) in corpus.pairs["dictionary"]
    assert line is not None and corpus.texts.index("queue") not in corpus.stand_ins
