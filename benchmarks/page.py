"""The page in headless chromium: frames on a map of 100,000 points, how soon it is there, and how soon an answer is.

    python benchmarks/page.py [--points 100000] [--documents 10000] [--seconds 5] [--trace trace.json] [--json]

Frames are those that the browser's own trace says were shown, while a pointer drags the map and a wheel zooms it. The
first view runs from the start of navigation, with nothing in the browser's cache: to the first content painted, to the
first documents of the collection painted, and to the moment when no script that took 50 ms or more is left to run
(interactive). An answer's time runs from the last key to the first hit that is painted, in the view Ask from Enter to
the answer.
Claims: 30 frames/s or more, interactive within a second, answers under 150 ms. Needs chromium (Debian: apt-get install
chromium).
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
from playwright.sync_api import Page, sync_playwright

import imi
from imi.tasks.map import Map

QUERIES = (
    "delicious beans",
    "猫が寝ている",
    "late train",
    "🍰",
    "雨の日の散歩",
    "broken on arrival",
    "古い寺",
    "tax letter",
)
WORDS = (
    "beans",
    "cat",
    "train",
    "rain",
    "bread",
    "tea",
    "letter",
    "garden",
    "music",
    "river",
    "猫",
    "電車",
    "雨",
    "寺",
)
LONG = 1000 / 30
ASKED = ("where are the beans?", "猫はどこ？", "music by the river", "雨の寺")
VISITS = 5
WATCH = """([root, wanted]) => {
  const ask = document.getElementById('ask');
  window.answered = new Promise((done) => {
    let typed = 0;
    ask.addEventListener('keydown', () => { typed = performance.now(); });
    const look = new MutationObserver(() => {
      if (!typed || !document.querySelector(wanted)) return;
      look.disconnect();
      requestAnimationFrame(() => setTimeout(() => done(performance.now() - typed), 0));
    });
    look.observe(document.getElementById(root), { childList: true, subtree: true });
  });
}"""
VISIT = """
  window.busy = 0;
  window.shown = new Promise((done) => {
    const look = new MutationObserver(() => {
      if (!document.querySelector('#first .hit')) return;
      look.disconnect();
      requestAnimationFrame(() => setTimeout(() => done(performance.now()), 0));
    });
    look.observe(document, { childList: true, subtree: true });
  });
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) window.busy = Math.max(window.busy, one.startTime + one.duration);
  }).observe({ type: 'longtask', buffered: true });
"""
SAID = {
    "painted": "first view, something painted",
    "documents": "first view, documents painted",
    "interactive": "first view, interactive",
    "search": "first hit after the last key",
    "ask": "answer by Ask after Enter",
}
PAINTED = "performance.getEntriesByType('paint').find((one) => one.name === 'first-contentful-paint').startTime"


def drawn(points: int, path: Path) -> None:
    """Write a map of made points in sixty groups."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 60, points)
    plane = (rng.normal(0, 30, (60, 2))[group] + rng.normal(0, 3, (points, 2))).astype(np.float32)
    near = rng.integers(0, points, (points, 10))
    texts = tuple(f"document {row} 文書" for row in range(points))
    Map(plane, near, np.ones(near.shape, np.float32), texts, texts, {"group": (group % 9).tolist()}, "group").save(path)


def move(page: Page, seconds: float) -> int:
    """Drag and zoom for some seconds and return how many times the pointer was moved."""
    moves = 0
    end = time.monotonic() + seconds
    page.mouse.move(800, 400)
    page.mouse.down()
    while time.monotonic() < end:
        moves += 1
        page.mouse.move(800 + 200 * np.sin(moves / 15), 400 + 150 * np.cos(moves / 11))
        if moves % 90 == 45:
            page.mouse.up()
            page.mouse.wheel(0, -240 if moves % 180 == 45 else 240)
            page.mouse.down()
    page.mouse.up()
    return moves


def frames(trace: list[dict[str, object]]) -> dict[str, float]:
    """Return, out of a trace, how many frames a second were shown and how many of them the map had drawn again."""
    shown = times(trace, "SubmitCompositorFrameToPresentationCompositorFrame", "e")
    drawn_anew = times(trace, "ProxyMain::BeginMainFrame", "X")
    gaps = np.diff(shown)
    return {
        "shown_fps": rate(shown),
        "drawn_fps": rate(drawn_anew),
        "median_ms": float(np.median(gaps)),
        "slow": float((gaps > LONG).mean()),
    }


def times(trace: list[dict[str, object]], name: str, phase: str) -> list[float]:
    """Return when an event came, in milliseconds, each once."""
    return sorted({one["ts"] / 1000 for one in trace if one.get("name") == name and one.get("ph") == phase})


def rate(at: list[float]) -> float:
    """Return events a second."""
    return 1000 * (len(at) - 1) / (at[-1] - at[0])


def measure_map(browser, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """Return the frames of a map that is moved."""
    drawn(options.points, folder / "map.html")
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto((folder / "map.html").as_uri())
    page.wait_for_selector("canvas")
    move(page, 1)
    trace = options.trace or folder / "trace.json"
    browser.start_tracing(page=page, path=str(trace), categories=["benchmark", "viz", "cc", "devtools.timeline.frame"])
    moves = move(page, options.seconds)
    browser.stop_tracing()
    page.close()
    return frames(json.loads(Path(trace).read_text("utf-8"))["traceEvents"]) | {"moves": moves}


def measure_server(browser, folder: Path, documents: int) -> dict[str, dict[str, float]]:
    """Return what the page of a server takes, in milliseconds: its first view, answers by search and by Ask."""
    rng = np.random.default_rng(1)
    with imi.open(folder / "made.imi") as made:
        made.add([imi.Document(str(row), " ".join(rng.choice(WORDS, 12)), {"n": row % 7}) for row in range(documents)])
    server = [sys.executable, "-m", "imi", "serve", str(folder / "made.imi"), "--port", "8765", "-q"]
    process = subprocess.Popen(server, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                httpx.get("http://127.0.0.1:8765/health")
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        views = [first_view(browser) for _ in range(VISITS)]
        # The first question warms what is read once.
        hits = [answer(browser, query, "modes", "#modes .hit") for query in (QUERIES[0], *QUERIES)]
        asked = [answer(browser, query, "view-ask", "#view-ask .answer") for query in (ASKED[0], *ASKED)]
    finally:
        process.terminate()
        process.wait(20)
    first = {name: summary([view[name] for view in views]) for name in views[0]}
    return first | {"search": summary(hits[1:]), "ask": summary(asked[1:])}


def summary(took: list[float]) -> dict[str, float]:
    """Return the median and the worst of some times."""
    return {"median_ms": statistics.median(took), "worst_ms": max(took)}


def first_view(browser) -> dict[str, float]:
    """Return when a visitor who was never here sees something, sees documents, and can use the page."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(VISIT)
    page.goto("http://127.0.0.1:8765/")
    documents = page.evaluate("window.shown")
    page.wait_for_load_state("networkidle")
    painted, busy = page.evaluate(PAINTED), page.evaluate("window.busy")
    page.close()
    return {"painted": painted, "documents": documents, "interactive": max(documents, busy)}


def answer(browser, query: str, root: str, wanted: str) -> float:
    """Return how long an answer takes, from the last key until `wanted` is painted below `root`."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto("http://127.0.0.1:8765/")
    page.wait_for_selector("#first .hit")
    page.wait_for_load_state("networkidle")
    if root == "view-ask":
        page.click("#to-ask")
    page.focus("#ask")
    page.evaluate(WATCH, [root, wanted])
    for one in query:
        page.keyboard.type(one) if one.isascii() else page.keyboard.insert_text(one)
    if root == "view-ask":
        page.keyboard.press("Enter")
    elif not query.isascii():
        # insert_text presses no key; a shift key counts as the last one and types nothing.
        page.keyboard.press("Shift")
    took = page.evaluate("window.answered")
    page.close()
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--trace", type=Path, help="keep the trace here")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed: apt-get install chromium")
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        moved = measure_map(browser, Path(folder), options)
        served = measure_server(browser, Path(folder), options.documents)
        browser.close()
    if options.json:
        print(json.dumps({"points": options.points, "map": moved, "documents": options.documents, **served}))
        return
    print(
        f"{options.points:,} points: {moved['shown_fps']:.0f} frames/s shown, {moved['drawn_fps']:.0f} drawn again, "
        f"median gap {moved['median_ms']:.1f} ms, {moved['slow']:.0%} of the gaps above {LONG:.0f} ms"
    )
    print(f"over {options.documents:,} documents:")
    for name, said in SAID.items():
        print(f"  {said}: median {served[name]['median_ms']:.0f} ms, worst {served[name]['worst_ms']:.0f} ms")


if __name__ == "__main__":
    main()
