"""Requests a second of `imi serve`, one process, beside a server of the same model written the obvious way.

    python benchmarks/serve.py [--seconds 8] [--documents 100000] [--skip-peer] [--json]

The load comes from `wrk` (Debian: apt-get install wrk) in a process of its own. Claims:
single short inputs 1,500 requests/s; batches of 64 at 15,000 texts/s; search by meaning over the documents 800
requests/s with the 99th percentile under 25 ms, hybrid 150/s; 3 times the obvious server.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import numpy as np
import uvicorn

LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local n = 0
request = function()
  n = n + 1
  %s
  return wrk.format(nil, "%s", nil, body)
end
"""
VOCABULARY = 50_000
SUBJECTS = 400
SINGLE = """local body = '{"model":"built-in","input":"where is the cat number ' .. n .. ' 猫"}'"""
BATCH = """local t = {}
  for i = 1, 64 do t[i] = '"a short text number ' .. (n * 64 + i) .. ' about a cat"' end
  local body = '{"model":"built-in","encoding_format":"%s","input":[' .. table.concat(t, ",") .. ']}'"""
SEARCH = """local body = '{"mode":"%s","query":"' .. w[n %% #w + 1] .. '"}'"""


def texts(count: int, seed: int = 0) -> Iterator[str]:
    """Yield made texts of 8 to 60 words.

    Words are syllables put together, as frequent as their rank says (Zipf); a third of a text's words are those of its
    subject, so that texts have neighbours.
    """
    rng = np.random.default_rng(seed)
    syllables = [a + b for a in "bdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er", "il", "ou")]
    words = np.array(list(dict.fromkeys("".join(rng.choice(syllables, rng.integers(1, 5))) for _ in range(VOCABULARY))))
    shares = 1 / np.arange(3, len(words) + 3)
    bounds = np.cumsum(shares / shares.sum())
    subjects = rng.integers(200, len(words), (SUBJECTS, 40))
    for _ in range(count):
        length = int(rng.integers(8, 61))
        chosen = np.minimum(np.searchsorted(bounds, rng.random(length)), len(words) - 1)
        own = rng.random(length) < 1 / 3
        chosen[own] = rng.choice(subjects[rng.integers(SUBJECTS)], int(own.sum()))
        yield " ".join(words[chosen])


def questions(path: Path) -> list[str]:
    """Return a thousand questions of two to six words that stand beside each other in the documents."""
    import imi

    rng = np.random.default_rng(1)
    with imi.open(path, mode="r") as opened:
        ids = opened.ids()
        some = opened.get([ids[at] for at in rng.choice(len(ids), 1000)])
    found = []
    for one in some:
        words = re.sub(r"[\\\"\x00-\x1f]", " ", one.text or "cat").split()
        start = int(rng.integers(max(1, len(words) - 6)))
        found.append(" ".join(words[start : start + int(rng.integers(2, 7))]) or "cat")
    return found


def wrk(url: str, path: str, body: str, seconds: int, connections: int, asked: Sequence[str] = ()) -> dict[str, float]:
    """Return requests a second and the 99th percentile in milliseconds; `w` holds the questions asked."""
    words = "local w = {" + ",".join(f'"{one}"' for one in asked) + "}\n"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(words + LUA % (body, path))
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s", script.name, url]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told:
        raise SystemExit(f"{path}: {told}")
    amount, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", told).groups()
    scale = {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1]), "p99_ms": float(amount) * scale}


@contextlib.contextmanager
def serving(command: list[str], port: int):
    """Start a server and yield its URL when it is ready."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/v1/models").status_code == 200:
                    break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def collection(folder: Path, documents: int) -> Path:
    """Return a collection of made texts, filled once."""
    import imi

    path = folder / "bench.imi"
    with imi.open(path, model="built-in") as made:
        made.add(imi.Document(str(at), text, {"n": at % 10}) for at, text in enumerate(texts(documents)))
        deadline = time.monotonic() + 300
        while made.info.index.get("ladder") is None and time.monotonic() < deadline:
            made.search("mela", mode="meaning")  # the ladder is built beside the searches
            time.sleep(1)
    return path


def peer():
    """Return the obvious server: a SentenceTransformer around the same model, FastAPI with its own validation."""
    from fastapi import FastAPI
    from pydantic import BaseModel
    from sentence_transformers import SentenceTransformer
    from torch import nn

    class SameModel(nn.Module):
        """The built-in model's weights as a module of sentence-transformers."""

        def __init__(self):
            super().__init__()
            import numpy as np
            import torch

            import imi

            model = imi.load()
            rows = np.asarray(model.rows(range(model.vocabulary)))
            self.table = nn.EmbeddingBag.from_pretrained(torch.from_numpy(rows), mode="sum")
            self.inward, self.bias, self.outward = (
                torch.from_numpy(part) for part in (model._inward, model._bias, model._outward)
            )
            self.split = model._split

        def tokenize(self, texts, **_):
            import torch

            ids, offsets = self.split(list(texts))
            return {"input_ids": torch.from_numpy(ids.astype("int64")), "offsets": torch.from_numpy(offsets[:-1])}

        preprocess = tokenize

        def forward(self, features, **_):
            import torch

            unit = nn.functional.normalize(self.table(features["input_ids"], features["offsets"]))
            whole = unit + torch.relu(unit @ self.inward + self.bias) @ self.outward
            features["sentence_embedding"] = nn.functional.normalize(whole)
            return features

        def get_sentence_embedding_dimension(self):
            return 512

    class Asked(BaseModel):
        model: str
        input: str | list[str]
        encoding_format: str = "float"

    app, model = FastAPI(), SentenceTransformer(modules=[SameModel()], device="cpu")

    @app.get("/v1/models")
    def models():
        return {"object": "list", "data": [{"id": "built-in", "object": "model"}]}

    @app.post("/v1/embeddings")
    def embeddings(asked: Asked):
        texts = [asked.input] if isinstance(asked.input, str) else asked.input
        z = model.encode(texts)
        data = [{"object": "embedding", "index": at, "embedding": row.tolist()} for at, row in enumerate(z)]
        return {"object": "list", "data": data, "model": "built-in", "usage": {"prompt_tokens": 0, "total_tokens": 0}}

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--collection", type=Path, help="search this one instead of a made one")
    parser.add_argument("--skip-peer", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peer-port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer_port:
        uvicorn.run(peer(), port=options.peer_port, log_level="error")
        return
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed; try: apt-get install wrk")
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        searched = options.collection or (collection(Path(folder), options.documents) if options.documents else None)
        asked = questions(searched) if searched else []
        command = [sys.executable, "-m", "imi", "serve", "-q", "--port", "8731"]
        with serving([*command, *([str(searched)] if searched else [])], 8731) as url:
            results["single"] = wrk(url, "/v1/embeddings", SINGLE, options.seconds, 32)
            for kind in ("float", "base64"):
                told = wrk(url, "/v1/embeddings", BATCH % kind, options.seconds, 8)
                results[f"batch {kind}"] = told | {"texts": told["rate"] * 64}
            for mode in ("meaning", "hybrid") if searched else ():
                path = f"/api/v1/collections/{searched.stem}/search"
                results[mode] = wrk(url, path, SEARCH % mode, options.seconds, 8, asked)
    if not options.skip_peer:
        with serving([sys.executable, __file__, "--peer-port", "8732"], 8732) as url:
            results["single, obvious"] = wrk(url, "/v1/embeddings", SINGLE, options.seconds, 32)
            told = wrk(url, "/v1/embeddings", BATCH % "float", options.seconds, 8)
            results["batch float, obvious"] = told | {"texts": told["rate"] * 64}
    if options.json:
        print(json.dumps(results))
        return
    for name, told in results.items():
        texts = f"  {told['texts']:9.0f} texts/s" if "texts" in told else ""
        print(f"{name:<22}{told['rate']:9.0f} requests/s  p99 {told['p99_ms']:8.1f} ms{texts}")


if __name__ == "__main__":
    main()
