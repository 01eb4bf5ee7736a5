"""Several collections answer together: in the question's language, from the one that has the answer."""

import numpy as np
import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.rag.retrieve import Retrieval, find_passages
from imi.rag.together import ANSWERS, LATER, UNLIKELY, Together
from imi.records import Document

ENGLISH = {
    "boiler": "The boiler is serviced every October. The plumber is Mr. Hale.",
    "bins": "Bins are put out on Tuesday evening. Glass goes every second week.",
    "keys": "Spare keys are with the neighbour on the second floor.",
    "cat": "The cat is fed twice a day. The vet's telephone number is on the fridge.",
}
JAPANESE = {
    "給湯器": "給湯器の点検は毎年4月に行う。担当は山田さんである。",
    "家賃": "家賃は毎月27日に引き落とされる。",
    "駐輪場": "駐輪場の利用料は年額三千円である。申し込みは管理人室で受け付ける。",
}
OTHERS = {
    "moon": "The moon landing was broadcast live.",
    "opera": "Operas are sung in Italian.",
    "fish": "Cod is a fish.",
}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """English and Japanese notes, both by two models, notes on other things, and nothing."""
    folder, opened = tmp_path_factory.mktemp("together"), {}
    for name, rows, model in (
        ("english", ENGLISH, None),
        ("japanese", JAPANESE, None),
        ("english-hashed", ENGLISH, HashEmbedder()),
        ("japanese-hashed", JAPANESE, HashEmbedder()),
        ("others", OTHERS, None),
        ("others-hashed", OTHERS, HashEmbedder()),
        ("empty", {}, None),
    ):
        opened[name] = imi.open(folder / f"{name}.imi", **({} if model is None else {"model": model}))
        opened[name].add([Document(id_, text) for id_, text in rows.items()])
        opened[name].rerank = "none"
    own = opened["own"] = imi.open(folder / "own.imi")
    own.add([Document("own", "The boiler makes noise.")], vectors=np.eye(1, 8, dtype=np.float32))
    yield opened
    for one in opened.values():
        one.close()


QUESTIONS = [
    ("給湯器の点検は何月ですか。", "4月"),
    ("家賃はいつ引き落とされますか。", "27日"),
    ("When is the boiler serviced?", "October"),
    ("Who has the spare keys?", "neighbour"),
]


@pytest.mark.parametrize(("question", "said"), QUESTIONS)
@pytest.mark.parametrize(
    "names",
    [
        ("english", "japanese"),
        ("japanese", "english"),
        ("english-hashed", "japanese"),
        ("english", "japanese-hashed"),
        ("japanese-hashed", "english-hashed", "others"),
        ("empty", "others", "english", "japanese"),
        ("others-hashed", "english", "empty", "japanese-hashed"),
    ],
)
def test_the_answer_comes_first_whatever_was_named_first(places, question, said, names):
    found = imi.ask([places[name] for name in names], question)
    assert said in found.text.splitlines()[0]
    assert said in found.passages[0].text
    assert all(char.isascii() for char in found.text if char.isalpha()) == question.isascii()


def test_none_of_several_answers(places):
    for names in (("english", "others"), ("empty", "english"), ("english-hashed", "others-hashed")):
        assert imi.ask([places[name] for name in names], "Which planet has the thickest rings?").text is None


def test_what_does_not_answer_is_quoted_where_it_is_asked_for(places):
    both = [places["english"], places["others"]]
    assert imi.ask(both, "Which planet has the thickest rings?", always=True).text


def test_collections_are_told_apart(places):
    both = Together([places["japanese"], places["english"], places["others"]])
    hits = both.search("When is the boiler serviced?", 15)
    groups = {
        label.rsplit("/", 1)[-1]: group for label, group in both.groups("When is the boiler serviced?", hits).items()
    }
    assert groups["english.imi"] == ANSWERS
    assert groups["others.imi"] == UNLIKELY
    assert groups["japanese.imi"] in (LATER, UNLIKELY)


def test_vectors_of_ones_own_and_a_deepened_collection_answer_too(places):
    found = imi.ask([places["own"], places["english"]], "When is the boiler serviced?")
    assert "October" in found.text.splitlines()[0]
    places["english"].rerank = "deep"
    try:
        found = imi.ask([places["others"], places["english"], places["japanese"]], "When is the boiler serviced?")
    finally:
        places["english"].rerank = "none"
    assert "October" in found.text.splitlines()[0]


def test_as_many_passages_as_asked_for_from_the_collection_that_has_them(places):
    hits = find_passages(Together([places["others"], places["english"]]), "When is the boiler serviced?", Retrieval(3))
    assert len(hits) == 3
    assert {hit.collection.rsplit("/", 1)[-1] for hit in hits} == {"english.imi"}


def test_of_sentences_as_near_the_one_with_the_figure_is_quoted(tmp_path):
    rows = ["The ferry to the island leaves from the old pier. The ferry to the island leaves at 7:40."]
    with imi.open(tmp_path / "f.imi") as ferry:
        ferry.add([Document("f", rows[0]), Document("g", "Gulls nest on the pier.")])
        quoted = ferry.ask("What time does the ferry to the island leave?").text
    assert "7:40" in quoted
