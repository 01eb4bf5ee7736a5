import io
import sys

import pytest

from imi.errors import DataError, Failure, UsageError
from imi.records import with_facts
from imi.text.readers import ReadOptions, Report, Row, files_of, read

FOUR = "AIは素晴らしい！\nうちの猫はタマと言います\nうちのペットはいつも寝ています\n金魚は夜は休むのかな？\n"


def texts(items):
    return [item.document.text for item in items]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return str(path)


def test_a_line_is_a_document(tmp_path):
    source = write(tmp_path / "four.txt", FOUR)
    found = list(read(source))
    assert texts(found) == FOUR.split("\n")[:-1]
    assert found[1].document.id == f"{source}:2" and found[1].document.metadata == with_facts(
        {}, {"source": source, "line": 2}
    )


def test_paragraphs_wrapped_by_hand_are_joined_and_lists_are_not(tmp_path):
    wrapped = (
        "The quick brown fox jumps over the lazy dog and\nit sleeps in the sun until the evening comes\nand eats.\n"
    )
    source = write(tmp_path / "a.txt", f"{wrapped}\n\none\ntwo\n\n{wrapped}")
    found = list(read(source, ReadOptions(passage=120)))
    assert texts(found) == [" ".join(wrapped.split()) + "\n\none\ntwo", " ".join(wrapped.split())]
    found = list(read(source, ReadOptions(rows="lines")))
    assert texts(found)[3:5] == ["one", "two"]
    assert [item.document.metadata["line"] for item in found] == [1, 2, 3, 6, 7, 9, 10, 11]


def test_markdown_sections_carry_their_headings(tmp_path):
    text = "intro\n\n# Cats\n\nThey sleep.\n\n```\n# no heading\n```\n\n## Food ##\n\nFish.\n\n# Dogs\n"
    source = write(tmp_path / "a.md", text)
    intro, cats, food = read(source)
    assert intro.document.text == "intro" and "heading" not in intro.document.metadata
    assert cats.document.text == "Cats\nThey sleep.\n\n```\n# no heading\n```"
    assert food.document.metadata == with_facts({}, {"source": source, "line": 13, "heading": "Cats > Food"})


def test_long_sections_are_cut_at_paragraphs(tmp_path):
    paragraphs = [(f"{n} " + "word " * 100).strip() for n in range(8)]
    found = list(read(write(tmp_path / "a.md", "# Long\n\n" + "\n\n".join(paragraphs))))
    assert texts(found) == [f"Long\n{paragraphs[n]}\n\n{paragraphs[n + 1]}" for n in range(0, 8, 2)]
    assert [item.document.metadata["line"] for item in found] == [3, 7, 11, 15]


def test_folders_are_walked_in_order(tmp_path):
    for name in ("b.txt", "a/c.md", "a/d.bin", ".hidden/x.txt", "c.imi/x.txt", ".x.txt"):
        write(tmp_path / name, "text\n")
    assert files_of(str(tmp_path)) == [str(tmp_path / "b.txt"), str(tmp_path / "a" / "c.md")]
    assert texts(read(tmp_path)) == ["text", "text"]


def test_what_cannot_be_read_says_so(tmp_path):
    write(tmp_path / "reviews.csv", "a\n1\n")
    write(tmp_path / "empty" / "x.bin", "x")
    with pytest.raises(DataError, match="no such file") as raised:
        list(read(tmp_path / "review.csv"))
    assert raised.value.hint == str(tmp_path / "reviews.csv")
    with pytest.raises(DataError, match=r"kind \.bin cannot be read"):
        list(read(tmp_path / "empty" / "x.bin"))
    with pytest.raises(DataError, match="holds no file"):
        list(read(tmp_path / "empty"))
    with pytest.raises(UsageError, match="--template speaks of columns"):
        list(read(write(tmp_path / "a.txt", "x"), ReadOptions(template="{a}")))


def test_a_stray_byte_costs_its_line_only(tmp_path):
    (tmp_path / "a.txt").write_bytes("一\n猫\n".encode() + b"caf\xe9\n" + "三\n".encode())
    one, two, bad, three = read(tmp_path / "a.txt")
    assert isinstance(bad, Failure) and bad.line == 3 and "0xE9 is not utf-8" in bad.reason
    assert texts([one, two, three]) == ["一", "猫", "三"]


@pytest.mark.parametrize(
    ("given", "expected"), [(FOUR, FOUR.split("\n")[:-1]), ('{"text": "a"}\n{"text": "b"}\n', ["a", "b"]), ("", [])]
)
def test_standard_input_is_lines_or_json_lines(monkeypatch, given, expected):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    assert texts(read("-")) == expected


def test_readings_of_aozora_bunko_split_no_word(tmp_path):
    path = tmp_path / "a.txt"
    written = [
        "吾輩《わがはい》は｜ベテラン《プロ》の※［＃「弓＋椁のつくり」、第3水準1-84-22］［＃「の」に傍点］猫《ねこ》だ。"
    ]
    path.write_text("\n".join([*written, "", "《本の題》と《A》はそのまま。漢字《kanji》も。"]), "utf-8")
    report = Report()
    texts = [item.document.text for item in read(str(path), ReadOptions(report=report))]
    assert "吾輩はベテランの弴猫だ。" in "".join(texts).replace("\n", "")
    assert "《本の題》と《A》はそのまま。漢字《kanji》も。" in "".join(texts)
    assert ["Aozora" in notice.text for notice in report.notices] == [True]


def test_a_note_that_names_half_of_a_pair_or_a_control_character_keeps_its_mark(tmp_path):
    path = tmp_path / "story.txt"
    path.write_text("吾輩《わがはい》は猫《ねこ》だ。※［＃「口」、U+D83D］※［＃U+0000］※［＃U+20BB7］\n", "utf-8")
    assert next(iter(read(str(path)))).document.text == "吾輩は猫だ。※※𠮷"


def test_a_text_without_readings_keeps_its_brackets(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("映画《ゆめ》を見た。歌《song》もよい。a|b《x》\n", "utf-8")
    assert next(iter(read(str(path)))).document.text == "映画《ゆめ》を見た。歌《song》もよい。a|b《x》"


@pytest.mark.parametrize("other", ["cp932", "euc-jp"])
def test_lines_in_two_encodings(tmp_path, other):
    words = "東京の店です"
    lines = [
        "京都の庭園を歩く".encode(),
        words.encode(other),
        b"plain",
        "奈良の鹿と公園".encode(),
        b"\xe5\x8c\x97\xe6\xb5",
    ]
    (tmp_path / "a.txt").write_bytes(b"\n".join(lines) + b"\n")
    report = Report()
    items = list(read(str(tmp_path / "a.txt"), ReadOptions(report=report, rows="lines")))
    assert [item.document.text for item in items if isinstance(item, Row)] == [
        "京都の庭園を歩く",
        words,
        "plain",
        "奈良の鹿と公園",
    ]
    assert [item.line for item in items if isinstance(item, Failure)] == [5]
    assert [notice.text for notice in report.notices] == [f"line 2 is in {other} and read so; the others are UTF-8"]


def test_rows_of_a_table_in_two_encodings(tmp_path):
    rows = [
        "id,品名\n".encode(),
        *(f"{at},りんごとみかん\n".encode("cp932" if at % 2 else "utf-8") for at in range(1, 9)),
    ]
    (tmp_path / "a.csv").write_bytes(b"".join(rows))
    items = list(read(str(tmp_path / "a.csv")))
    assert [item.document.text for item in items] == [f"id: {at}; 品名: りんごとみかん" for at in range(1, 9)]


def test_halves_of_kana_are_no_second_encoding(tmp_path):
    (tmp_path / "a.txt").write_bytes("ﾃｱ\n東京の店です\nｶﾀｶﾅの名前\n".encode("cp932"))
    items = list(read(str(tmp_path / "a.txt"), ReadOptions(rows="lines")))
    assert [item.document.text for item in items] == ["ﾃｱ", "東京の店です", "ｶﾀｶﾅの名前"]


def test_chinese_is_not_read_as_japanese(tmp_path):
    (tmp_path / "a.txt").write_bytes("中文内容测试\n这是第二行\n".encode("gb18030"))
    items = list(read(str(tmp_path / "a.txt"), ReadOptions(rows="lines")))
    assert [type(item) for item in items] == [Failure, Failure] and "is not utf-8" in items[0].reason
