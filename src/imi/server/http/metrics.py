"""What Prometheus reads at /metrics: counters, gauges and histograms, written in its text format."""

from __future__ import annotations

import bisect
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]


class Counter:
    """Numbers that only grow, one for each combination of labels."""

    kind = "counter"

    def __init__(self, name: str, help: str, labels: Labels = ()) -> None:
        self.name, self.help, self.labels = name, help, labels
        self._values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, amount: float = 1, *values: str) -> None:
        """Count."""
        self._values[values] = self._values.get(values, 0) + amount

    def lines(self, wanted: Callable[[str], bool] | None = None) -> Iterable[str]:
        """Yield the samples, of all or only those whose first label is wanted."""
        for values, number in sorted(self._values.items()):
            if wanted is not None and not wanted(values[0]):
                continue
            yield (
                f"{self.name}{_labels(self.labels, values)} {number:g}"
                if number < 1e6
                else (f"{self.name}{_labels(self.labels, values)} {number:.0f}")
            )


class Gauge:
    """A number that is asked for when it is read."""

    kind = "gauge"

    def __init__(self, name: str, help: str, read: Callable[[], float]) -> None:
        self.name, self.help = name, help
        self._read = read

    def lines(self) -> Iterable[str]:
        """Yield the sample."""
        yield f"{self.name} {self._read():.17g}"


class Histogram:
    """How often values fell below each bound, for each combination of labels."""

    kind = "histogram"

    def __init__(self, name: str, help: str, bounds: tuple[float, ...], labels: Labels = ()) -> None:
        self.name, self.help, self.labels, self.bounds = name, help, labels, bounds
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def add(self, value: float, *values: str) -> None:
        """Count one value."""
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * (len(self.bounds) + 1)
            self._sums[values] = 0.0
        counts[bisect.bisect_left(self.bounds, value)] += 1
        self._sums[values] += value

    def lines(self) -> Iterable[str]:
        """Yield the samples."""
        names = (*self.labels, "le")
        for values, counts in sorted(self._counts.items()):
            total = 0
            for bound, count in zip((*map("{:g}".format, self.bounds), "+Inf"), counts, strict=True):
                total += count
                yield f"{self.name}_bucket{_labels(names, (*values, bound))} {total}"
            yield f"{self.name}_sum{_labels(self.labels, values)} {self._sums[values]:.9g}"
            yield f"{self.name}_count{_labels(self.labels, values)} {total}"


class Metrics:
    """All that one server counts."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.requests = Counter("imi_requests_total", "Requests answered.", ("route", "method", "status"))
        self.seconds = Histogram("imi_request_seconds", "Time from first byte to last.", SECONDS, ("route",))
        self.texts = Counter("imi_texts_total", "Texts embedded.")
        self.tokens = Counter("imi_tokens_total", "Tokens of embedding requests.")
        self.batches = Histogram("imi_batch_texts", "Texts embedded in one call.", TEXTS)
        self.embedding = Counter("imi_embedding_seconds_total", "Time spent in the model.")
        self.documents = Counter("imi_documents_total", "Documents taken in.", ("collection",))
        started = time.time()
        self._all: tuple[Counter | Gauge | Histogram, ...] = (
            self.requests,
            self.seconds,
            self.texts,
            self.tokens,
            self.batches,
            self.embedding,
            self.documents,
            Gauge("imi_in_flight", "Requests being answered.", lambda: self.in_flight),
            Gauge("process_start_time_seconds", "When the server started.", lambda: started),
            Gauge("process_resident_memory_bytes", "Memory in use.", resident_bytes),
        )

    def on_batch(self, texts: int, seconds: float) -> None:
        """Count one call of a model."""
        self.texts.add(texts)
        self.batches.add(texts)
        self.embedding.add(seconds)

    def exposition(self, may_know: Callable[[str], bool] = lambda _: True) -> str:
        """Return the page.

        Args:
            may_know: whether a collection's name may be shown.
        """
        lines = []
        for metric in self._all:
            samples = self.documents.lines(may_know) if metric is self.documents else metric.lines()
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}", *samples]
        return "\n".join(lines) + "\n"


def resident_bytes() -> float:
    """Return the memory that this process holds; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0.0
    return int(statm.read_text().split()[1]) * float(os.sysconf("SC_PAGE_SIZE"))


def _labels(names: Iterable[str], values: Iterable[str]) -> str:
    pairs: Mapping[str, str] = dict(zip(names, values, strict=True))
    inner = ",".join(f'{name}="{_escape(value)}"' for name, value in pairs.items())
    return f"{{{inner}}}" if inner else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
