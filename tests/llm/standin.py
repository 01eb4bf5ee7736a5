"""A real HTTP server in a thread that speaks the OpenAI contract, and misbehaves when it is told to.

Faults are taken one a request from `server.faults`; `server.always` names those that every request has. Vectors are a
function of the text alone, so that a lost or misplaced one shows.
"""

from __future__ import annotations

import base64
import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

WIDTH = 64


def true_vectors(texts: Iterable[str], width: int = WIDTH) -> np.ndarray:
    """Return the unit rows that a text must have, (n, width) float32."""
    digests = b"".join(blake2b(text.encode("utf-8", "replace"), digest_size=WIDTH).digest() for text in texts)
    z = np.frombuffer(digests, np.uint8).reshape(-1, WIDTH).astype(np.float32)[:, :width] - 127.5
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def tokens_of(text: str) -> int:
    return max(1, len(text.encode("utf-8", "replace")) // 4)


class StandIn:
    """The server and its state; a context manager."""

    def __init__(self) -> None:
        self.faults: deque[Any] = deque()
        self.always: set[str] = set()
        self.seen: Counter[str] = Counter()  # how often each text was embedded and sent back in full
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.replies: deque[Any] = deque()  # of the chat and Responses endpoints
        self.max_inputs = 2048
        self.max_tokens = 8192
        self.max_total = 300_000
        self.bad_texts: set[str] = set()
        self.matryoshka = True
        self.normalised = True
        self.key: str | None = None
        self.lock = threading.Lock()
        self.in_flight = self.most_in_flight = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def asked(self) -> int:
        return len(self.requests)

    def next_fault(self) -> Any:
        with self.lock:
            return self.faults.popleft() if self.faults else None


def _handler(server: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            """Stay silent."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with server.lock:
                server.requests.append(body)
                server.headers.append(dict(self.headers))
                server.in_flight += 1
                server.most_in_flight = max(server.most_in_flight, server.in_flight)
            try:
                self.answer(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with server.lock:
                    server.in_flight -= 1

        def answer(self, body: dict[str, Any]) -> None:
            fault = server.next_fault()
            if server.key is not None and self.headers.get("Authorization") != f"Bearer {server.key}":
                return self.error(401, "Incorrect API key provided", "invalid_api_key")
            if self.refused(fault):
                return None
            if callable(fault):
                fault(self, body)
                return None
            path = self.path.removeprefix("/v1/")
            if path == "embeddings":
                return self.embeddings(body, fault)
            if path == "chat/completions":
                return self.chat(body, fault)
            if path == "responses":
                return self.respond(body, fault)
            return self.error(404, f"Unknown path {self.path}", None)

        def refused(self, fault: Any) -> bool:
            kind, *rest = fault if isinstance(fault, tuple) else (fault,)
            if kind == 429:
                self.error(429, "Rate limit reached", "rate_limit_exceeded", {"Retry-After": rest[0]} if rest else {})
            elif kind == "quota":
                self.error(429, "You exceeded your current quota", "insufficient_quota")
            elif isinstance(kind, int):
                self.error(kind, "The server had an error", None, rest[0] if rest else {})
            elif kind == "cut":
                self.send_response(200)
                self.send_header("Content-Length", "100000")
                self.end_headers()
                self.wfile.write(b'{"object": "list", "data": [')
                self.close_connection = True
            elif kind == "malformed":
                self.reply_bytes(200, b"<html>gateway</html>")
            elif kind == "slow":
                time.sleep(rest[0])
                return False
            else:
                return False
            return True

        # --- embeddings ---

        def embeddings(self, body: dict[str, Any], fault: Any) -> None:
            texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
            counts = [tokens_of(text) for text in texts]
            width = body.get("dimensions", WIDTH)
            if len(texts) > server.max_inputs:
                return self.error(
                    413, f"batch size {len(texts)} > maximum allowed batch size {server.max_inputs}", "Validation"
                )
            if "dimensions" in body and not server.matryoshka:
                return self.error(400, "Model does not support matryoshka representation, changing dimensions", None)
            if any(not text for text in texts):
                return self.error(400, "'$.input' is invalid: empty string", None)
            if any(text in server.bad_texts for text in texts):
                return self.error(400, "invalid input", None)
            if max(counts) > server.max_tokens:
                asked = max(counts)
                return self.error(
                    400,
                    f"This model's maximum context length is {server.max_tokens} tokens, you requested {asked}",
                    None,
                )
            if sum(counts) > server.max_total:
                return self.error(
                    400,
                    f"Requested {sum(counts)} tokens, max {server.max_total} tokens per request",
                    "max_tokens_per_request",
                )
            if "strict" in server.always and "input_type" in body:
                said = "Bad Request" if "terse" in server.always else "Unrecognized request argument: input_type"
                return self.error(400, said, None)
            read = [f"query: {text}" for text in texts] if body.get("input_type") == "query" else texts
            z = true_vectors(read if "asymmetric" in server.always else texts, width) * (
                1 if server.normalised else 3.0
            )
            faults = {fault} | server.always if isinstance(fault, str) else set(server.always)
            return self.send_vectors(body, texts, z, sum(counts), faults)

        def send_vectors(
            self, body: dict[str, Any], texts: list[str], z: np.ndarray, used: int, faults: set[str]
        ) -> None:
            coded = body.get("encoding_format") == "base64" and "floats" not in faults
            if "quarter" in faults and coded:
                # A gateway that took a list of floats for base64: a quarter of the numbers comes out.
                z = z[:, : z.shape[1] // 4]
            if "nan" in faults:
                z = z.copy()
                z[len(z) // 2, 3] = np.nan
            rows = [base64.b64encode(row.astype("<f4").tobytes()).decode() if coded else row.tolist() for row in z]
            data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
            if "reorder" in faults:
                random.Random(1).shuffle(data)
            if "short" in faults:
                data.pop()
            if "duplicate" in faults and len(data) > 1:
                data[0]["index"] = data[1]["index"]
            if "empty" in faults:
                data = []
            if "no-index" in faults:
                for one in data:
                    del one["index"]
            usage = {"prompt_tokens": used, "total_tokens": used}
            whole = not faults & {"nan", "short", "duplicate", "empty"} and not ("quarter" in faults and coded)
            if whole:
                with server.lock:
                    server.seen.update(texts)
            self.reply(200, {"object": "list", "data": data, "model": body["model"], "usage": usage})

        # --- chat and Responses ---

        def scripted(self, body: dict[str, Any]) -> Any:
            with server.lock:
                said = server.replies.popleft() if len(server.replies) > 1 else server.replies[0]
            return said(body) if isinstance(said, Callable) else said  # type: ignore[arg-type]

        def chat(self, body: dict[str, Any], fault: Any) -> None:
            said = self.scripted(body)
            calls = said if isinstance(said, list) else []
            text = said if isinstance(said, str) else None
            made = [
                {"id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
                for at, (name, arguments) in enumerate(calls)
            ]
            if body.get("stream"):
                return self.stream(text or "", made, fault)
            message: dict[str, Any] = {"role": "assistant", "content": text}
            if made:
                message["tool_calls"] = made
            finish = "tool_calls" if made else "stop"
            choices = [{"index": 0, "message": message, "finish_reason": finish}]
            if fault == "no-choices":
                choices = []
            usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            return self.reply(200, {"object": "chat.completion", "choices": choices, "usage": usage})

        def stream(self, text: str, calls: list[dict[str, Any]], fault: Any) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
            deltas: list[dict[str, Any]] = [{"content": piece} for piece in pieces]
            for at, call in enumerate(calls):
                raw = call["function"]["arguments"]
                head = {"index": at, "id": call["id"], "function": {"name": call["function"]["name"], "arguments": ""}}
                deltas.append({"tool_calls": [head]})
                deltas += [
                    {"tool_calls": [{"index": at, "function": {"arguments": raw[cut : cut + 4]}}]}
                    for cut in range(0, len(raw), 4)
                ]
            if fault == "cut-at-once":
                return
            for number, delta in enumerate(deltas):
                if fault == "cut-stream" and number == 2:
                    return
                if fault == "malformed-event" and number == 2:
                    self.wfile.write(b"data: {not json\n\n")
                    return
                self.event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}]})
            self.event({"choices": [], "usage": {"total_tokens": 15}})
            if fault != "no-done":
                self.wfile.write(b"data: [DONE]\n\n")

        def event(self, value: dict[str, Any]) -> None:
            self.wfile.write(f": keep-alive\n\ndata: {json.dumps(value)}\n\n".encode())
            self.wfile.flush()

        def respond(self, body: dict[str, Any], fault: Any) -> None:
            text = self.scripted(body)
            half = len(text) // 2
            parts = [{"type": "output_text", "text": piece} for piece in (text[:half], text[half:])]
            output = [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": parts}]
            if fault == "no-text":
                output.pop()
            usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
            self.reply(200, {"object": "response", "status": "completed", "output": output, "usage": usage})

        # --- bytes ---

        def error(self, status: int, message: str, code: str | None, headers: dict[str, str] | None = None) -> None:
            if "flat-errors" in server.always:
                value: dict[str, Any] = {"message": message, "code": status, "type": code or "error"}
            elif "detail-errors" in server.always:
                value = {"detail": [{"msg": message}]}
            else:
                value = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
            self.reply(status, value, headers)

        def reply(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
            self.reply_bytes(status, json.dumps(value).encode(), headers)

        def reply_bytes(self, status: int, raw: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            for name, text in (headers or {}).items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(raw)

    return Handler
