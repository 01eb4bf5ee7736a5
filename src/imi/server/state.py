"""The state of a running server: what every route is given."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from imi.server.http.keys import Keys
from imi.server.http.metrics import Metrics
from imi.server.http.rate_limit import Limiter
from imi.server.models import Models
from imi.server.registry import Shelf
from imi.server.settings import Settings


@dataclass(slots=True)
class State:
    """The parts of one server, made once at its start; `stopping` is the only thing that changes later."""

    settings: Settings
    models: Models
    shelf: Shelf
    keys: Keys
    limiter: Limiter
    metrics: Metrics
    readers: ThreadPoolExecutor
    quick: ThreadPoolExecutor
    writer: ThreadPoolExecutor
    tasks: ThreadPoolExecutor
    stopping: bool = field(default=False)
