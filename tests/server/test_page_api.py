"""What the page is told: words that matched, pieces of long texts, pairs of tokens, columns, and a map that is kept."""

import base64
import time

import numpy as np
import pytest

import imi
from imi.server.api.column_stats import columns_of
from imi.text.highlight import piece_of, spans_of, wanted_terms


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("猫", ["猫"]),
        ("the best baked beans for breakfast", ["best", "baked", "beans", "breakfast"]),
        ('"baked beans" hot', ["baked beans", "hot"]),
        ("圧縮ファイルを開く", ["圧縮", "縮フ", "ファ", "ァイ", "イル", "ルを", "を開", "開く"]),
        ("ｶﾌｪ", ["カフェ"]),
    ],
)
def test_the_words_of_a_query_without_its_grammar(query, terms):
    assert wanted_terms(query) == terms


@pytest.mark.parametrize(
    ("text", "terms", "marked"),
    [
        ("A train in the RAIN", ["rain"], ["RAIN"]),
        ("喫茶店とｶﾌｪとCafé", ["カフェ", "café"], ["ｶﾌｪ", "Café"]),
        ("圧縮ファイルを開く", ["圧縮", "縮フ", "ファ", "開く"], ["圧縮ファ", "開く"]),
        ("😀 smiles 😀", ["😀"], ["😀", "😀"]),
        ("nothing", ["猫"], []),
    ],
)
def test_words_are_marked_where_they_stand(text, terms, marked):
    spans, seen = spans_of(text, terms)
    assert [text[start:end] for start, end in spans] == marked
    assert bool(seen) == bool(marked)
    piece = piece_of(text, terms, 1000)
    assert "".join(part for part, _ in piece.parts) == text
    assert [part for part, mark in piece.parts if mark] == marked


def test_a_piece_of_a_long_text_is_where_most_words_stand():
    text = "cat " + "x " * 3000 + "the cat sat with the other cat and a third cat" + " y" * 3000
    piece = piece_of(text, ["cat"], 200)
    shown = "".join(part for part, _ in piece.parts)
    assert len(shown) == 200 and shown == text[piece.start : piece.start + 200]
    assert sum(mark for _, mark in piece.parts) == 3 and piece.characters == len(text)
    assert piece_of(text, ["cat"], 200, 6000).start == 6000


def test_columns_say_what_a_filter_needs():
    rows = [
        {"score": n % 3, "tag": ["a", "b"][: n % 2 + 1], "ok": n > 2, "name": f"n{n}", "x": {"y": 1}} for n in range(6)
    ]
    columns = {column["name"]: column for column in columns_of([*rows, {"score": None}])}
    assert columns["score"] | {"low": 0, "high": 2, "whole": True, "filled": 6} == columns["score"]
    assert columns["score"]["values"] == [[0, 2], [1, 2], [2, 2]]
    assert columns["tag"]["kind"] == "list" and columns["tag"]["values"] == [["a", 6], ["b", 3]]
    assert columns["ok"]["values"] == [[False, 3], [True, 3]]
    assert "values" not in columns["name"] and columns["name"]["distinct"] == 6
    assert columns["x"]["kind"] == "other"


@pytest.fixture(scope="module")
def served(start, tmp_path_factory):
    model = imi.load()
    folder = tmp_path_factory.mktemp("look")
    with imi.open(folder / "pets.imi", model=model) as made:
        made.add(
            [imi.Document(str(n), f"a text about cat number {n}", {"n": n, "secret": "s" * 500}) for n in range(40)]
        )
        made.add([imi.Document("long", "猫 " * 200_000)])
    return start({"built-in": model}, collections=(str(folder / "pets.imi"),))


def ask(served, verb, **body):
    reply = served.http.post(f"/api/v1/collections/pets/{verb}", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_hits_are_short_whatever_the_documents_are(served):
    told = ask(served, "look", query="猫", mode="text")
    assert [hit["id"] for hit in told["hits"]] == ["long"]
    assert len("".join(part for part, _ in told["hits"][0]["parts"])) == 360
    assert told["hits"][0]["characters"] == 400_000
    first = ask(served, "look", k=3)["hits"]
    assert [hit["id"] for hit in first] == ["0", "1", "2"] and first[0]["score"] is None
    assert len(first[0]["metadata"]["secret"]) == 160
    like = ask(served, "look", like="0", k=2)["hits"]
    assert like[0]["score"] >= like[1]["score"] and "0" not in {hit["id"] for hit in like}
    assert served.http.post("/api/v1/collections/pets/look", json={"like": "nobody"}).status_code == 404


def test_pairs_of_tokens_add_up_to_the_sum(served):
    told = ask(served, "why", id="7", query="cats")
    model = imi.load()
    assert told["meaning"]["cosine"] == pytest.approx(imi.similarity("cats", "a text about cat number 7"), abs=1e-5)
    assert sum(share for _, share in told["meaning"]["tokens"]) == pytest.approx(told["meaning"]["sum"], abs=1e-5)
    best = told["meaning"]["pairs"][0]
    said = model.explain("cats", "a text about cat number 7")
    one = next(piece for piece in said.a if piece.text == best["query"])
    other = next(piece for piece in said.b if piece.text == best["document"])
    sums = [model.rows([piece.id for piece in pieces]).sum(axis=0) for pieces in (said.a, said.b)]
    product = model.rows([one.id])[0] @ model.rows([other.id])[0] / np.linalg.norm(sums[0]) / np.linalg.norm(sums[1])
    assert best["share"] == pytest.approx(product, abs=1e-5)
    assert ask(served, "why", id="7", query="text number")["words"] == ["text", "number"]


def test_a_long_text_is_read_a_part_at_a_time(served):
    told = ask(served, "why", id="long", query="猫", start=390_000)
    assert told["start"] == 390_000 and sum(len(part) for part, _ in told["parts"]) == 10_000
    assert told["meaning"]["read"] == 4_000


def drawn(served):
    for _ in range(600):
        told = served.http.get("/api/v1/collections/pets/map").json()
        if told["state"] in ("ready", "failed"):
            return told
        time.sleep(0.1)
    raise AssertionError(told)


def test_a_map_is_drawn_once_and_again_after_a_change(served):
    first = drawn(served)
    assert first["state"] == "ready" and first["count"] == 41
    rows = served.http.get("/api/v1/collections/pets/map/rows").json()
    assert rows["ids"][-1] == "long" and len(rows["texts"][-1]) == 400 and rows["columns"]["n"][3] == 3
    plane = served.http.get("/api/v1/collections/pets/map/plane").json()
    points = np.frombuffer(base64.b64decode(plane["points"]), "<f4").reshape(-1, 2)
    assert points.shape == (41, 2) and np.isfinite(points).all() and points.std() > 0
    with served.state.shelf.use("pets") as collection:
        kept = collection.folder / "index" / "map.npz"
    with np.load(kept) as file:
        assert str(file["version"]) == first["version"]
        np.testing.assert_array_equal(file["plane"], points)
    with served.state.shelf.use("pets") as collection:
        collection.delete(["39"])
    again = drawn(served)
    assert again["version"] != first["version"] and again["count"] == 40
