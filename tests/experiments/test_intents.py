import gzip
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from experiments.matryoshka import collect, conditions, figures
from experiments.matryoshka.collect import Outcome, run_study
from experiments.matryoshka.page import write_tables
from experiments.matryoshka.pictures import Part, Pictures
from experiments.matryoshka.requests import BINS, DOMAIN_OF, encode, read_requests, tokens
from experiments.matryoshka.retrieval import timed
from experiments.matryoshka.shifts import shift_pictures, shift_requests, synonyms
from experiments.matryoshka.studies import DIGITS, INTENTS
from experiments.matryoshka.training import BagOfTokens
from experiments.matryoshka.verdicts import _judged, _retrieval, verdicts
from matplotlib.text import Text

from imi.errors import DataError, UsageError
from imi.evaluate.intervals import Difference
from imi.language import local

SAID = {
    "weather": "will it rain in {} today",
    "alarm": "wake me at {} please",
    "time": "what time is it in {}",
    "transfer": "send money to {}",
    "balance": "how much is in my {} account",
    "oos": "how tall was the tower of {}",
}
NAMES = [f"{a}{b}" for a in ("par", "ber", "lon", "tok", "kyo") for b in ("is", "lin", "don", "yo", "to")]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A folder as the public data sets lie in, with five intents in two domains and requests of no intent."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "queries").mkdir()
    lines = [f"{text.format(name)}\t{intent}" for intent, text in SAID.items() for name in NAMES]
    with gzip.open(folder / "queries" / "clinc150.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join([*lines, "Will it rain in PARIS  today\tweather"]) + "\n")
    (folder / "wordnet").mkdir()
    with gzip.open(folder / "wordnet" / "oewn_glosses.tsv.gz", "wt", encoding="utf-8") as file:
        file.write("synset\tmembers\tdefinition\texamples\thypernyms\n1-n\tmoney, cash\tgold\t\t\n2-n\train\twet\t\t\n")
    return folder


@pytest.fixture(scope="module")
def outcome(data, tmp_path_factory) -> Outcome:
    study = replace(
        INTENTS, data=str(data), dims=(2, 4, 8), fixed=(2, 8), between=(3,), epochs=4, hidden=(16,), classes=0
    )
    some = [name for name in SAID if name != "oos"]
    patch = pytest.MonkeyPatch()
    with patch.context() as here:
        here.setattr("experiments.matryoshka.studies.DOMAIN_OF", {name: DOMAIN_OF[name] for name in some})
        here.setattr(conditions, "variants", lambda of: [("classes", "all classes", of)])
        here.setattr(conditions, "SMALL", (2, 4))
        here.setattr(collect, "VARIED", 1)
        for module in ("requests", "training"):
            here.setattr(f"experiments.matryoshka.{module}.BINS", 256)
        here.setattr("experiments.matryoshka.retrieval.ROUNDS", 1)
        return run_study(replace(study, classes=len(some)), 1, tmp_path_factory.mktemp("shelf"))


def test_requests_are_split_by_intent_and_no_text_is_in_two_parts(data):
    found = read_requests(data, intents=["weather", "alarm", "balance"])
    assert found.classes == ("alarm", "balance", "weather") and found.groups == ("utility", "banking", "utility")
    assert [len(part) for part in (found.train, found.held, found.test)] == [54, 6, 15]
    rows = [tuple(int(id_) for id_ in row if id_) for part in (found.train, found.held, found.test) for row in part.x]
    assert len(set(rows)) == len(rows) == 75, "the request that differs by case and spaces is the same one"
    assert len(found.outside) == 25 and len(found.texts) == 15
    assert set(found.shifted) == {"typos", "words left out", "words put in", "synonyms"}
    assert all(len(part) == 15 and (part.y == found.test.y).all() for part in found.shifted.values())
    with pytest.raises(UsageError, match="is not there"):
        read_requests(data / "nothing")
    with pytest.raises(DataError, match="'wether' is not one of the 150"):
        read_requests(data, intents=["wether"])
    assert len(set(DOMAIN_OF.values())) == 10 and len(DOMAIN_OF) == 150


def test_width_and_case_of_letters_change_nothing_and_padding_is_no_token():
    assert tokens("ＷＨＡＴ  Time") == tokens("what time") and min(tokens("a b c")) > 0 and max(tokens("what")) < BINS
    torch.manual_seed(0)
    body = BagOfTokens(4, (8,)).eval()
    short, long = encode(["what time"]), encode(["what time", "what is the time in tokyo by now"])
    assert long.shape[1] > short.shape[1]
    with torch.inference_mode():
        assert torch.allclose(body(torch.from_numpy(short))[0], body(torch.from_numpy(long))[0], atol=1e-6)
        assert body(torch.zeros(2, 3)).isfinite().all(), "a text without tokens has an embedding too"


def test_shifted_requests_keep_their_number_and_change_their_words(data):
    texts = [f"please send money to {name} tomorrow" for name in NAMES]
    found = shift_requests(texts, synonyms(data / "wordnet" / "oewn_glosses.tsv.gz"))
    assert all(len(changed) == len(texts) for changed in found.values())
    assert all(len(a.split()) == len(b.split()) and a != b for a, b in zip(found["typos"], texts, strict=True))
    assert all(0 < len(a.split()) <= 6 and set(a.split()) <= set(b.split())
               for a, b in zip(found["words left out"], texts, strict=True))  # fmt: skip
    assert all(b in a and a != b for a, b in zip(found["words put in"], texts, strict=True))
    assert {a.split()[2] for a in found["synonyms"]} == {"money", "cash"}
    assert found == shift_requests(texts, {"money": ["cash"]}) and "synonyms" not in shift_requests(texts, {})


def test_shifted_pictures_are_noised_blurred_faded_and_moved():
    x = np.zeros((2, 1, 8, 8), np.float32)
    x[:, 0, 3, 3] = 9
    found = shift_pictures(x)
    assert (found["blur"][0, 0, 2:5, 2:5] * 16 / 9).tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert found["blur"].sum() == 18 and found["moved"][0, 0, 4, 4] == 9
    assert found["contrast"].max() == pytest.approx(5.4)
    assert 0.4 < (found["noise"] - x).std() < 0.8
    assert all(one.shape == x.shape and one.dtype == np.float32 for one in found.values())


def test_a_run_on_requests_measures_shifts_superclasses_and_what_is_of_no_class(outcome):
    assert outcome.shifts == ["synonyms", "typos", "words left out", "words put in"]
    for figure in ("linear", "superclass", "outside", "1-nn~typos", "linear~synonyms"):
        assert outcome.sizes(figure, "mrl") == [2, 4, 8] and outcome.sizes(figure, "ff") == [2, 8], figure
    assert outcome.sizes("linear", "svd-cut") == outcome.sizes("1-nn", "svd") == [2, 4]
    assert outcome.mean("linear", "mrl", 8) > 60, "five intents of few words are learnt in four epochs"
    assert outcome.mean("superclass", "mrl", 2) >= outcome.mean("linear", "mrl", 2)
    assert 0 <= outcome.mean("outside", "ff", 8) <= 100
    row = outcome.extras["conditions"][0]
    assert row["classes"] == 5 and set(row["gaps"]) == {"2", "4"} and 1 <= row["directions"] <= 8
    judged = verdicts(outcome)
    assert {"yes", "no", "cannot tell"} >= {verdict.holds for verdict in judged}
    page = write_tables([outcome], {"intents": judged}, ())
    for words in ("When MRL beats SVD", "typos, FF-k", "Inputs of no class", "times as fast", "FF-k: errors within it"):
        assert words in page, words


def test_an_outcome_read_again_says_the_same(outcome):
    few = {name: rows for name, rows in outcome.hits.items() if "typos" in name or name.startswith("1-nn/mrl")}
    outcome = replace(outcome, hits=few, spread={})
    again = Outcome.from_dict(json.loads(json.dumps(outcome.to_dict())))
    assert again.shifts == outcome.shifts and again.study.text
    assert again.mean("1-nn~typos", "mrl", 4) == pytest.approx(outcome.mean("1-nn~typos", "mrl", 4))


@pytest.mark.parametrize(
    ("gaps", "holds"),
    [
        ([(0.5, 0.1, 0.9), (1.0, 0.2, 2.0)], "yes"),
        ([(0.5, 0.1, 0.9), (0.6, -1.5, 2.7)], "cannot tell"),  # the least gap is certain, another one is not
        ([(0.5, 0.1, 0.9), (-2.0, -3.0, -1.1)], "no"),
        ([(-0.5, -2.0, 1.0), (0.0, -0.2, 0.2)], "cannot tell"),
    ],
)
def test_yes_asks_that_every_size_holds_for_certain(gaps, holds):
    found = {f"at {at}": Difference(value, (low, high)) for at, (value, low, high) in enumerate(gaps)}
    assert _judged("a", found, -1).holds == holds


@pytest.mark.parametrize(("kind", "holds"), [("single", "no"), ("funnel", "cannot tell")])
def test_a_small_size_alone_leaves_no_doubt_about_adaptive_retrieval(kind, holds):
    searches = [
        {"kind": "single", "rungs": [[512, 10]], "mflops": 64.0, "map10": 0.8, "gap": [0.0, 0.0]},
        {"kind": "adaptive", "rungs": [[16, 50], [512, 10]], "mflops": 4.0, "map10": 0.8, "gap": [-0.005, 0.005]},
        {"kind": kind, "rungs": [[16, 10]], "mflops": 2.0, "map10": 0.79, "gap": [-0.02, 0.0]},
    ]
    assert _retrieval(SimpleNamespace(extras={"searches": searches})).holds == holds


def test_no_published_yes_has_a_bar_that_its_own_figures_miss():
    kept = json.loads((Path(__file__).parents[2] / "docs" / "lab" / "results.json").read_text("utf-8"))
    kept.pop("notes")
    checked = 0
    for name, study in kept.items():
        outcome = Outcome.from_dict({key: value for key, value in study.items() if key != "verdicts"})
        for verdict in study["verdicts"]:
            pair = verdict["claim"].split(", ")
            if verdict["holds"] != "yes" or pair[-1] not in ("every size ≥ 16", "every size below full", "sizes ≤ 16"):
                continue
            bar, a, b = _bar(pair[0])
            for size in (size for size in outcome.study.dims if _meant(size, pair[-1], outcome.study.dims[-1])):
                for figure in _figures(pair, outcome):
                    left, right = outcome.mean(figure, a, size), outcome.mean(figure, b, size)
                    if left is not None and right is not None:
                        assert left - right >= bar, (name, verdict, size, figure)
                        checked += 1
    assert checked > 20


def _bar(claim: str) -> tuple[float, str, str]:
    methods = {"MRL": "mrl", "MRL-E": "mrl-e", "FF-k": "ff", "SVD": "svd"}
    words = claim.split()
    if "within" in words:
        return -float(words[2]), methods[words[0]], methods[words[5]]
    other = claim.split(" above ")[1]
    return 0, "mrl", {"SVD of the classifier": "svd-cut", "SVD and a new classifier": "svd"}.get(other, other.lower())


def _meant(size: int, which: str, full: int) -> bool:
    return {"every size ≥ 16": size >= 16, "every size below full": size < full, "sizes ≤ 16": size <= 16}[which]


def _figures(pair: list[str], outcome: Outcome) -> list[str]:
    if "on shifted inputs" in pair[0]:
        return [f"{pair[1]}~{shift}" for shift in outcome.shifts]
    return ["outside"] if "of no class" in pair[0] else [pair[1]]


def test_ways_to_search_are_timed_in_pairs_within_a_round(monkeypatch):
    clock = iter(np.cumsum([0, 4, 1, 1, 1, 1] * 3 + [0]).tolist())  # one round slow for both: the ratio stays
    monkeypatch.setattr("experiments.matryoshka.retrieval.time.process_time", lambda: next(clock))

    class Answers:
        def __len__(self) -> int:
            return 9

        def search(self, queries, k):
            return None

    micros, faster = timed([Answers(), Answers()], [5, 5], np.zeros((2, 3)), 0, rounds=3)
    assert len(micros) == len(faster) == 2 and faster[0] == 1


def test_pictures_name_all_their_parts():
    part = Part(np.zeros((2, 1, 2, 2), np.float32), np.array([0, 1]))
    found = Pictures("made", part, part, part, ("a", "b"), shifted={"noise": part})
    assert list(found.parts()) == ["train", "held", "test", "shift.noise"]
    assert DIGITS.text is False


def test_figures_speak_japanese_where_that_is_asked_for(outcome, tmp_path, monkeypatch):
    monkeypatch.setenv("IMI_LANG", "ja")
    said = {}
    monkeypatch.setattr(figures, "save_figure", lambda canvas, path: said.update(_texts(canvas, local)))
    figures.draw_all(outcome, tmp_path)
    figures.draw_paper(tmp_path / "paper.png")
    for text in ("dimensions used", "typos", "FF-k: class right", "intents, 1 seed; MRL ●, FF-k □"):
        assert text in said, text
    names = {*outcome.extras["example"]["classes"], "MRL", "MRL-E", "SVD", "mAP@10, %", "%", "intents"}
    left = {text for text, shown in said.items() if text == shown and text not in names}
    left -= {text for text in left if text[0] in "“$" or not any(map(str.isalpha, text))}
    assert not left


def _texts(canvas, say) -> dict[str, str]:
    data = {id(text) for axes in canvas.axes for axis in (axes.xaxis, axes.yaxis) for text in axis.get_ticklabels()}
    found = [text.get_text().strip() for text in canvas.findobj(Text) if id(text) not in data]
    return {text: say(text) for text in found if text}
