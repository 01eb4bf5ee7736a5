"""Whatever the command line says is said in Japanese where the locale is Japanese, and in English elsewhere."""

import re
import subprocess
import sys

import pytest
from tests.cli.texts import flat

from imi.cli import main
from imi.cli.groups import GROUPS
from imi.cli.help_page import cells
from imi.language import FOLDER, Phrasebook, entries, language, local

VERBS = [name for group in GROUPS for name in group.verbs]
JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]")


@pytest.fixture
def japanese(monkeypatch):
    monkeypatch.setenv("IMI_LANG", "ja")


@pytest.fixture(scope="module")
def table():
    return list(entries(FOLDER))


def test_each_text_is_there_once_and_its_fields_are_those_of_its_japanese(table):
    seen = [english for english, _ in table]
    assert len(seen) == len(set(seen))
    for english, said in table:
        assert english == flat(english)
        count, used = english.count("{}"), re.findall(r"\{(\d?)\}", said)
        assert all(not at or int(at) < count for at in used), english
        assert used.count("") <= count and (any(used) or not used or len(used) == count), english
        assert JAPANESE.search(said) or said == english or re.fullmatch(r"[\w {}.,、-]+", said, re.ASCII), english


@pytest.mark.parametrize("asked", ["ja", "ja_JP.UTF-8", "ja_JP"])
def test_the_locale_chooses_and_the_own_variable_wins(asked, monkeypatch):
    for name in ("IMI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert language() == "en"
    monkeypatch.setenv("LANG", asked)
    assert language() == "ja"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert language() == "en"
    monkeypatch.setenv("IMI_LANG", asked)
    assert language() == "ja"


def test_fields_keep_their_values_in_any_order():
    book = Phrasebook(
        iter([("{} of {} rows are red", "{1} 行中 {0} 行が赤です"), ("the file {} is gone", "{} はありません")])
    )
    assert book.translate("3 of 10 rows are red") == "10 行中 3 行が赤です"
    assert book.translate("3 of 10 of 12 rows are red") == "10 of 12 行中 3 行が赤です"
    assert book.translate("the file a; b is gone") == "a; b はありません"
    assert book.translate("nothing: the file x is gone") == "nothing：x はありません"
    assert book.translate("the file is gone") == "the file is gone"
    assert book.translate("猫") == "猫"


def test_a_text_of_any_length_and_kind_comes_back(japanese):
    assert local("x" * 100_000) == "x" * 100_000
    assert local("") == ""
    assert "\x1b" in local("imi: \x1b; : \n;")


@pytest.mark.parametrize("text", [": " * 1500, "x: " * 1000, "a file: " * 400, "; : \n" * 800])
def test_what_a_document_repeats_without_end_is_given_back(text, japanese):
    said = local(text)
    assert said.count(":") + said.count("：") == text.count(":")


def test_sentences_within_sentences_do_not_grow_without_end():
    book = Phrasebook(iter([("the file {} is no file", "{0} は {0} ではありません")]))
    text = "the file " * 200 + "x" + " is no file" * 200
    assert len(book.translate(text)) < 1_000_000


def test_words_of_a_user_are_not_translated_within_a_message(japanese):
    assert "'text'" in local("there is no verb 'text'")
    assert local("score of one thing") == "score of one thing"


@pytest.mark.parametrize("name", VERBS)
def test_the_help_of_each_verb_is_japanese_and_fits_80_columns(name, japanese, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main([name, "--help"]) == 0
    page = capsys.readouterr().out
    assert "使い方: imi" in page and "例:" in page and f"imi {name}" in page.split("例:")[1]
    above = page.split("\n  例:")[0].splitlines()
    assert max(cells(line) for line in above) <= 85  # a mark that may not begin a line hangs over
    assert not any(re.search(r"[［（「]$", line) or re.match(r"\s*[］）」、。]", line) for line in above), page
    # Every option and paragraph has Japanese in it: three lines on end without any are none of ours.
    plain = [not JAPANESE.search(line) and bool(line.strip()) for line in above]
    assert not any(all(plain[at : at + 3]) for at in range(len(plain) - 2)), page


def test_ranges_are_said_in_japanese(japanese, capsys):
    assert main(["serve", "--help"]) == 0
    page = capsys.readouterr().out
    assert "［既定：8000、0〜65535］" in page and "［1 以上］" in page and "x>=" not in page and "<=x" not in page


def test_the_first_page_is_japanese_and_fits_the_screen(japanese, capsys):
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24 and max(map(cells, lines)) <= 80
    assert not [line for line in lines if re.search(r"[a-z] (with|are|the|or) [a-z]", line)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "nowhere.imi", "x"], "コレクション nowhere.imi はありません"),
        (["serch", "x"], "コマンドはありません"),
        (["search", "reviews.imi"], "質問がありません"),
        (["search", "reviews.imi", "x", "--mode", "odd"], "モードに 'odd' は使えません"),
        (["search", "reviews.imi", "x", "--where", "Score"], "フィルター 'Score' を読み取れません"),
        (["search", "reviews.imi", "x", "--nope"], "オプション --nope はありません"),
        (["search"], "引数 'COLLECTION' がありません"),
        (["search", "reviews.imi", "x", "-k", "many"], "'-k' の値が正しくありません"),
        (["recommend", "reviews.imi"], "オプション '--like' がありません"),
        (["similar", "cat"], "テキストが1つでは比べられません"),
        (["show", "reviews.imi", "none"], "ID が 'none' の行はありません"),
        (["add", "new.imi", "nothing.csv"], "そのようなファイルやフォルダーはありません"),
        (["classify", "reviews.imi", "--column", "Nope"], "列 'Nope' のある行がありません"),
        (["export", "reviews.imi", "a.docx"], "拡張子"),
        (["plan", "reviews.imi", "--memory", "much"], "--memory に 'much' は使えません"),
    ],
)
def test_errors_are_said_in_japanese_with_their_hints(arguments, said, japanese, reviews, capsys):
    assert main(arguments) in (1, 2)
    error = capsys.readouterr().err
    assert said in error.splitlines()[0] + error
    assert error.startswith("imi: ") or "\nimi: " in error
    assert "try: " not in error
    assert all(JAPANESE.search(line) or "imi " in line for line in error.splitlines())


def test_ordinary_commands_say_their_notes_in_japanese(japanese, reviews, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("id,text\n1,うちの猫\n2,\n", "utf-8")
    for arguments in (
        ["add", "cats.imi", str(tmp_path / "a.csv"), "--id", "id"],
        ["ls", "nowhere-else"],
        ["explain", "猫"],
        ["ask", "reviews.imi", "いつ月に行きますか？"],
        ["doctor", "reviews.imi"],
        ["migrate", "reviews.imi", "--dims", "64", "--estimate"],
        ["recommend", "reviews.imi", "--like", "1"],
        ["cost", str(tmp_path / "a.csv")],
    ):
        main(arguments)
        said = capsys.readouterr()
        for line in said.err.splitlines():
            assert JAPANESE.search(line) or not re.search("[a-z]{3} [a-z]{3}", line), (arguments, line)


def test_tables_on_a_terminal_have_japanese_heads(japanese, reviews, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(["show", "reviews.imi"]) == 0
    shown = capsys.readouterr().out
    assert "項目" in shown and "行" in shown and "モデル" in shown
    assert main(["similar", "text", "score"]) == 0
    assert "text" in capsys.readouterr().out, "heads that are data stay as they are"


def test_japanese_in_a_cell_fills_its_lines():
    from rich.console import Console

    from imi.cli.wrapped import Wrapped

    said = "無関係な質問 82 個のうち半数は、最良の行でもスコアが 0.13 に届きません（NaN か無限大）。"
    lines = [line.plain for line in Wrapped(said).wrap(Console(width=80), 20, overflow="fold")]
    assert "".join(lines).replace(" ", "") == said.replace(" ", "")
    assert all(14 <= cells(line.rstrip()) <= 20 for line in lines[:-1]), lines
    assert not any(re.match("[、。）]", line) or re.search("（$", line) for line in lines), lines
    plain = [line.plain.rstrip() for line in Wrapped("two words and more").wrap(Console(width=80), 9, overflow="fold")]
    assert plain == ["two words", "and more"]


def test_json_stays_as_it_is(japanese, reviews, capsys):
    assert main(["show", "reviews.imi", "--json"]) == 0
    assert '"count"' in capsys.readouterr().out


def test_english_never_reads_the_table():
    script = "import imi.cli, imi.language as l; imi.cli.main(['--help']); print(l._phrasebook.cache_info())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "currsize=0" in done.stdout


def test_figures_are_labelled_in_japanese_and_rows_stay(japanese, tmp_path):
    from imi.figures import new_figure, save_figure, say_above

    figure, axes = new_figure(3, 3)
    axes.barh(["rows"], [1], label="normal (1)")
    axes.set_xlabel("predicted")
    axes.legend()
    say_above(axes, "Rows that mean alike lie near each other", "10 rows")
    save_figure(figure, tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text("utf-8")
    assert "予測" in drawn and "意味の近い行が近くに並びます" in drawn and "10 行" in drawn and "通常（1）" in drawn
    assert ">rows<" in drawn, "what rows are called is data"
    save_figure(figure, tmp_path / "a.html")
    assert '<html lang="ja">' in (tmp_path / "a.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("left out my a:3: it is not a picture that can be read", "my a:3 を除きました：読める画像ではありません"),
        (
            "a.png: the picture cannot be read whole: image file is truncated",
            "a.png：画像を最後まで読めません：画像ファイルが途中で切れています",
        ),
        (
            "nothing to add: a.ipynb: no notebook: it has no list of cells",
            "追加するものがありません：a.ipynb：ノートブックではありません：セルの一覧がありません",
        ),
        ("left out a.txt:6: byte 0xFF is not utf-8", "a.txt:6 を除きました：バイト 0xFF は utf-8 として読めません"),
        ("left out a.csv:3: 4 columns, the header has 2", "a.csv:3 を除きました：4 列ありますが、見出し行は 2 列です"),
        ("Milvus cannot filter", "Milvus に filter はできません"),
    ],
)
def test_a_reason_within_a_sentence_is_translated_whoever_begins_it(text, said, japanese):
    assert local(text) == said
