"""Two models on the command line: deepen, add --deepen, --rerank and --budget; the questions of the seminar."""

import json

import pytest

import imi
from imi.embedders.deep import installed

pytestmark = pytest.mark.skipif(not installed(), reason="the model's files are not in this clone")


@pytest.fixture
def own(here, run, monkeypatch):
    """Return the working folder with the sixty reviews in a collection of the built-in model."""
    monkeypatch.delenv("IMI_MODEL")
    done = run("add", "own.imi", "reviews.csv", "--id", "Id", "--template", "Title: {Summary}; Content: {Text}")
    assert done.code == 0, done.err
    return here


def told(run, *options):
    done = run("search", "own", "my food had gone bad", "--explain-search", "--json", *options)
    assert done.code == 0, done.err
    return done.json["search"].get("deep")


def test_deepen_says_what_it_did_and_goes_on(own, run):
    first = run("deepen", "own", "--budget", "1", "--json").json
    assert set(first) == {"read", "rows", "deep", "seconds"} and 0 < first["deep"] < 60 == first["rows"]
    assert run("deepen", "own", "--json").json["deep"] == 60
    assert ["with a second vector", "60"] in run("deepen", "own").rows
    assert run("show", "own", "--json").json["deep"] == 60
    assert told(run) == {"read": 0, "held": 50}


def test_a_search_reads_and_keeps_within_its_budget(own, run):
    assert told(run) is None, "the tests' own IMI_DEEP_BUDGET is 0"
    assert told(run, "--rerank", "none", "--budget", "30000") is None
    assert told(run, "--budget", "30000") == {"read": 50, "held": 0}
    assert told(run) == {"read": 0, "held": 50}, "kept by the command before"
    assert told(run, "--rerank", "none") is None


def test_add_deepens_what_it_added(own, run):
    (own / "more.jsonl").write_text(json.dumps({"id": "new", "text": "A parcel that never came."}) + "\n", "utf-8")
    done = run("add", "own", "more.jsonl", "--deepen")
    assert done.code == 0 and "read by deep: 61 rows" in done.err
    assert run("show", "own", "--json").json["deep"] == 61


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", "own", "x", "--rerank", "llm"), "rerank is 'llm', allowed are 'deep' and 'none'"),
        (("search", "own", "x", "--budget", "-1"), "the budget is -1.0"),
        (("deepen", "own", "--budget", "-5"), "the budget is -5.0"),
        (("deepen", "nothing"), "nothing"),
        (
            ("add", "postgresql://h/d?collection=c", "reviews.csv", "--deepen"),
            "--deepen is for collections in a folder",
        ),
    ],
)
def test_what_cannot_be_is_refused(own, run, arguments, said):
    done = run(*arguments)
    assert done.code == 2 and said in done.err


def test_a_collection_by_the_finer_model_alone(own, run):
    assert run("add", "fine.imi", "reviews.csv", "--id", "Id", "--model", "deep").code == 0
    assert run("show", "fine", "--json").json["dims"] == 384
    done = run("deepen", "fine")
    assert done.code == 2 and "filled with the model 'deep'" in done.err
    assert run("add", "fine", "reviews.csv", "--id", "Id", "--deepen").code == 0, "there is only nothing to deepen"
    assert "deep" not in dict(row[:2] for row in run("show", "fine").rows if row[0] != "model")
    assert run("search", "fine", "my food had gone bad", "--mode", "meaning", "--dims", "64", "--json").code == 0


def test_what_the_finer_model_fills_is_kept_every_few_seconds(own, monkeypatch):
    from imi.embedders.deep import Deep

    sizes = []
    real = Deep.embed

    def embed(self, texts, kind="document", dims=None, **more):
        sizes.append(len(texts))
        return real(self, ["a"], kind, dims, **more).repeat(len(texts), axis=0)

    monkeypatch.setattr(Deep, "embed", embed)
    for _ in range(2):  # a new one, and one that says by itself what it is filled with
        with imi.open("many.imi", model=None if sizes else "deep") as c:
            c.add([imi.Document(f"{len(sizes)}.{n}", f"row {n} {len(sizes)}") for n in range(300)])
    assert sizes == [128, 128, 44] * 2


def test_ask_reads_what_the_finer_model_found(own, run):
    done = run("ask", "own", "Which coffee tastes burnt?", "--budget", "30000", "--json", "--show-context")
    assert done.code == 0 and done.json["context"]
    assert run("show", "own", "--json").json["deep"] > 0


def ranks(run, question, wanted):
    """Where hits with one of these words in their text come, from 1."""
    hits = run("search", "own", question, "-k", "60", "--json").json
    return [at for at, hit in enumerate(hits, 1) if any(word in hit["text"].lower() for word in wanted)]


def test_the_seminar_s_questions_over_the_sixty_reviews(own, run):
    """The questions of the slides, whose answers have none of their words but beans."""
    run("deepen", "own")
    assert ranks(run, "spoilt", ["mould", "mold", "rotten", "rancid", "sour", "stale"])[0] <= 3
    assert ranks(run, "bad delivery", ["delivery", "parcel", "courier", "arrived", "shipping"])[0] == 1
    assert len([at for at in ranks(run, "delicious beans", ["beans"]) if at <= 5]) >= 2


def test_models_are_compared(run):
    done = run("compare", "cat", "猫", "車", "--model", "built-in", "--model", "deep", "--json")
    assert done.code == 0, done.err
    pairs = [tuple(pair) for pair in done.json["pairs"]]
    cosines = dict(zip(pairs, done.json["models"]["deep"]["cosine"], strict=True))
    assert cosines[("cat", "猫")] > cosines[("cat", "車")] + 0.2
    assert imi.load("deep").info.matryoshka
