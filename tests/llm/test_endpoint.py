"""The client against a server that really misbehaves."""

import threading
import time
from email.utils import formatdate

import pytest

from imi.errors import EndpointError, UsageError
from imi.llm.endpoint import OFFICIAL, Endpoint, retry_after, split_name
from imi.llm.replies import refusal
from tests.llm.standin import StandIn


@pytest.fixture
def server():
    with StandIn() as running:
        running.replies.append("hello")
        yield running


@pytest.fixture
def endpoint(server):
    found = Endpoint(server.url, timeout=5, first_wait=0.01)
    yield found
    found.close()


def ask(endpoint, **more):
    return endpoint.post("chat/completions", {"model": "m", "messages": [], **more}, lambda value: value)


@pytest.mark.parametrize("fault", [429, (429, "0.01"), 500, 502, 503, 408, 409, "cut", "malformed"])
def test_what_passes_is_tried_again(server, endpoint, fault):
    server.faults.extend([fault, fault])
    assert ask(endpoint)["choices"][0]["message"]["content"] == "hello"
    assert server.asked() == 3


@pytest.mark.parametrize("fault", ["quota", 400, 401, 403, 404, 422])
def test_what_does_not_pass_is_not_tried_again(server, endpoint, fault):
    server.faults.append(fault)
    with pytest.raises(EndpointError) as raised:
        ask(endpoint)
    assert server.asked() == 1
    assert raised.value.status == (429 if fault == "quota" else fault)


def test_tries_end(server):
    server.faults.extend([500] * 10)
    with pytest.raises(EndpointError, match="answered 500: The server had an error"):
        ask(Endpoint(server.url, retries=2, first_wait=0.001))
    assert server.asked() == 3


def test_retry_after_is_waited_for(server, endpoint):
    server.faults.append((429, "0.3"))
    began = time.monotonic()
    ask(endpoint)
    assert time.monotonic() - began >= 0.3


def test_a_wait_of_more_than_two_minutes_is_told_and_not_waited(server, endpoint):
    server.faults.append((429, "121"))
    with pytest.raises(EndpointError) as raised:
        ask(endpoint)
    assert raised.value.retry_after == 121
    assert server.asked() == 1


def test_the_servers_own_word_on_trying_again_counts(server, endpoint):
    server.faults.extend([(500, {"x-should-retry": "false"})])
    with pytest.raises(EndpointError):
        ask(endpoint)
    assert server.asked() == 1
    server.faults.extend([(400, {"x-should-retry": "true"})])
    assert ask(endpoint)
    assert server.asked() == 3


def test_a_silent_server_is_given_up(server):
    server.faults.extend([("slow", 0.6)] * 2)
    with pytest.raises(EndpointError, match="in time") as raised:
        ask(Endpoint(server.url, timeout=0.2, retries=1, first_wait=0.01))
    assert raised.value.status is None


def test_no_server_at_all(server):
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1") as raised:
        ask(Endpoint("http://127.0.0.1:9/v1", retries=0))
    assert raised.value.status is None
    assert "check that the server runs" in str(raised.value)


def test_the_key_is_sent_and_never_shown(server, endpoint, monkeypatch):
    server.key = "secret-1"
    with pytest.raises(EndpointError) as refused:
        ask(endpoint)
    assert "OPENAI_API_KEY" in str(refused.value)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-1")
    keyed = Endpoint(server.url)
    assert ask(keyed)
    assert "secret" not in repr(keyed) + str(refused.value)
    assert server.headers[-1]["Authorization"] == "Bearer secret-1"


def test_the_official_endpoint_needs_a_key():
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        Endpoint(OFFICIAL)


def test_a_stopped_run_waits_no_longer(server, monkeypatch):
    stopped = threading.Event()
    stopped.set()
    server.faults.append((429, "40"))
    waited = []
    monkeypatch.setattr(stopped, "wait", waited.append)
    with pytest.raises(EndpointError):
        Endpoint(server.url).post("chat/completions", {}, lambda value: value, stopped)
    assert waited == [] and server.asked() == 1


def test_names_and_urls(monkeypatch):
    assert split_name("m") == ("m", OFFICIAL)
    assert split_name("org/m@v2@http://localhost:1/v1/") == ("org/m@v2", "http://localhost:1/v1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://h/v1")
    assert split_name("m") == ("m", "http://h/v1")
    with pytest.raises(UsageError):
        split_name("@http://h")


def test_waits_are_read_from_all_three_forms():
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after-ms": "250", "retry-after": "7"}) == 0.25
    assert 50 < retry_after({"retry-after": formatdate(time.time() + 60, usegmt=True)}) <= 61
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


@pytest.mark.parametrize(
    ("body", "said", "code"),
    [
        (b'{"error": {"message": "m", "type": "t", "param": null, "code": "c"}}', "m", "c"),
        (b'{"message": "m", "code": 413, "type": "Validation"}', "m", "Validation"),
        (b'{"object": "error", "message": "m", "type": "BadRequestError", "code": 400}', "m", "BadRequestError"),
        (b'{"error": "m"}', "m", None),
        (b'{"detail": [{"msg": "m"}]}', '[{"msg": "m"}]', None),
        (b"<html><body>m</body></html>", "m", None),
        (b"", "nothing", None),
        (b"\xff\xfe", "\ufffd\ufffd", None),
    ],
)
def test_error_bodies_of_all_servers_are_understood(body, said, code):
    found = refusal("u", 400, body)
    assert found.message == f"u answered 400: {said}"
    assert found.code == code


@pytest.mark.parametrize(
    ("status", "message", "code", "too_many", "too_long"),
    [
        (
            400,
            "This model's maximum context length is 8192 tokens, however you requested 10001 tokens",
            "x",
            False,
            True,
        ),
        (400, "Requested 453357 tokens, max 300000 tokens per request", "max_tokens_per_request", True, False),
        (413, "batch size 64 > maximum allowed batch size 32", "Validation", True, False),
        (400, "inputs must have less than 512 tokens. Given: 600", "x", False, True),
        (400, "invalid input", "x", False, False),
    ],
)
def test_reasons_of_refusals_are_told_apart(status, message, code, too_many, too_long):
    body = f'{{"error": {{"message": "{message}", "code": "{code}"}}}}'.encode()
    found = refusal("u", status, body)
    assert (found.too_many, found.too_long) == (too_many, too_long)


def test_events_come_as_they_are_sent(server, endpoint):
    server.replies[0] = "abcdefgh"
    events = list(endpoint.stream("chat/completions", {"stream": True}))
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events if e["choices"]) == "abcdefgh"
    assert events[-1]["usage"]["total_tokens"] == 15


def test_a_stream_without_its_last_mark_is_whole(server, endpoint):
    server.faults.append("no-done")
    assert list(endpoint.stream("chat/completions", {"stream": True}))


@pytest.mark.parametrize("fault", [500, (429, "0.01"), "cut-at-once"])
def test_a_stream_that_has_not_begun_is_tried_again(server, endpoint, fault):
    server.faults.append(fault)
    assert list(endpoint.stream("chat/completions", {"stream": True}))
    assert server.asked() == 2


@pytest.mark.parametrize("fault", ["cut-stream", "malformed-event"])
def test_a_stream_that_broke_off_is_an_error_and_not_said_twice(server, endpoint, fault):
    server.replies[0] = "a long enough answer"
    server.faults.append(fault)
    with pytest.raises(EndpointError, match=r"broke off|not JSON"):
        list(endpoint.stream("chat/completions", {"stream": True}))
    assert server.asked() == 1
