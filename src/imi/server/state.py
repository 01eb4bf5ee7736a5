"""The state of a running server: what every route is given."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from imi.server.http.keys import Keys
from imi.server.http.metrics import Metrics
from imi.server.http.rate_limit import Limiter
from imi.server.http.request_body import Bodies
from imi.server.models import Models
from imi.server.registry import Registry
from imi.server.settings import Settings


@dataclass(slots=True)
class State:
    """The parts of one server, made once at its start; only `stopping`, `busy` and `begun` change later."""

    settings: Settings
    models: Models
    registry: Registry
    keys: Keys
    limiter: Limiter
    bodies: Bodies
    metrics: Metrics
    readers: ThreadPoolExecutor
    quick: ThreadPoolExecutor
    writer: ThreadPoolExecutor
    tasks: ThreadPoolExecutor
    stopping: bool = field(default=False)
    busy: int = field(default=0)
    """Requests that are worked on; those whose replies are being sent are not among them."""
    begun: int = field(default=0)
    """Requests so far."""
