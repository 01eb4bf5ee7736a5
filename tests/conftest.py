"""What all tests share: where data lies, the test embedder, a home of one's own and a closed network."""

import gc
import itertools
import os
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

gc.disable()  # until all tests are found, which takes a third less time by that

if "PYTEST_XDIST_WORKER" in os.environ:
    # One worker a core: threads of numerical libraries would only wait for each other. Read when numpy is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
from hypothesis import settings

from imi.embedders.testing import HashEmbedder

ROOT = Path(__file__).resolve().parent.parent

# The same examples in every run: a test fails because of a change, never by chance. `make nightly` looks for new ones.
settings.register_profile("fixed", max_examples=50, derandomize=True, database=None, deadline=None, print_blob=True)
settings.register_profile("random", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("fixed")

TESTS = ROOT / "tests"
# What shares something dear (a database server, a browser, libraries that take seconds to load): one worker runs it.
TOGETHER = {
    "engines": ("backends",),
    "browser": ("server/web",),
    "torch": (
        *("train", "recipes", "experiments"),
        *(
            "embedders/test_clip.py",
            "embedders/test_transformers.py",
            "rag/test_rerank.py",
            "trust/test_models.py",
            "trust/test_growth.py",
        ),
    ),
    "langchain": tuple(f"bridges/test_langchain{what}.py" for what in ("", "_index", "_standard")),
}
# What takes long for its few tests begins first, so that no worker is alone with it in the end.
FIRST = (
    *("browser", "engines", "torch", "server/test_patience.py", "collection/test_kill.py", "tasks/test_report.py"),
    *("collection/test_deepening_kill.py", "server/test_openapi.py", "cli/test_large.py", "index/test_questions.py"),
)


def together(path: Path) -> str:
    """Return the name of what one worker runs whole: most often one file."""
    groups = (name for name, places in TOGETHER.items() if any(path.is_relative_to(TESTS / one) for one in places))
    return next(groups, str(path.relative_to(TESTS)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what Hypothesis draws examples for; say what one worker of `make test` runs whole, and put it in order."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("property")
    if not config.pluginmanager.hasplugin("xdist"):
        return
    groups = {path: together(path) for path in {item.path for item in items}}
    counts = Counter(groups[item.path] for item in items)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(groups[item.path]))
    names = dict.fromkeys((*FIRST, *(group for group, _ in counts.most_common())))
    order = {group: at for at, group in enumerate(names)}
    items.sort(key=lambda item: order[groups[item.path]])


def pytest_collection_finish() -> None:
    """Look for garbage from here on, and seldom: nothing that is loaded to find the tests ever becomes any."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    """Let no search read by the finer model on its own, also of servers that outlive a test; speak English."""
    os.environ["IMI_DEEP_BUDGET"] = "0"
    os.environ["IMI_LANG"] = "en"
    if config.getoption("numprocesses", None) and room_in_memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


MEMORY = Path("/dev/shm")


def room_in_memory() -> bool:
    """Whether temporary files of `make test` may lie in memory, where nobody waits for a disk to have them for good.

    They need less than a gigabyte at a time. Some tests run programs that they wrote, and some fill memory themselves.
    """
    try:
        kept = os.statvfs(MEMORY)
        free = next(line for line in Path("/proc/meminfo").read_text("utf-8").splitlines() if "MemAvailable" in line)
    except (AttributeError, OSError, StopIteration):
        return False
    if kept.f_flag & os.ST_NOEXEC or not os.access(MEMORY, os.W_OK):
        return False
    return min(kept.f_bavail * kept.f_frsize, int(free.split()[1]) << 10) > 5 << 30


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of public data sets beside the repository; skip where it is not there."""
    folder = Path(os.environ.get("IMI_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the public data sets are not beside this clone; IMI_SHARED_DATA names another place")
    return folder


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of small files that travel with the repository."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def embedder() -> HashEmbedder:
    """Return the deterministic test embedder: 64 dimensions, trained sizes 16, 32 and 64."""
    return HashEmbedder()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return new folders, one for each test; pytest's own numbering reads all names that were given before."""
    above = tmp_path_factory.mktemp("homes")

    def made() -> Iterator[Path]:
        for number in itertools.count():
            home = above / str(number)
            home.mkdir()
            yield home

    return made()


@pytest.fixture(autouse=True)
def own_home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test away from the caches, models and keys of whoever runs it."""
    home = next(homes)
    monkeypatch.setenv("IMI_HOME", str(home))
    for name in ("IMI_MODEL", "IMI_LLM", "OPENAI_API_KEY", "OPENAI_BASE_URL", "IMI_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any attempt to open a network connection an error."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the main path must not touch the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
