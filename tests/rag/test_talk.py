"""A talk as plain text: of questions for a figure, the passage that holds it comes first, in both languages."""

import shutil
from pathlib import Path

import pytest

import imi
import imi.cli
from imi.embedders import deep

TALK = Path(__file__).parents[1] / "data" / "talk.txt"
QUESTIONS = [
    ("How much faster is two-stage retrieval?", "11倍"),
    ("二段階の検索はどれだけ高速になりましたか", "11倍"),
    ("How many people answered the survey?", "1,240人"),
    ("見つけたい本が見つかったと答えた人は何パーセントですか", "83%"),
    ("三年間の費用はいくらでしたか", "2,600万円"),
    ("索引は何GBになりましたか", "7GB"),
    ("学校図書館にはいつ広げますか", "2029年"),
    ("県内のいくつの図書館が同じ検索を使いますか", "14の"),
]


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talk")
    shutil.copy(TALK, folder / "talk.txt")
    assert imi.cli.main(["add", str(folder / "talk.imi"), str(folder / "talk.txt"), "-q"]) == 0
    with imi.open(folder / "talk.imi") as opened:
        yield opened


@pytest.mark.parametrize(("question", "figure"), QUESTIONS)
@pytest.mark.parametrize("by", ["none", "deep"])
def test_the_passage_with_the_figure_is_first(talk, question, figure, by):
    if by == "deep" and not deep.installed():
        pytest.skip("onnxruntime is not installed")
    talk.rerank = imi.Rerank(by, 10_000)
    assert figure in talk.search(question, k=5)[0].text
