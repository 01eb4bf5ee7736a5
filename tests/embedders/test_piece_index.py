"""The index of a vocabulary splits texts as SentencePiece does, and is not asked where it is not the file's own."""

import random
import shutil

import pytest
import sentencepiece
from hypothesis import example, given
from hypothesis import strategies as st

from imi.embedders import builtin, deep, piece_index
from imi.embedders.pieces import Pieces

MODELS = {"built-in": builtin.FOLDER, "deep": deep.FOLDER}
ODD = ["", " ", "▁▁ a ▁", "ﾊﾝｶｸ ｶﾞ ①㈱½ﬁ", "👨‍👩‍👧 🇯🇵 ❤️", "\x00a\x00", "\t\n x \u3000 y", "𠮷野家 𓀀𓀁x", "\u200b\ufeff a",
       "<unk> <s> </s> <0x41>", "हिन्दी العربية ก็ดี", "a" * 300, "\ufffd \U0010ffff", "000G6RYNE,A2OEUROGZD"]  # fmt: skip
LETTERS = st.characters(codec="utf-8") | st.sampled_from("aeint 猫犬のはーキ京都 😀▁�")


@pytest.fixture(scope="module")
def both():
    """The index and SentencePiece for each model."""
    paths = {name: folder / "pieces.model" for name, folder in MODELS.items()}
    return {
        name: (piece_index.opened(path), sentencepiece.SentencePieceProcessor(model_file=str(path)))
        for name, path in paths.items()
    }


@pytest.mark.parametrize("name", MODELS)
def test_the_shipped_index_is_what_its_recipe_makes(name, tmp_path):
    shutil.copy(MODELS[name] / "pieces.model", tmp_path)
    assert piece_index.write(tmp_path / "pieces.model")
    assert (tmp_path / piece_index.NAME).read_bytes() == (MODELS[name] / piece_index.NAME).read_bytes()


@given(st.text(LETTERS, max_size=40))
@example(" ".join(ODD))
def test_texts_are_split_as_sentencepiece_splits_them(both, text):
    for index, whole in both.values():
        assert index.split(text) == whole.encode(text)


@pytest.mark.parametrize(("step", "runs"), [(31, 400), pytest.param(1, 6000, marks=pytest.mark.nightly)])
def test_every_piece_and_runs_of_pieces_are_split_alike(both, step, runs):
    drawn = random.Random(3)
    for index, whole in both.values():
        pieces = [whole.id_to_piece(at).replace("▁", " ") for at in range(0, whole.vocab_size(), step)]
        texts = [*ODD, *pieces, *("".join(drawn.sample(pieces, 6)) for _ in range(runs))]
        assert [text for text in texts if index.split(text) != whole.encode(text)] == []
        assert index.size == whole.vocab_size()
        for piece in ("▁", "猫", "no such piece"):
            assert index.id_of(piece) == whole.piece_to_id(piece)


def test_long_reading_is_left_to_sentencepiece():
    pieces = Pieces(builtin.FOLDER / "pieces.model")
    short, _ = pieces.split(["a cat"])
    assert "processor" not in vars(pieces)
    long, _ = pieces.split(["a cat " * 500])
    assert "processor" in vars(pieces)
    assert long.tolist() == short.tolist() * 500


@pytest.mark.parametrize("harm", ["cut", "flipped", "another", "absent"])
def test_an_index_that_is_not_the_files_own_is_not_asked(harm, tmp_path):
    shutil.copy(deep.FOLDER / "pieces.model", tmp_path)
    made = bytearray((builtin.FOLDER if harm == "another" else deep.FOLDER).joinpath(piece_index.NAME).read_bytes())
    if harm == "flipped":
        made[len(made) // 2] ^= 1
    if harm != "absent":
        (tmp_path / piece_index.NAME).write_bytes(made[:-9] if harm == "cut" else made)
    assert piece_index.opened(tmp_path / "pieces.model") is None
    pieces = Pieces(tmp_path / "pieces.model")
    assert pieces.split(["猫"])[0].tolist() == Pieces(deep.FOLDER / "pieces.model").split(["猫"])[0].tolist()


def test_a_vocabulary_of_another_kind_gets_no_index(tmp_path):
    (tmp_path / "t.txt").write_text("one two three four\n" * 30)
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "t.txt"), model_prefix=str(tmp_path / "pieces"), vocab_size=25, model_type="bpe",
        minloglevel=2,
    )  # fmt: skip
    assert not piece_index.write(tmp_path / "pieces.model")
    assert not (tmp_path / piece_index.NAME).exists()
