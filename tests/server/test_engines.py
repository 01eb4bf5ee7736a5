"""Collections on engines behind the search API: the same routes, clear refusals, and no secret anywhere."""

import json

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import ImiError, UsageError
from imi.server.registry import collection_paths
from imi.server.settings import Settings
from tests.needs import needs
from tests.server.conftest import error_of

pytestmark = needs("qdrant_client")


API = "/api/v1/collections"
TEXTS = {"1": "a cat sleeps", "2": "うちの猫はタマと言います", "3": "the dog barks", "4": "fish swim"}
SECRET = "hunter2%21"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    url = f"qdrant:{tmp_path_factory.mktemp('qdrant') / 'data'}?collection=pets&prefixes=16,32&api_key={SECRET}"
    with imi.open(url, model=HashEmbedder()) as made:
        made.add(imi.Document(id_, text, {"n": at}) for at, (id_, text) in enumerate(TEXTS.items()))
    return url


@pytest.fixture(scope="module")
def served(start, url):
    return start(collections=(url,))


def test_every_verb_of_the_search_api_works_on_an_engine(served):
    def post(path, **body):
        answer = served.http.post(f"{API}/pets/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert [one["name"] for one in served.http.get(API).json()["collections"]] == ["pets"]
    for mode in ("text", "meaning", "hybrid"):
        found = post("search", query="a cat sleeps", mode=mode, k=2, where={"n": {"<": 3}})
        assert (found["hits"][0]["id"], found["mode"]) == ("1", mode)
    assert {hit["id"] for hit in post("similar", id="1", k=3)["hits"]} == {"2", "3", "4"}
    assert post("documents", documents=[{"id": "5", "text": "birds sing", "metadata": {"n": 9}}])["added"] == 1
    assert post("documents/get", ids=["5"])["documents"] == [{"id": "5", "text": "birds sing", "metadata": {"n": 9}}]
    assert served.http.get(f"{API}/pets/documents").json()["count"] == 5
    assert post("documents/delete", ids=["5"]) == {"deleted": 1}
    assert post("tasks/dedupe", threshold=0.999) == {"groups": []}
    line = json.dumps({"id": "6", "text": "streams flow"}) + "\n"
    streamed = served.http.post(
        f"{API}/pets/documents/ingest", content=line, headers={"content-type": "application/x-ndjson"}
    )
    assert streamed.json()["added"] == 1
    assert served.http.delete(f"{API}/pets/documents/6").json() == {"deleted": 1}


def test_what_an_engine_cannot_do_is_refused_in_a_sentence(served):
    answer = served.http.post(f"{API}/pets/plan", json={"memory": 1000})
    assert answer.status_code == 400 and "by recall alone" in error_of(answer)["message"]
    few = served.http.post(f"{API}/pets/plan", json={})
    assert few.status_code == 400 and "more than 10 are needed" in error_of(few)["message"]
    assert served.http.get(f"{API}/pets/thumbnails/1").status_code == 404


def test_no_reply_and_no_error_shows_a_secret(served, url, start, tmp_path):
    paths = [API, f"{API}/pets", "/metrics", "/openapi.json"]
    told = "".join(served.http.get(path).text for path in paths)
    told += served.http.post(f"{API}/pets/plan", json={}).text
    told += repr(collection_paths((url,)))
    told += repr(Settings(collections=(url,)))
    with imi.open(tmp_path / "pets.imi", model=HashEmbedder()) as made:
        made.add([imi.Document("1", "a cat")])
    for wrong in (
        (url.replace("=pets", "=nothing").replace("data", "other"),),
        (f"milvus://u:{SECRET}@127.0.0.1:9",),
        (str(tmp_path / "pets.imi"), url),  # two of one name
    ):
        with pytest.raises(ImiError) as refused:
            start(collections=wrong)
        told += f"{refused.value}{refused.value.hint}{refused.value.__cause__!r}"
    assert SECRET not in told


def test_a_collection_that_is_not_on_the_engine_is_refused_at_the_start(start, tmp_path):
    with pytest.raises(UsageError, match="there is no collection qdrant:"):
        start(collections=(f"qdrant:{tmp_path / 'data'}?collection=nothing",))
