"""Rate limits: a bucket of requests for each caller, refilled at a steady pace."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from imi.server.http.responses import ApiError

_CALLERS = 10_000


class Limiter:
    """Counts requests by caller; remembers the last ten thousand callers, so that many addresses do not fill memory."""

    def __init__(self, per_minute: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Set up.

        Args:
            per_minute: requests allowed in a minute, also the most at once; None for no limit.
            clock: seconds.
        """
        self.per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> dict[str, str]:
        """Take one request out of the caller's bucket and return OpenAI's headers that say what is left.

        Raises:
            ApiError: 429 with `Retry-After` when the bucket is empty.
        """
        if self.per_minute is None:
            return {}
        pace = self.per_minute / 60.0
        now = self._clock()
        left, then = self._buckets.pop(caller, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - then) * pace)
        allowed = left >= 1.0
        self._buckets[caller] = (left - 1.0 if allowed else left, now)
        if len(self._buckets) > _CALLERS:
            self._buckets.popitem(last=False)
        headers = {
            "x-ratelimit-limit-requests": str(self.per_minute),
            "x-ratelimit-remaining-requests": str(max(0, int(left - 1.0))),
            "x-ratelimit-reset-requests": f"{(self.per_minute - max(0.0, left - 1.0)) / pace:.3f}s",
        }
        if not allowed:
            wait = max(1, math.ceil((1.0 - left) / pace))
            raise ApiError(
                429,
                f"Rate limit reached: {self.per_minute} requests per minute. Please try again in {wait}s.",
                type="requests",
                code="rate_limit_exceeded",
                headers=headers | {"retry-after": str(wait)},
            )
        return headers
