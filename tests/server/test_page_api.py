"""What the page is told: words that matched, pieces of long texts, pairs of tokens, columns, and a map that is kept."""

import base64
import time

import numpy as np
import pytest

import imi
from imi.records import Document
from imi.server.api.column_stats import colouring, columns_of
from imi.text.highlight import piece_of, spans_of, wanted_terms
from imi.text.readable import readable


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


ROWS = 60


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("Score", [n % 5 + 1 for n in range(ROWS)], "rating"),
        ("評価", [n % 5 + 1 for n in range(ROWS)], "rating"),
        ("Time", [1_351_209_600 + 86_400 * n for n in range(ROWS)], "date"),
        ("created_at", [1_351_209_600_000 + n for n in range(ROWS)], "date"),
        ("日付", [f"2024-01-{n % 28 + 1:02}" for n in range(ROWS)], "date"),
        ("times", list(range(ROWS)), "id"),
        ("UserId", [f"U{n}" for n in range(ROWS)], "id"),
        ("商品コード", [f"A{n}" for n in range(ROWS)], "id"),
        ("paid", [n % 2 for n in range(ROWS)], "number"),
        ("valid", ["yes", "no"] * 30, "group"),
        ("ok", [True, False] * 30, "group"),
        ("Summary", [f"a title of its own {n}" for n in range(ROWS)], "title"),
        ("notes", [f"{n} " + "a long text to read " * 8 for n in range(ROWS)], "text"),
        ("tag", ["a", "b", "c"] * 20, "group"),
        ("line", list(range(ROWS)), "place"),
        ("price", [n * 1.5 for n in range(ROWS)], "number"),
    ],
)
def test_what_a_column_is_for(name, values, role):
    (column,) = columns_of([{name: value} for value in values])
    assert column["role"] == role


def test_values_stand_in_their_own_order():
    rows = [{"n": n, "day": f"2024-0{n % 3 + 1}-01", "tag": "ab"[n > 9]} for n in (10, 9, 2, 10, 2, 2, 9)]
    told = {one["name"]: one["values"] for one in columns_of(rows)}
    assert [value for value, _ in told["n"]] == [2, 9, 10]
    assert [value for value, _ in told["day"]] == sorted(value for value, _ in told["day"])
    assert told["tag"] == [["a", 5], ["b", 2]]
    assert sum(count for _, count in told["n"]) == len(rows)


def test_points_are_coloured_by_what_groups_them():
    rows = [{"Id": n, "Score": n % 5, "Time": 1_351_209_600, "tag": "ab"[n % 2], "line": n} for n in range(ROWS)]
    rows[0]["Time"] += 40_000_000
    values = {name: [row[name] for row in rows] for name in rows[0]}
    chosen = colouring(values, columns_of(rows))
    assert list(chosen) == ["Score", "tag", "Time"]
    assert chosen["Time"][1] == pytest.approx(2012.82, abs=0.01)


@pytest.mark.parametrize(
    ("document", "title", "body"),
    [
        (Document("1", "Title: Good tea; Content: Green,<br />and warm"), "Good tea", "Green,\nand warm"),
        (Document("1", "Green", {"Summary": "Good tea"}), "Good tea", "Green"),
        (Document("1", "Green", {"件名": "よいお茶"}), "よいお茶", "Green"),
        (Document("1", "Green", {"Summary": "x" * 300}), None, "Green"),
        (Document("1", "Rain\nIt rains.", {"heading": "Rain"}), "Rain", "It rains."),
        (Document("1", "Rain is wet.", {"title": "Rain"}), "Rain", "Rain is wet."),
        (Document("1", "id: m-1; tag: movie"), None, "id: m-1\ntag: movie"),
        (Document("1", "A: hello\nB: hi"), None, "A: hello\nB: hi"),
        (Document("1", "Green", {"Title": "<br>"}), None, "Green"),
        (Document("1", None), None, ""),
    ],
)
def test_a_document_as_it_is_read(document, title, body):
    assert (readable(document).title, readable(document).body) == (title, body)


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


def test_further_hits_and_some_by_their_ids(served):
    first, next_ = (ask(served, "look", query="cat", mode="meaning", k=10, offset=offset) for offset in (0, 10))
    assert first["more"] and not {hit["id"] for hit in first["hits"]} & {hit["id"] for hit in next_["hits"]}
    last = ask(served, "look", query="number", mode="text", k=10, offset=30)
    assert not last["more"] and len(last["hits"]) == 10
    assert [hit["id"] for hit in ask(served, "look", k=30, offset=20)["hits"]][:2] == ["20", "21"]
    assert [hit["id"] for hit in ask(served, "look", ids=["7", "3"])["hits"]] == ["7", "3"]
    assert ask(served, "look", query="cat", where={"n": {"<": 5}})["passing"] == 5


def test_one_scale_says_how_near_hits_come(served):
    near = [ask(served, "look", query="cats", mode=mode, k=5) for mode in ("text", "meaning", "hybrid")]
    by_id = [{hit["id"]: hit["near"] for hit in reply["hits"]} for reply in near]
    shared = set(by_id[1]) & set(by_id[2])
    assert shared and all(by_id[1][id] == pytest.approx(by_id[2][id]) for id in shared)
    assert all(0 <= value <= 1 for one in by_id for value in one.values())
    assert near[1]["likely"] and near[1]["hits"][0]["near"] > near[1]["weak"]
    far = ask(served, "look", query="quantum chromodynamics", mode="meaning", k=5)
    assert not far["likely"] and far["hits"][0]["near"] < far["weak"]


def test_what_means_the_question_is_marked_where_no_word_does(served):
    hit = ask(served, "look", query="猫", mode="meaning", k=5)["hits"]
    marked = [text for one in hit for text, mark in one["parts"] if mark == 2]
    assert "cat" in marked


def test_copies_are_folded(start, tmp_path):
    model = imi.load()
    with imi.open(tmp_path / "twice.imi", model=model) as made:
        made.add([imi.Document(str(n), "The same tea again.") for n in range(3)] + [imi.Document("x", "Rain.")])
    server = start({"built-in": model}, collections=(str(tmp_path / "twice.imi"),))
    hits = server.http.post("/api/v1/collections/twice/look", json={"query": "tea"}).json()["hits"]
    assert hits[0]["copies"] == ["1", "2"] and {hit["id"] for hit in hits} <= {"0", "x"}
    examples = server.http.get("/api/v1/collections/twice/examples").json()["examples"]
    assert sorted(examples) == ["Rain", "The same tea again"]


def test_answers_cite_passages_or_say_that_there_are_none(served):
    told = ask(served, "ask", question="Which text is about cat number 7?")
    assert told["answer"] and told["llm"] is None and told["citations"]
    cited = told["passages"][told["citations"][0]["n"] - 1]
    assert cited["id"] == told["citations"][0]["id"]
    none = ask(served, "ask", question="Who was the first emperor of Rome?")
    assert none["answer"] is None and none["reason"] and none["passages"]
    assert served.http.post("/api/v1/collections/pets/ask", json={"question": ""}).status_code == 422


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
    with served.state.registry.use("pets") as collection:
        kept = collection.folder / "index" / "map.npz"
    with np.load(kept) as file:
        assert str(file["version"]) == first["version"]
        np.testing.assert_array_equal(file["plane"], points)
    fewer = "/api/v1/collections/pets/map?dims=64"
    for _ in range(600):
        if served.http.get(fewer).json()["state"] == "ready":
            break
        time.sleep(0.05)
    small = served.http.get("/api/v1/collections/pets/map/plane?dims=64").json()
    turned = np.frombuffer(base64.b64decode(small["points"]), "<f4").reshape(-1, 2)
    # Turned after the whole one: no rotation or mirroring brings it nearer.
    a, b = turned - turned.mean(axis=0), points - points.mean(axis=0)
    u, _, v = np.linalg.svd(a.T.astype(float) @ b)
    np.testing.assert_allclose(u @ v, np.eye(2), atol=1e-2)
    assert served.http.get("/api/v1/collections/pets/map?dims=9999").status_code == 400
    with served.state.registry.use("pets") as collection:
        collection.delete(["39"])
    again = drawn(served)
    assert again["version"] != first["version"] and again["count"] == 40


def test_vectors_of_sentences_are_made_once_and_are_those_of_the_model(monkeypatch):
    from imi.server.api.cards import SentenceVectors

    model = imi.load()
    kept = SentenceVectors(most=3)
    first = kept.of(model, ["a cat", "beans", "a cat"])
    assert np.allclose(first, model.embed(["a cat", "beans", "a cat"]), atol=1e-6)
    monkeypatch.setattr(type(model), "embed", None)
    assert np.array_equal(kept.of(model, ["beans"]), first[1:2])
    monkeypatch.undo()
    assert np.allclose(kept.of(model, ["tea", "rain"]), model.embed(["tea", "rain"]), atol=1e-6)  # more than it keeps


def test_tokens_are_those_that_the_model_reads():
    model = imi.load()
    for text in ("The cat sleeps.", "猫が寝ています", "", "🐱"):
        assert model.tokens(text) == [(piece.text, piece.id) for piece in model.pieces(text)]


def test_a_title_with_odd_spaces_is_not_repeated_below_itself():
    document = Document(
        "1", "Title: where  does one start; Content: Wanted to save some.", {"Summary": "where  does one start"}
    )
    read = readable(document)
    assert (read.title, read.body) == ("where does one start", "Wanted to save some.")
