"""A row of a table that has all words of a Japanese question answers it; one that lacks a word does not."""

import pytest

import imi
from imi.records import Document

HEADS = "| 店舗 | 上期 売上 | 下期 売上 | 店長 |"
ROWS = [
    *(f"{HEADS}\n| {shop} | {at}200 | {at}500 | {who} |" for at, (shop, who) in enumerate(
        [("札幌", "佐藤 健"), ("仙台", "鈴木 翔"), ("福岡", "田中 恵")], 1)),
    "品名: 折りたたみ椅子; 価格: 4800; 在庫: 12",
    "品名: 木製机; 価格: 19800; 在庫: 3",
]  # fmt: skip


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    with imi.open(tmp_path_factory.mktemp("rows") / "shops.imi") as collection:
        collection.add([Document(str(at), text) for at, text in enumerate(ROWS)])
        yield collection


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("札幌の下期の売上は？", "札幌"),
        ("福岡の店長は誰ですか", "田中 恵"),
        ("仙台の上期の売上を教えてください", "仙台"),
        ("木製机の在庫はいくつですか", "19800"),
        ("札幌の下期の利益は？", None),
        ("大阪の店長は誰ですか", None),
        ("福岡の店長の年齢は？", None),
        ("仙台の人口は？", None),
        ("木製机の重量は？", None),
    ],
)
def test_a_row_with_all_words_of_a_question_answers_it(shops, question, quoted):
    answer = shops.ask(question).text
    assert answer is None if quoted is None else quoted in (answer or "")
