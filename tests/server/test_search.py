"""The search API: what it answers is what the collection itself answers, and what it counts is on disk."""

import json
import threading
import time

import numpy as np
import pytest

import imi
from imi.embedders.testing import HashEmbedder
from tests.server.conftest import error_of

TEXTS = {
    "1": "AIは素晴らしい！",
    "2": "うちの猫はタマと言います",
    "3": "うちのペットはいつも寝ています",
    "4": "金魚は夜は休むのかな？",
    "a/b c": "a cat sleeps",
}
API = "/api/v1/collections"


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with imi.open(folder / "pets.imi", model=HashEmbedder()) as made:
        made.add(
            [imi.Document(id_, text, {"n": at, "even": at % 2 == 0}) for at, (id_, text) in enumerate(TEXTS.items())]
        )
    return folder / "pets.imi"


@pytest.fixture(scope="module")
def served(start, pets, tmp_path_factory):
    return start(collections=(str(pets),), root=tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def here(pets):
    with imi.open(pets, model=HashEmbedder(), mode="r") as opened:
        yield opened


def test_collections_are_listed_and_shown(served):
    names = [one["name"] for one in served.http.get(API).json()["collections"]]
    assert "pets" in names
    shown = served.http.get(f"{API}/pets").json()
    assert (shown["name"], shown["count"], shown["dims"]) == ("pets", 5, 64)
    assert shown["fingerprint"] == HashEmbedder.info.fingerprint
    assert "path" not in shown


def test_nobody_waits_behind_a_search_that_turns_out_slow(served, monkeypatch):
    with served.state.registry.use("pets") as collection:
        pass
    search, began, go = collection.search, threading.Event(), threading.Event()

    def slow(query, *arguments, **named):
        if query == "slow":
            began.set()
            assert go.wait(20)
        return search(query, *arguments, **named)

    monkeypatch.setattr(collection, "search", slow)
    path, replies = f"{API}/pets/search", []
    asking = threading.Thread(
        target=lambda: replies.append(served.http.post(path, json={"query": "slow", "mode": "meaning"}))
    )
    asking.start()
    try:
        assert began.wait(20)
        time.sleep(0.1)  # it is known to be slow by now
        assert served.http.post(path, json={"query": "cat", "mode": "meaning"}, timeout=10).status_code == 200
    finally:
        go.set()
        asking.join()
    assert replies[0].status_code == 200


@pytest.mark.parametrize("mode", ["text", "meaning", "hybrid"])
@pytest.mark.parametrize("query", ["猫", "cat", "寝ています"])
def test_search_answers_as_the_collection_does(served, here, mode, query):
    body = {"query": query, "k": 3, "mode": mode, "where": {"n": {">=": 1}}, "dims": 32, "facets": ["even"]}
    response = served.http.post(f"{API}/pets/search", json=body)
    assert response.status_code == 200, response.text
    expected = here.search(query, 3, mode, where={"n": {">=": 1}}, dims=32, facets=["even"])
    assert response.json() == {"hits": expected.to_dicts(), "mode": mode, "facets": expected.facets}


def test_a_vector_is_searched_by_meaning(served, here):
    vector = HashEmbedder().embed(["猫"])[0]
    hits = served.http.post(f"{API}/pets/search", json={"vector": vector.tolist()}).json()
    assert hits["mode"] == "meaning"
    assert hits["hits"] == here.search(vector).to_dicts()


def test_pages_follow_each_other(served):
    def page(**body):
        found = served.http.post(f"{API}/pets/search", json={"query": "うちの猫", "mode": "meaning"} | body).json()
        return [hit["id"] for hit in found["hits"]]

    assert page(k=2) + page(k=2, offset=2) + page(k=2, offset=4) == page(k=6)


def test_similar_answers_as_the_collection_does(served, here):
    found = served.http.post(f"{API}/pets/similar", json={"id": "2", "k": 2}).json()
    assert found["hits"] == here.similar("2", 2).to_dicts()
    missing = served.http.post(f"{API}/pets/similar", json={"id": "nothing"})
    assert missing.status_code == 404
    assert error_of(missing)["code"] == "document_not_found"


def test_documents_are_returned_by_id_even_with_slashes_and_spaces(served, here):
    assert served.http.get(f"{API}/pets/documents/a%2Fb%20c").json() == here.get("a/b c").to_dict()
    got = served.http.post(f"{API}/pets/documents/get", json={"ids": ["4", "1"]}).json()
    assert [one["id"] for one in got["documents"]] == ["4", "1"]
    assert served.http.get(f"{API}/pets/documents/nothing").status_code == 404


def test_documents_are_listed_in_pages(served):
    first = served.http.get(f"{API}/pets/documents", params={"limit": 2}).json()
    second = served.http.get(f"{API}/pets/documents", params={"limit": 2, "offset": 2}).json()
    assert [one["id"] for one in first["documents"] + second["documents"]] == ["1", "2", "3", "4"]
    assert first["count"] == 5


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("pets/search", {}, 400),
        ("pets/search", {"query": "a", "vector": [1.0]}, 400),
        ("pets/search", {"query": ""}, 400),
        ("pets/search", {"query": " "}, 400),
        ("pets/search", {"query": 3}, 422),
        ("pets/search", {"query": "a", "k": 0}, 422),
        ("pets/search", {"query": "a", "k": "3"}, 422),
        ("pets/search", {"query": "a", "k": 10**30}, 422),
        ("pets/search", {"query": "a", "mode": "magic"}, 422),
        ("pets/search", {"query": "a", "dims": 65}, 400),
        ("pets/search", {"query": "a", "dims": 0}, 422),
        ("pets/search", {"query": "a", "where": {"nothing": 1}}, 400),
        ("pets/search", {"query": "a", "where": {"n": {"~": 1}}}, 400),
        ("pets/search", {"query": "a", "where": []}, 422),
        ("pets/search", {"query": "a", "facets": ["nothing"]}, 400),
        ("pets/search", {"query": "a", "other": 1}, 422),
        ("pets/search", {"vector": [1.0, 2.0]}, 400),
        ("pets/search", {"vector": [0.0] * 64}, 400),
        ("pets/search", {"vector": [1e300] * 64}, 400),
        ("pets/search", {"vector": ["a"]}, 422),
        ("nothing/search", {"query": "a"}, 404),
        ("pets/similar", {"id": ""}, 422),
        ("pets/documents", {"documents": []}, 422),
        ("pets/documents", {"documents": [{"id": "x"}]}, 422),
        ("pets/documents", {"documents": [{"id": "x", "text": "t", "vector": [1.0]}]}, 400),
        ("pets/documents/delete", {}, 400),
        ("pets/documents/delete", {"ids": ["1"], "where": {"n": 1}}, 400),
        ("pets/documents/delete", {"where": {}}, 400),
        ("", {"name": "../x"}, 400),
        ("", {"name": ".hidden"}, 400),
        ("", {"name": "a" * 101}, 400),
        ("", {"name": "x", "model": "nothing"}, 404),
    ],
)
def test_what_cannot_be_done_is_refused_in_shape(served, path, body, status):
    response = served.http.post(f"{API}/{path}".rstrip("/"), json=body)
    assert response.status_code == status, response.text
    error_of(response)
    assert served.http.get(f"{API}/pets").json()["count"] == 5


def test_only_json_is_taken_so_that_no_page_of_another_site_can_write(served):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        response = served.http.post(f"{API}/pets/search", content=b'{"query":"a"}', headers={"content-type": kind})
        assert response.status_code == 415
        assert error_of(response)["code"] == "unsupported_media_type"


def test_a_collection_is_made_filled_searched_and_emptied(served):
    made = served.http.post(API, json={"name": "notes-猫.1"})
    assert made.status_code == 201
    assert made.json()["count"] == 0
    again = served.http.post(API, json={"name": "notes-猫.1"})
    assert again.status_code == 409
    assert error_of(again)["code"] == "collection_exists"
    place = f"{API}/notes-猫.1"
    vectors = np.eye(3, 8, dtype=float)
    rows = [{"id": str(at), "text": f"row {at}", "vector": list(row)} for at, row in enumerate(vectors)]
    assert served.http.post(f"{place}/documents", json={"documents": rows}).json()["added"] == 3
    assert served.http.post(f"{place}/documents", json={"documents": rows}).json()["unchanged"] == 3
    hits = served.http.post(f"{place}/search", json={"vector": list(vectors[1])}).json()["hits"]
    assert (hits[0]["id"], hits[0]["score"]) == ("1", 1.0)
    assert served.http.delete(f"{place}/documents/1").json() == {"deleted": 1}
    assert served.http.delete(f"{place}/documents/1").status_code == 404
    assert served.http.post(f"{place}/documents/delete", json={"ids": ["0", "2", "9"]}).json() == {"deleted": 2}
    assert served.http.get(place).json()["count"] == 0


def test_without_a_folder_for_them_no_collections_are_made(start):
    response = start().http.post(API, json={"name": "x"})
    assert response.status_code == 403
    assert error_of(response)["code"] == "creation_not_allowed"


def lines(rows) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def ingest(served, name, content, **params):
    headers = {"content-type": "application/x-ndjson"}
    return served.http.post(f"{API}/{name}/documents/ingest", content=content, params=params, headers=headers)


@pytest.fixture
def empty(served, request):
    name = f"i{abs(hash(request.node.name))}"
    assert served.http.post(API, json={"name": name}).status_code == 201
    return name


def rows_of(count):
    return [{"id": str(at), "text": f"row {at} 猫", "vector": [1.0, at, 2.0]} for at in range(count)]


def test_a_stream_of_lines_is_taken_in(served, empty):
    body = lines(rows_of(1300))
    cut = (body[at : at + 7001] for at in range(0, len(body), 7001))
    response = ingest(served, empty, cut)
    assert response.status_code == 200, response.text
    assert response.json() == {"added": 1300, "updated": 0, "unchanged": 0, "removed": 0, "failed": []}
    assert served.http.get(f"{API}/{empty}").json()["count"] == 1300


def test_acknowledged_lines_are_there(served, empty):
    acks = [json.loads(line) for line in ingest(served, empty, lines(rows_of(1100)), acks="true").text.splitlines()]
    assert [ack["lines"] for ack in acks] == [500, 1000, 1100, 1100]
    assert acks[-1]["done"] is True
    assert sum(ack.get("added", 0) for ack in acks) == 1100


def test_a_bad_line_stops_the_stream_and_is_named(served, empty):
    rows = rows_of(700)
    body = lines(rows[:600]) + b"{no json}\n" + lines(rows[600:])
    response = ingest(served, empty, body)
    assert response.status_code == 422
    error = error_of(response)
    assert error["details"][0]["line"] == 601
    assert served.http.get(f"{API}/{empty}").json()["count"] == 500  # the whole batch before it


def test_bad_lines_are_skipped_when_asked_and_each_is_listed(served, empty):
    good = lines(rows_of(3))
    bad = [
        b"[]",
        b'{"id":1,"text":"a"}',
        b'{"id":"x"}',
        b"\xff",
        b'{"id":"y","text":"a","z":1}',
        b"[" * 300 + b"]" * 300,
    ]
    body = good + b"\n\n" + b"\n".join(bad) + b"\n"
    reply = ingest(served, empty, body, on_error="skip").json()
    assert reply["added"] == 3
    assert sorted(one["line"] for one in reply["failed"]) == [6, 7, 8, 9, 10, 11]
    assert all(one["reason"] for one in reply["failed"])


def test_a_stream_of_another_type_is_refused(served, empty):
    response = served.http.post(
        f"{API}/{empty}/documents/ingest", content=b"{}", headers={"content-type": "text/plain"}
    )
    assert response.status_code == 415


@pytest.mark.parametrize(
    ("body", "headers", "status", "param"),
    [
        (b'{"query": 3}', {}, 422, "query"),
        (b'{"query": "cat", "kk": 3}', {}, 422, "kk"),
        (b"[1]", {}, 422, None),
        (b"{", {}, 400, None),
        (b'{"query": "cat"}', {"content-type": "text/plain"}, 415, None),
    ],
)
def test_a_search_passes_the_framework_by_and_is_refused_as_it_would_refuse(served, body, headers, status, param):
    headers = {"content-type": "application/json"} | headers
    refused = served.http.post(f"{API}/pets/search", content=body, headers=headers)
    assert refused.status_code == status
    assert error_of(refused)["param"] == param
    assert served.http.get(f"{API}/pets/search").status_code == 405
    assert 'route="/api/v1/collections/{name}/search"' in served.http.get("/metrics").text


@pytest.mark.parametrize(("least", "count"), [(1e300, 0), (-1e300, 5)])
def test_a_least_score_beyond_float32_is_a_score_like_any_other(served, least, count):
    found = served.http.post(f"{API}/pets/search", json={"query": "猫", "mode": "meaning", "min_score": least})
    assert found.status_code == 200, found.text
    assert len(found.json()["hits"]) == count
