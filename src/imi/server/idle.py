"""While nobody asks, the finer model reads the collections that are open, a little at a time."""

from __future__ import annotations

import threading
from contextlib import suppress

from imi.collection.rankings import Rerank
from imi.embedders.deep import installed
from imi.errors import ImiError
from imi.server.http.responses import ApiError
from imi.server.state import State

QUIET_SECONDS = 2.0
"""How long nobody must have asked before it begins."""
SLICE_MS = 250.0
"""How long it reads before it looks again whether somebody asks."""


class IdleDeepening:
    """A thread that deepens what is served; off where IMI_DEEP_BUDGET is 0 or the model is not installed."""

    def __init__(self, state: State) -> None:
        """Set up; nothing runs yet."""
        self._state = state
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, where there is anything to do."""
        if installed():
            self._thread = threading.Thread(target=self._run, name="imi-idle", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, after the slice that is being read."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        seen = -1
        while not self._stop.wait(QUIET_SECONDS):
            if self._state.busy == 0 and self._state.begun == seen and Rerank().milliseconds > 0:
                self._while_quiet(seen)
            seen = self._state.begun

    def _while_quiet(self, seen: int) -> None:
        """Read until somebody asks, or all is read."""
        for name in self._state.registry.open_names():
            # One that is damaged or was deleted meanwhile says so to whom it is asked for.
            with suppress(ImiError, ApiError), self._state.registry.use(name) as collection:
                while collection.deepens and collection.deepen(SLICE_MS).read:
                    if self._stop.is_set() or self._state.busy or self._state.begun != seen:
                        return
