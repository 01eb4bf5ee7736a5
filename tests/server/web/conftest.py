"""One headless browser for all tests of the page: Debian's chromium, driven by Playwright's Python package."""

import asyncio
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

import imi

# Long only where something is wrong, or another program has the machine.
playwright.expect.set_options(timeout=10_000)

HERE = Path(__file__).parent
PETS = (
    ("ai", "AIは素晴らしい！", {"tag": "work", "n": 1}),
    ("tama", "うちの猫はタマと言います", {"tag": "pets", "n": 2}),
    ("pet", "うちのペットはいつも寝ています", {"tag": "pets", "n": 3}),
    ("gold", "金魚は夜は休むのかな？", {"tag": "pets", "n": 4}),
    ("mat", "The cat sat on the mat and looked at the rain.", {"tag": "pets", "n": 5}),
    ("beans", "Delicious baked beans on toast for breakfast.", {"tag": "food", "n": 6}),
    ("bread", "Fresh bread with butter, still warm.", {"tag": "food", "n": 7}),
    ("train", "The train to Kyoto leaves at nine.", {"tag": "travel", "n": 8}),
    ("京都", "京都の古い寺を歩く", {"tag": "travel", "n": 9}),
    ("plane", "My flight was delayed and the luggage lost.", {"tag": "travel", "n": 10}),
    ("dog", "犬と公園を散歩する", {"tag": "pets", "n": 11}),
    ("tax", "The tax office sent a letter about last year.", {"tag": "work", "n": 12}),
)


class Loop:
    """The browser's event loop, which Playwright leaves marked as running in this thread between its calls.

    With that mark `asyncio.run` of any later test fails. It is taken off outside the tests of the page.
    """

    aside: asyncio.AbstractEventLoop | None = None

    @classmethod
    def put_aside(cls) -> None:
        cls.aside = asyncio._get_running_loop()
        asyncio._set_running_loop(None)

    @classmethod
    def take_up(cls) -> None:
        asyncio._set_running_loop(cls.aside)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Mark the browser's loop as running for a test of the page, with all its fixtures, and only there."""
    # Pytest asks every conftest about every test here, not only about those of its own folder.
    if not item.path.is_relative_to(HERE):
        return (yield)
    Loop.take_up()
    try:
        return (yield)
    finally:
        Loop.put_aside()


@pytest.fixture(scope="session")
def browser():
    """Return a headless chromium; skip where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        # The last test of all ends the browser, wherever it stands.
        if asyncio._get_running_loop() is None:
            Loop.take_up()
        running.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the script of axe-core, which looks for what keeps people out."""
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


@pytest.fixture
def visit(browser):
    """Return a function that opens an address; in the end no error was said and nobody else was asked for anything."""
    contexts, errors, elsewhere = [], [], []

    def open_page(url: str, *, forgive: tuple[str, ...] = (), script: str = "", **how):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-US"} | how)
        context.set_default_timeout(30_000)
        context.add_init_script(script)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and not forgiven(said.text) and errors.append(said.text))
        origin = "/".join(url.split("/")[:3])
        page.on(
            "request", lambda asked: asked.url.startswith((origin, "blob:", "data:")) or elsewhere.append(asked.url)
        )

        def forgiven(text: str) -> bool:
            return any(part in text for part in forgive)

        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors
    assert not elsewhere


@pytest.fixture(scope="module")
def model():
    """Return the built-in model, whose tokens the page shows."""
    return imi.load()


@pytest.fixture(scope="module")
def pets(start, model, tmp_path_factory):
    """Return a server of twelve documents that takes new collections."""
    folder = tmp_path_factory.mktemp("pets")
    with imi.open(folder / "pets.imi", model=model) as made:
        made.add([imi.Document(id, text, metadata) for id, text, metadata in PETS])
    with imi.open(folder / "empty.imi", model=model):
        pass
    paths = (str(folder / "pets.imi"), str(folder / "empty.imi"))
    return start({"built-in": model}, collections=paths, root=folder / "made")


@pytest.fixture(scope="session")
def serious(axe):
    """Return a function that says what on a page keeps people out: serious and critical violations, each once."""

    def found(page) -> list[tuple[str, str]]:
        if not page.evaluate("'axe' in window"):
            page.evaluate(axe)
        told = page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            (one["id"], one["nodes"][0]["html"])
            for one in told["violations"]
            if one["impact"] in ("serious", "critical")
        ]

    return found
