"""The vocabulary: rare words kept whole, spellings beside their plainer words."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.needs import needs

from imi.embedders.pieces import Pieces

pytestmark = needs("torch")


def setup_module():
    global Corpus
    global copy_rows, whole_readings
    global add_variants, variants
    global keep_whole, rare_words
    from recipes.builtin.corpus import Corpus
    from recipes.builtin.readings import copy_rows, whole_readings
    from recipes.builtin.spellings import add_variants, variants
    from recipes.builtin.vocabulary import keep_whole, rare_words


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


def jmdict(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    """Write a dictionary of (headword, reading, common) in the form of the data set."""
    (folder / "jmdict").mkdir()
    lines = ["seq\theadword\treading\tpos\tcommon\tglosses"]
    lines += [f"{at}\t{head}\t{reading}\tn\t{common}\tx" for at, (head, reading, common) in enumerate(rows)]
    with gzip.open(folder / "jmdict" / "jmdict_en_2025-07.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return folder


def test_readings_are_those_of_one_common_word_and_rare_by_chance(model: Path, tmp_path: Path) -> None:
    # Readings that no dictionary has: the shipped vocabulary splits them, as one trained from text splits ねこ.
    rows = [
        ("猫", "ぬへゆ", "1"), ("橋", "ゆぬへ", "1"), ("箸", "ゆぬへ", "1"), ("水", "へぬ", "1"),
        ("樹", "ぬへゆき", "0"), ("港", "へゆぬま", "1"), ("港", "ヘユヌマ", "1"),
    ]  # fmt: skip
    texts = ["猫がいる"] * 3 + ["港がある"] * 5 + ["水を飲む"] * 9 + ["それはへぬから"] * 301 + ["へゆぬま"]
    found = whole_readings(jmdict(tmp_path, rows), texts, Pieces(SHIPPED))
    assert "ゆぬへ" not in found, "two words are read so"
    assert "へぬ" not in found, "met more often inside other words"
    assert "ぬへゆき" not in found, "no common word"
    assert list(found.items()) == [("へゆぬま", "港"), ("ぬへゆ", "猫")], "the commoner word first"


def test_a_reading_gets_the_row_of_its_word(model: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
    from imi.train.student import Student

    keep_whole(model, ["ぬぬねれ"])
    pieces = Pieces(model)
    rows = np.random.default_rng(0).normal(size=(pieces.size, 512)).astype(np.float32)
    student = Student(rows, 4)
    assert copy_rows(student, {"ぬぬねれ": "猫"}, pieces) == 1
    a, b = (student.forward(pieces.split([word])[0], np.array([0]))[0] for word in ("ぬぬねれ", "猫"))
    assert torch.equal(a, b)
    with pytest.raises(ValueError, match="pieces"):
        copy_rows(student, {"ぬぬねれぬぬぬぬ": "猫"}, pieces)
