"""What people cannot see hides no word, and a kanji is found by any of its forms."""

import unicodedata

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.text.kanji import _FORMS, common_forms, without_hidden


def test_each_form_is_one_character_and_stands_once():
    assert len(_FORMS) % 2 == 0
    old = list(_FORMS[::2])
    assert len(set(old)) == len(old) and not set(old) & set(_FORMS[1::2])
    assert all(unicodedata.normalize("NFKC", one) == one for one in _FORMS)


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("葛\U000e0100飾区の役所", "葛飾区"), ("検索\u200bエンジン", "検索エンジン"),
        ("we co\u00adoperate", "cooperate"),
        ("郵便\u2060番号", "郵便番号"), ("\u202areport\u202c of May", "report"), ("\ufeff先頭の語", "先頭"),
        ("髙橋さん", "高橋"), ("高橋さん", "髙橋"), ("山﨑製作所", "山崎"),
        ("國學院大學", "国学院"), ("国学院大学", "國學院"),
        ("渡邊", "渡辺"), ("渡邉", "渡邊"), ("𠮷野家", "吉野家"), ("神社", "神社"),
    ],
)  # fmt: skip
def test_the_word_is_found_and_stays_as_it_is_written(tmp_path, written, asked):
    with imi.open(tmp_path / "c.imi", model=HashEmbedder()) as collection:
        collection.add([imi.Document("a", written), imi.Document("b", "something else")])
        hits = collection.search(asked, mode="text")
        assert [hit.id for hit in hits] == ["a"] and hits[0].text == written


def test_plain_texts_are_left_alone():
    assert without_hidden("猫が好き 🐈") == "猫が好き 🐈" and common_forms("国の図書館") == "国の図書館"
