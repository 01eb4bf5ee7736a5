"""Which words each sentence has, found all at once, is what reading every sentence word by word gives."""

import random
import re
import time
import unicodedata

import numpy as np
import pytest

from imi.text.lexical import index_tokens, is_unspaced, is_word, mostly_unspaced, normalize_text
from imi.text.said import Sentences
from imi.text.word_forms import base_form, plain_letters, without_accents

END = re.compile(r"[。!?]+|(?<![.…])[.…]++[\"'”’)\]]*+\s+|\n\s*+")
PARTS = [
    *["cities", "city", "carried", "carry", "call", "called", "glass", "boxes", "a", "C", "42", "1,907", "x_y", "ing"],
    *["。", "!", "?", ".", "...", ". ", ".) ", ".\n", "\n", "\n \n", " ", " ", " ", "…", "・", "\x00", "_", "-"],
    *["猫", "京都", "東京都", "きょう", "は", "ガラス", "🐈", "𠮷", "Zoë", "Ü", "e\u0301", "か\u3099", "ﬁ", "한국"],
    *["Å", "ไทย", "sqliteを使う", "Ｃ＋＋", "µ", "ß", "İ", "x\u0323\u0301", "國", "\u200b", "ά", "\ud800", "½"],
]  # fmt: skip


def word_by_word(texts, words, weights):
    """What a row's best sentence weighs, read plainly."""
    best = []
    for text in texts:
        most = 0.0
        for sentence in END.split(text):
            own = set(map(base_form, re.findall(r"[^\W_]+", sentence)))
            has = [word in own if is_word(word) else word in sentence for word in words]
            most = max(most, float(np.sum(weights[has])))
        best.append(most)
    return best


def made(rng, parts):
    return "".join(rng.choice(PARTS) for _ in range(rng.randrange(parts)))


@pytest.mark.parametrize("seed", range(0, 300, 100))
def test_as_word_by_word(seed):
    for one in range(seed, seed + 100):
        check_words(one)


def check_words(seed):
    rng = random.Random(seed)
    texts = [plain_letters(made(rng, 40)) for _ in range(rng.randrange(1, 6))]
    words = dict.fromkeys(
        base_form(without_accents(token)) for token in index_tokens(made(rng, 12)) if "…" not in token
    )
    weights = np.array([rng.random() + 0.1 for _ in words])
    assert Sentences(texts).best([*words], weights) == pytest.approx(word_by_word(texts, [*words], weights))


def test_accents_are_taken_as_from_the_whole_text():
    for seed in range(200):
        check_accents(normalize_text(made(random.Random(seed), 60)))


def check_accents(text):
    bare = re.sub("(?<=[a-z])[\u0300-\u036f]+", "", unicodedata.normalize("NFD", text))
    accented = re.search("[\u00c0-\u024f\u1e00-\u1eff]|[a-z][\u0300-\u036f]", text)
    assert without_accents(text) == (unicodedata.normalize("NFC", bare) if accented else text)


@pytest.mark.parametrize(
    "texts", [["灯台の電球", "lamp"], ["a lamp, 灯台"], [""], ["42"], ["ไทย ok", "กำ"], ["한국 words and"]]
)
def test_script_by_counting_letters(texts):
    letters = [char for text in texts for char in text if char.isalpha()]
    assert mostly_unspaced(texts) == (sum(map(is_unspaced, letters)) * 3 > len(letters))


@pytest.mark.parametrize("text", ["c" * 4000, "c " * 2000, "xc " * 1300, "猫。" * 2000, "\n" * 4000, ". " * 2000])
def test_texts_of_one_thing_alone_are_read_in_time(text):
    started = time.process_time()
    Sentences([text] * 30).best(["c", "x", "猫", "猫猫", *(f"c{n}" for n in range(60))], np.ones(64))
    assert time.process_time() - started < 0.5  # 20 to 60 ms


def test_no_words_and_empty_texts():
    assert Sentences(["", ""]).best(["cat", "猫"], np.ones(2)).tolist() == [0, 0]
    assert Sentences(["a cat"]).best([], np.ones(0)).tolist() == [0]
