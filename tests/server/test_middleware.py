"""Who is let in: keys, scopes, origins, rates; and what every reply carries."""

import io
import json
import time

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import DataError, UsageError
from imi.server.http.keys import Keys
from imi.server.http.logs import Log
from imi.server.http.rate_limit import Limiter
from imi.server.http.responses import ApiError
from imi.server.models import without_place
from imi.server.running import check_exposure
from imi.server.settings import Limits, Settings
from tests.server.conftest import error_of

API = "/api/v1/collections"


@pytest.fixture(scope="module")
def guarded(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    for name in ("notes", "reviews"):
        with imi.open(folder / f"{name}.imi", model=HashEmbedder()) as made:
            made.add([imi.Document("1", "a cat"), imi.Document("2", "a dog")])
    keys = Keys(folder / "keys.json")
    secrets = {
        "reader": keys.add("reader", {"*": "read"}),
        "writer": keys.add("writer", {"notes": "write"}),
        "mixed": keys.add("mixed", {"*": "write", "reviews": "read"}),
    }
    served = start(collections=(str(folder),), keys=keys.path, root=folder / "made")
    served.bearer = lambda name: {"authorization": f"Bearer {secrets[name]}"}
    served.keys = keys
    return served


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/models/hash", API, f"{API}/notes", "/metrics", "/openapi.json", "/docs", "/v1/x"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer imi-wrong"},
        {"authorization": "Bearer"},
        {"authorization": "Basic aW1pOmltaQ=="},
        {"authorization": "imi-wrong"},
        {"authorization": b"Bearer \xff\xfe"},
    ],
)
def test_without_a_key_or_with_a_wrong_one_nothing_is_told(guarded, path, headers):
    response = guarded.http.get(path, headers=headers)
    assert response.status_code == 401
    assert error_of(response)["code"] == "invalid_api_key"
    assert "imi-wrong" not in response.text


def test_health_and_the_page_need_no_key(guarded):
    for path in ("/health", "/ready", "/"):
        assert guarded.http.get(path).status_code == 200


def test_any_key_embeds(guarded):
    for name in ("reader", "writer", "mixed"):
        body = {"model": "hash", "input": "cat"}
        assert guarded.http.post("/v1/embeddings", json=body, headers=guarded.bearer(name)).status_code == 200


WRITES = [
    ("POST", "/documents", {"documents": [{"id": "9", "text": "x"}]}),
    ("POST", "/documents/delete", {"ids": ["none"]}),
    ("DELETE", "/documents/none", None),
    ("POST", "/documents/ingest", None),
]
READS = [
    ("GET", "", None),
    ("POST", "/search", {"query": "cat"}),
    ("POST", "/similar", {"id": "1"}),
    ("GET", "/documents", None),
    ("GET", "/documents/1", None),
    ("POST", "/documents/get", {"ids": ["1"]}),
]


def ask(served, name, method, path, body):
    headers = served.bearer(name) | ({"content-type": "application/x-ndjson"} if path.endswith("ingest") else {})
    return served.http.request(method, API + path, json=body, headers=headers)


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_read_key_cannot_write(guarded, method, path, body):
    for name, collection in (("reader", "notes"), ("mixed", "reviews"), ("writer", "reviews")):
        response = ask(guarded, name, method, f"/{collection}{path}", body)
        assert response.status_code == 403, response.text
        assert error_of(response)["code"] == "insufficient_permissions"


@pytest.mark.parametrize(("method", "path", "body"), READS)
def test_a_key_reads_what_it_may_and_nothing_else(guarded, method, path, body):
    for name, collection in (("reader", "notes"), ("reader", "reviews"), ("writer", "notes"), ("mixed", "reviews")):
        assert ask(guarded, name, method, f"/{collection}{path}", body).status_code == 200
    assert ask(guarded, "writer", method, f"/reviews{path}", body).status_code == 403


def test_a_write_key_writes(guarded):
    document = {"documents": [{"id": "3", "text": "x"}]}
    assert ask(guarded, "writer", "POST", "/notes/documents", document).json()["added"] == 1
    assert ask(guarded, "writer", "DELETE", "/notes/documents/3", None).json() == {"deleted": 1}


def test_only_what_may_be_read_is_listed(guarded):
    listed = guarded.http.get(API, headers=guarded.bearer("writer")).json()["collections"]
    assert [one["name"] for one in listed] == ["notes"]


def test_a_key_that_is_not_allowed_cannot_tell_what_exists(guarded):
    there = ask(guarded, "writer", "GET", "/reviews", None)
    absent = ask(guarded, "writer", "GET", "/nothing", None)
    assert there.status_code == absent.status_code == 403


def test_making_a_collection_needs_the_right_to_write_it(guarded):
    assert ask(guarded, "reader", "POST", "", {"name": "new"}).status_code == 403
    assert ask(guarded, "mixed", "POST", "", {"name": "new"}).status_code == 201


def test_a_removed_key_stops_working_and_the_server_stays_shut(start, tmp_path):
    keys = Keys(tmp_path / "keys.json")
    secret = keys.add("only", {"*": "read"})
    served = start(keys=keys.path)
    headers = {"authorization": f"Bearer {secret}"}
    assert served.http.get("/v1/models", headers=headers).status_code == 200
    keys.remove("only")
    deadline = time.monotonic() + 5
    while served.http.get("/v1/models", headers=headers).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert served.http.get("/v1/models", headers=headers).status_code == 401
    assert served.http.get("/v1/models").status_code == 401


def test_keys_are_kept_as_hashes_that_only_the_owner_reads(tmp_path):
    keys = Keys(tmp_path / "sub" / "keys.json")
    secret = keys.add("alice", {"*": "read", "notes": "write"})
    text = keys.path.read_text()
    assert secret not in text
    assert secret.removeprefix("imi-") not in text
    assert keys.path.stat().st_mode & 0o077 == 0
    assert "digest" not in json.dumps([key.to_dict() for key in keys.all()])
    found = Keys(keys.path).find(secret)
    assert found is not None
    assert found.name == "alice"
    assert found.may("write", "notes")
    assert found.may("read", "other")
    assert not found.may("write", "other")
    assert Keys(keys.path).find(secret[:-1]) is None
    with pytest.raises(UsageError, match="taken"):
        keys.add("alice", {})
    with pytest.raises(UsageError, match="no key named 'bob'"):
        keys.remove("bob")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"keys": [{"name": 1}]}', '{"keys": 3}'])
def test_a_broken_file_of_keys_is_an_error_not_an_open_door(tmp_path, text):
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(DataError, match="no keys that can be read"):
        Keys(tmp_path / "keys.json")


def test_a_wrong_key_takes_as_long_as_a_right_one(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    secrets = [keys.add(str(at), {}) for at in range(20)]

    def seconds(secret):
        begin = time.thread_time()
        for _ in range(200):
            keys.find(secret)
        return time.thread_time() - begin

    kinds = {"first": secrets[0], "last": secrets[-1], "wrong": "imi-" + "x" * 43, "near": secrets[0][:-1] + "!"}
    times = {name: min(seconds(secret) for _ in range(15)) for name, secret in kinds.items()}
    assert max(times.values()) < 1.5 * min(times.values()), times


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.9", "example.org", "127.0.0.1.example.org"])
def test_no_listening_elsewhere_without_a_key(host, tmp_path):
    with pytest.raises(UsageError, match="no key"):
        check_exposure(Settings(host=host, keys=tmp_path / "keys.json"))
    Keys(tmp_path / "keys.json").add("a", {"*": "read"})
    check_exposure(Settings(host=host, keys=tmp_path / "keys.json"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost", "localhost.", "::1", "127.9.9.9"])
def test_this_machine_needs_no_key(host, tmp_path):
    check_exposure(Settings(host=host, keys=tmp_path / "keys.json"))


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"host": "127.0.0.1.evil.example:80"},
    ],
)
def test_an_open_server_does_not_answer_pages_of_other_sites(served, headers):
    response = served.http.get("/v1/models", headers=headers)
    assert response.status_code == 403
    assert error_of(response)["code"] == "forbidden_origin"


def test_no_other_origin_is_allowed(served):
    response = served.http.options(
        "/v1/embeddings", headers={"origin": "http://localhost:3000", "access-control-request-method": "POST"}
    )
    assert response.status_code == 403
    assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/models", "/nothing", "/health"])
def test_every_reply_is_locked_down(served, path):
    headers = served.http.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-request-id"].startswith("req_")
    assert "server" not in headers


def test_every_request_has_an_id_of_its_own(served):
    ids = {served.http.get("/health").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


def test_requests_beyond_the_rate_are_told_when_to_come_back(start):
    served = start(limits=Limits(per_minute=3))
    for left in (2, 1, 0):
        response = served.http.get("/v1/models")
        assert response.status_code == 200
        assert response.headers["x-ratelimit-remaining-requests"] == str(left)
    refused = served.http.get("/v1/models")
    assert refused.status_code == 429
    assert error_of(refused)["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert served.http.get("/health").status_code == 200


def test_a_bucket_refills_and_callers_do_not_share_it():
    clock = [0.0]
    limiter = Limiter(60, clock=lambda: clock[0])
    for _ in range(60):
        limiter.take("a")
    with pytest.raises(ApiError):
        limiter.take("a")
    limiter.take("b")
    clock[0] = 1.0
    limiter.take("a")
    with pytest.raises(ApiError):
        limiter.take("a")
    for at in range(20_000):
        limiter.take(f"address {at}")
    assert len(limiter._buckets) <= 10_000


def test_too_many_requests_at_once_are_told_to_come_again(start):
    served = start(limits=Limits(in_flight=0))
    response = served.http.get("/v1/models")
    assert response.status_code == 503
    assert error_of(response)["code"] == "overloaded"
    assert response.headers["retry-after"] == "1"


def test_the_log_has_no_word_of_what_was_asked(start, tmp_path):
    import socket
    import threading

    from imi.server.app import build_app, build_state
    from imi.server.running import Server, configure

    out = io.StringIO()
    settings = Settings(keys=tmp_path / "keys.json")
    state = build_state(settings, {"hash": HashEmbedder()})
    server = Server(configure(build_app(state, Log(out)), settings), state)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    import httpx

    while not server.started:
        time.sleep(0.01)
    with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as http:
        http.post("/v1/embeddings", json={"model": "hash", "input": "my secret diary"})
        http.post("/v1/embeddings", json={"model": "my secret model", "input": "x"})
        http.get(f"{API}/my-secret/documents/secret?secret=1")
    server.should_exit = True
    thread.join(10)
    listener.close()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert "secret" not in out.getvalue()
    assert [line["event"] for line in lines] == ["started", "request", "request", "request", "stopped"]
    assert lines[1]["route"] == "/v1/embeddings"
    assert lines[1]["status"] == 200
    assert lines[3]["route"] == f"{API}/{{name}}/documents/{{id:path}}"


def test_metrics_count_what_happened(start):
    served = start()
    for _ in range(3):
        served.http.post("/v1/embeddings", json={"model": "hash", "input": ["a", "b"]})
    served.http.get("/v1/nothing")
    response = served.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    values = dict(line.rsplit(" ", 1) for line in response.text.splitlines() if not line.startswith("#"))
    assert values['imi_requests_total{route="/v1/embeddings",method="POST",status="200"}'] == "3"
    assert values['imi_requests_total{route="other",method="-",status="404"}'] == "1"
    assert values["imi_tokens_total"] == "6"
    assert values['imi_request_seconds_count{route="/v1/embeddings"}'] == "3"
    assert values['imi_request_seconds_bucket{route="/v1/embeddings",le="+Inf"}'] == "3"
    assert values["imi_in_flight"] == "1"
    assert float(values["process_resident_memory_bytes"]) > 1e6
    typed = {line.split()[2] for line in response.text.splitlines() if line.startswith("# TYPE")}
    assert all(any(name.startswith(one) for one in typed) for name in values)


def test_the_description_names_every_route_and_its_page_loads_nothing(served):
    described = served.http.get("/openapi.json").json()
    assert described["openapi"].startswith("3.")
    for path in ("/v1/embeddings", "/v1/models/{model}", f"{API}/{{name}}/search", f"{API}/{{name}}/documents/ingest"):
        assert path in described["paths"]
    page = served.http.get("/docs").text
    assert "/v1/embeddings" in page
    assert "src=" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_page_is_served_with_its_type_and_policy(served):
    response = served.http.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in response.headers["content-security-policy"]
    assert served.http.get("/web/index.html").text == response.text
    for path in ("/web/", "/web/nothing.js", "/web/../app.py", "/web/%2e%2e/app.py", "/web/..%2fapp.py"):
        assert served.http.get(path).status_code == 404


def test_metrics_name_no_collection_that_a_key_may_not_read(guarded, monkeypatch):
    monkeypatch.setattr("imi.server.http.keys.LOOK_SECONDS", 0.05)
    for name, collection in (("mixed", "notes"), ("writer", "notes")):
        document = {"documents": [{"id": "9", "text": "x"}]}
        assert ask(guarded, name, "POST", f"/{collection}/documents", document).status_code == 200
    secret = guarded.keys.add("stranger", {"elsewhere": "read"})
    time.sleep(0.06)
    known = guarded.http.get("/metrics", headers=guarded.bearer("writer")).text
    hidden = guarded.http.get("/metrics", headers={"authorization": f"Bearer {secret}"}).text
    assert 'imi_documents_total{collection="notes"}' in known
    assert "notes" not in hidden
    assert "imi_requests_total" in hidden


def test_errors_tell_no_place_of_this_machine(start, tmp_path):
    with imi.open(tmp_path / "secret place" / "pets.imi", model=HashEmbedder()) as made:
        made.add([imi.Document("1", "a cat", {"n": 1})])
    with imi.open(tmp_path / "secret place" / "own.imi") as made:
        made.add([imi.Document("1", "a cat")], vectors=[[1.0, 2.0]])
    served = start(collections=(str(tmp_path / "secret place"),), root=tmp_path / "made")
    (tmp_path / "made" / "file.imi").write_text("no folder")
    for method, path, body in (
        ("GET", "/pets/documents/nothing", None),
        ("POST", "/pets/similar", {"id": "nothing"}),
        ("POST", "/pets/why", {"id": "nothing"}),
        ("POST", "/pets/search", {"query": "x", "where": {"nope": 1}}),
        ("POST", "/pets/search", {"query": "x", "facets": ["nope"]}),
        ("POST", "/pets/search", {"vector": [1.0, 2.0, 3.0]}),
        ("POST", "/own/search", {"query": "x", "mode": "meaning"}),
        ("POST", "/own/documents", {"documents": [{"id": "1", "vector": [1.0, 2.0, 3.0]}]}),
        ("POST", "/pets/tasks/recommend", {"like": ["nothing"]}),
        ("POST", "", {"name": "file"}),
    ):
        refused = served.http.request(method, API + path, json=body)
        assert refused.status_code >= 400, path
        said = error_of(refused)["message"]
        assert "secret place" not in said
        assert str(tmp_path) not in refused.text
        assert "/tmp" not in said


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("built-in", "built-in"),
        ("st:/home/ann/models/fine", "st:fine"),
        ("/home/ann/models/fine/", "fine"),
        ("./models/fine", "fine"),
        (r"C:\models\fine", "fine"),
        ("st:sentence-transformers/LaBSE", "st:sentence-transformers/LaBSE"),
        ("openai:small@http://10.0.0.5:8080/v1", "openai:small"),
    ],
)
def test_models_are_named_without_their_place(name, shown):
    assert without_place(name) == shown


def test_a_model_in_a_folder_answers_by_its_name_and_its_place_is_not_told(start, tmp_path):
    served = start(embedders={f"{tmp_path}/private/fine": HashEmbedder()})
    listed = [one["id"] for one in served.http.get("/v1/models").json()["data"]]
    assert "fine" in listed
    for name in ("fine", f"{tmp_path}/private/fine"):
        assert served.http.post("/v1/embeddings", json={"model": name, "input": "x"}).status_code == 200
    unknown = served.http.post("/v1/embeddings", json={"model": "other", "input": "x"})
    assert unknown.status_code == 404
    assert str(tmp_path) not in unknown.text + json.dumps(listed)
