"""The second look at the first hits: one sentence that says it is worth more than words here and there."""

import time

import numpy as np
import pytest

import imi
from imi.collection import second_look
from imi.collection.rankings import Fused, Ranking
from imi.collection.second_look import FIRST, QuestionWords, looked_at, named, said
from imi.records import FACTS, Document
from imi.text import asked_figures
from imi.text.asked_figures import Figure
from imi.text.word_forms import plain_letters

FAR = (
    "The lighthouse was painted white. Its keeper wrote letters. A new harbour was planned. Ships came in the year of "
    "the flood. The lamp was replaced twice."
)
NEAR = "Storms were frequent here. The keeper of the lighthouse replaced the lamps in 1907. Nobody else lived there."


def fused(texts, question, scores):
    """A ranking of texts in the order given, as the fusion would hand it over."""
    rows = np.arange(len(texts), dtype=np.int64)
    ranking = Ranking(rows, np.array(scores, np.float32))
    meaning = Ranking(rows, np.full(len(texts), 0.5, np.float32))
    rarity = dict.fromkeys(imi.text.lexical.ranking_terms(question), 2.0)
    documents = {at: Document(str(at), text) for at, text in enumerate(texts)}
    return Fused(ranking, meaning=meaning, rarity=rarity), documents


@pytest.mark.parametrize(
    ("question", "far", "near"),
    [
        ("When did the lighthouse keeper replace the lamp?", FAR, NEAR),
        (
            "灯台の電球を交換したのは何年ですか",
            "灯台は白く塗られた。電球の工場ができた。交換学生が来た。洪水の年に船が来た。",
            "嵐が多い。1907年に灯台の電球を交換した。ほかに住む人はいない。",
        ),
        (
            "Who is Zoë Müller's successor?",
            "Zoe was here. Muller came. A successor was sought.",
            "The successor of Zoe Muller is Ann.",
        ),
    ],
)  # fmt: skip
def test_one_sentence_that_says_it_comes_before_words_here_and_there(question, far, near):
    ranking = looked_at(*reordered(question, [far, near]))
    assert ranking.rows.tolist() == [1, 0]


def reordered(question, texts):
    found, documents = fused(texts, question, [0.41, 0.4])
    return found, question, documents


@pytest.mark.parametrize(
    ("word", "text"),
    [("refugees", "one refugee came"), ("settled", "they settle"), ("Temur", "Toghun Temür"), ("cities", "a city")],
)
def test_words_count_in_any_form(word, text):
    asked = QuestionWords.of(f"what about {word}", {"what": 1.0, "about": 1.0, word.lower(): 3.0})
    assert said(asked, [plain_letters(text), "nothing of it"]).tolist() == [1.0, 0.0]


def test_function_words_count_where_there_are_no_others():
    assert QuestionWords.of("who is it", {"who": 1.0, "is": 1.0, "it": 1.0}).words == ("who", "is", "it")
    assert QuestionWords.of("who is there, Anna", {"who": 1.0, "is": 1.0, "there": 1.0, "anna": 1.0}).words == ("anna",)


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("When did Anna Lind fly to Oslo?", ("anna", "lind", "oslo")),
        ("What cost 1,200 yen in 1907?", ("1,200", "1907")),
        ("明治42年に漱石がロンドンで読んだのは", ("明治", "42年", "漱石", "ロンドン")),
        ("A310の機体は何か", ("a310", "機体")),
    ],
)
def test_names_and_numbers_are_looked_for_as_they_are_written(question, names):
    assert set(names) <= set(QuestionWords.of(question, {"x": 1.0}).names)


def test_a_name_that_few_rows_have_counts_more():
    found = named(("anna", "oslo"), ["anna is here", "oslo is here", "oslo again", "oslo once more"])
    assert found[0] > found[1] == found[2]


def test_rows_beyond_the_first_keep_their_places_and_scores_only_fall():
    texts = [f"{FAR} Number {at}." for at in range(FIRST + 5)]
    texts[FIRST - 1] = texts[FIRST + 2] = NEAR
    found, documents = fused(
        texts, "When did the lighthouse keeper replace the lamp?", np.linspace(0.9, 0.1, FIRST + 5)
    )
    ranking = looked_at(found, "When did the lighthouse keeper replace the lamp?", documents)
    assert ranking.rows[FIRST:].tolist() == list(range(FIRST, FIRST + 5))
    assert sorted(ranking.rows.tolist()) == list(range(FIRST + 5))
    assert ranking.rows.tolist().index(FIRST - 1) < FIRST - 1
    assert (np.diff(ranking.scores) <= 0).all()


def test_a_row_without_text_keeps_its_place():
    found, documents = fused([FAR, FAR, NEAR], "When did the lighthouse keeper replace the lamp?", [0.42, 0.41, 0.4])
    documents[0] = Document("0", None)
    assert looked_at(found, "When did the lighthouse keeper replace the lamp?", documents).rows.tolist() == [0, 2, 1]


def test_a_question_in_another_language_is_left_to_the_meaning():
    found, documents = fused(["灯台は白い。", "電球を交換した。1907"], "What of the lamp?", [0.42, 0.41])
    assert looked_at(found, "What of the lamp?", documents) is found.ranking


@pytest.mark.parametrize(
    ("question", "without", "holds"),
    [
        (
            "When was the lighthouse built?",
            "The lighthouse was built of 12 sorts of stone.",
            "The lighthouse was built in 1907.",
        ),
        ("How much faster is the new search?", "The new search reads 16 files.", "The new search is 14 times as fast."),
        ("How many seconds does it take?", "It takes 3 people.", "It takes 20 seconds."),
        ("新しい検索はどれだけ速いか", "新しい検索は200個を読む。", "新しい検索は約14倍である。"),
        ("How much faster is the new search?", "検索は16次元を読む。", "検索は約14倍高速である。"),
        ("灯台の高さは何ですか", "灯台の窓は12枚である。", "灯台は30メートルである。"),
        ("What percent of the rows pass?", "The rows pass 3 tests.", "Of the rows 25 % pass."),
        ("清水寺は何時に開きますか", "清水寺は3時間あれば見られる。", "清水寺は6時に開く。"),
        ("What time does it open?", "It opens in 20 days.", "It opens at 9 a.m. sharp."),
        ("家賃はいくらですか", "家賃は27日に払う。", "家賃は8万円である。"),
    ],
)
def test_a_figure_of_the_kind_that_is_asked_for(question, without, holds):
    assert looked_at(*reordered(question, [without, holds])).rows.tolist() == [1, 0]


@pytest.mark.parametrize("question", ["Who built the lighthouse?", "灯台を建てたのは誰ですか", "", "Whenever it rains"])
def test_no_figure_is_asked_for(question):
    assert Figure.of(question) is None


def test_a_figure_of_the_question_itself_is_no_answer():
    assert not Figure.of("When in 1907 was it built?").within("it was built in 1907")
    assert Figure.of("When in 1907 was it built?").within("it was built in may 1908")


@pytest.mark.parametrize("text", ["1" * 4000, "1," * 2000, "一" * 4000])
def test_a_text_of_nothing_but_digits_is_read_once(text):
    started = time.process_time()
    for _, given in asked_figures._READ:
        assert sum(1 for _ in given.compiled.finditer(text)) <= 1
    assert time.process_time() - started < 0.3  # 0.6 to 1.5 seconds where each digit is tried with all after it
    assert Figure.of("How many times faster is it?").within(f"{text} and {'3' * 60}倍")


def test_a_title_that_all_rows_have_says_nothing():
    facts = {FACTS: {"title": "The lighthouse keeper", "heading": "Lamps"}}
    text = "The lighthouse keeper > Lamps\nNobody lived there."
    assert second_look._body(Document("1", text, facts)) == "Nobody lived there."


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    with imi.open(tmp_path_factory.mktemp("look") / "notes.imi") as collection:
        collection.add(
            [Document("far", FAR), Document("near", NEAR), *(Document(str(n), f"Note {n}.") for n in range(40))]
        )
        collection.rerank = "none"
        yield collection


def test_what_the_finer_model_finds_near_counts_beside_the_first_and_beside_the_words():
    question = "Who kept the lighthouse?"
    texts = ["The keeper was Ann.", "The harbour was old.", "The lamp was new."]
    found, documents = fused(texts, question, [0.4, 0.4, 0.4])
    cosines = Ranking(np.arange(3), np.array([0.1, 0.5, 0.9], np.float32))
    assert looked_at(found, question, documents, cosines).rows.tolist() == [2, 1, 0]
    documents[0] = Document("0", "Ann kept the lighthouse.")
    assert looked_at(found, question, documents, cosines).rows.tolist() == [0, 2, 1]


def test_a_search_looks_twice(notes):
    hits = notes.search("When did the lighthouse keeper replace the lamp?", k=2)
    assert [hit.id for hit in hits] == ["near", "far"]


def test_pages_go_on_where_the_one_before_ended(notes):
    question = "When did the lighthouse keeper replace the note?"
    whole = [hit.id for hit in notes.search(question, k=42)]
    assert len(set(whole)) == 42
    assert [hit.id for at in range(0, 42, 7) for hit in notes.search(question, k=7, offset=at)] == whole
