"""Tasks over HTTP: what they answer is what `imi.tasks` answers, and searches go on meanwhile."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

import httpx
import numpy as np
import pytest

import imi
from imi import tasks
from imi.embedders.testing import HashEmbedder
from imi.index import IndexPolicy
from imi.index.manifest import MANIFEST, read_manifest
from imi.index.plan import Plan
from imi.server.api.tasks import WAITING
from tests.server.conftest import error_of

API = "/api/v1/collections/pets/tasks"


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with imi.open(folder / "pets.imi", model=HashEmbedder()) as made:
        texts = [f"{animal} number {at}" for at in range(12) for animal in ("cat", "dog", "猫")]
        texts += ["cat number 3 ", "something entirely different: ∑∏√"]
        made.add([imi.Document(str(at), text, {"n": at}) for at, text in enumerate(texts)])
    return folder / "pets.imi"


@pytest.fixture(scope="module")
def served(start, pets):
    return start(collections=(str(pets),))


@pytest.fixture(scope="module")
def here(pets):
    with imi.open(pets, model=HashEmbedder(), mode="r") as opened:
        yield opened


def test_tasks_answer_as_the_library_does(served, here):
    def post(name, **body):
        answer = served.http.post(f"{API}/{name}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert post("cluster", k=3, seed=4) == tasks.cluster(here, 3, seed=4).to_dict()
    told = post("anomalies", share=0.1, language="ja")["anomalies"]
    assert told and all(re.search(r"[\u3041-\u30ff]", one["reason"]) for one in told)
    assert post("anomalies", share=0.1) == {
        "anomalies": tasks.anomalies(here, 0.1).to_dict(),
        "count": 38,
    }
    assert post("dedupe", threshold=0.9) == {"groups": tasks.dedupe(here, 0.9).to_dict()}
    assert post("diversity", subset=4) == tasks.diversity(here).to_dict() | {"subset": tasks.subset(here, 4)}
    liked = post("recommend", like=["0"], dislike=["1"], k=3, where={"n": {"<": 30}})
    assert liked["hits"] == tasks.recommend(here, ["0"], ["1"], 3, where={"n": {"<": 30}}).to_dicts()


def test_a_plan_is_what_the_collection_plans_and_needs_the_right_to_write(start, tmp_path):
    rng = np.random.default_rng(0)
    with imi.open(tmp_path / "many.imi") as made:
        documents = [imi.Document(str(at)) for at in range(300)]
        made.add(documents, vectors=rng.standard_normal((300, 16)).astype(np.float32))
    server = start(collections=(str(tmp_path / "many.imi"),))
    path = "/api/v1/collections/many/plan"
    told = server.http.post(path, json={"recall": 0.9, "memory": 10**8, "seed": 3})
    assert told.status_code == 200, told.text
    plan = Plan.from_dict(told.json())
    assert (plan.target, plan.memory, plan.rows, plan.width) == (0.9, 10**8, 300, 16)
    assert plan.chosen.recall >= 0.9
    refused = server.http.post(path, json={"recall": 1.5})
    assert refused.status_code == 422 and "recall" in str(error_of(refused)["param"])
    described = server.http.get("/openapi.json").json()
    assert "/api/v1/collections/{name}/plan" in described["paths"]
    assert "PlanReply" in described["components"]["schemas"]
    reader = server.state.keys.add("reader", {"*": "read"})
    denied = httpx.post(server.url + path, json={}, headers={"authorization": f"Bearer {reader}"})
    assert denied.status_code == 403 and error_of(denied)["code"] == "insufficient_permissions"


def test_an_index_that_is_due_is_built_when_the_server_starts(start, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    folder = tmp_path / "grown.imi"
    with imi.open(folder) as made:
        documents = [imi.Document(str(at)) for at in range(400)]
        made.add(documents, vectors=rng.standard_normal((400, 16)).astype(np.float32))
        assert made.info.index["due"] is None
    monkeypatch.setattr(imi, "open", partial(imi.open, policy=IndexPolicy(exact_rows=300)))
    server = start(collections=(str(folder),))
    deadline = time.monotonic() + 30
    while not (folder / "index" / MANIFEST).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert read_manifest(folder / "index").about["plan"] is not None
    assert server.http.get("/api/v1/collections/grown").json()["index"]["due"] is None


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("cluster", {"k": 39}, "k is 39"),
        ("cluster", {"k": 1}, "k"),
        ("recommend", {"like": ["nobody"]}, "nobody"),
        ("recommend", {}, "like"),
        ("dedupe", {"threshold": 2}, "threshold"),
        ("anomalies", {"shares": 0.1}, "shares"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(served, name, body, told):
    answer = served.http.post(f"{API}/{name}", json=body)
    assert 400 <= answer.status_code < 500
    assert told in error_of(answer)["message"] + str(error_of(answer)["param"])


def test_a_full_queue_says_when_to_come_again_and_searches_go_on(served, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    answer = tasks.diversity(np.eye(3, 8, dtype=np.float32))

    def slow(*_, **__):
        begun.set()
        assert go_on.wait(30)
        return answer

    monkeypatch.setattr(tasks, "diversity", slow)
    with ThreadPoolExecutor(2 * WAITING) as clients:
        asked = [
            clients.submit(httpx.post, f"{served.url}{API}/diversity", json={}, timeout=60) for _ in range(WAITING + 1)
        ]
        try:
            assert begun.wait(10)
            found = served.http.post("/api/v1/collections/pets/search", json={"query": "cat", "mode": "meaning"})
            assert found.json()["hits"], "searches are answered meanwhile"
            refused = next(as_completed(asked, timeout=20)).result()
            assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
        finally:
            go_on.set()
    assert sorted(one.result().status_code for one in asked) == [200] * WAITING + [503]
