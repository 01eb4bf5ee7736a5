"""What may be spent: a hard limit in tokens and in money, checked before a request is sent."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from imi.errors import UsageError

PRICES: dict[str, float] = {
    "text-embedding-3-small": 0.02,
    "text-embedding-3-large": 0.13,
    "text-embedding-ada-002": 0.10,
}
"""US dollars a million input tokens, as the vendor listed them in 2025; IMI_PRICE says another one."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used so far: tokens, requests and, where the price is known, US dollars."""

    tokens: int
    requests: int
    money: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the fields as JSON values."""
        return {"tokens": self.tokens, "requests": self.requests, "money": self.money}


def price_of(model: str) -> float | None:
    """Return US dollars a million tokens: IMI_PRICE, else the table's, else None.

    Raises:
        UsageError: IMI_PRICE is not a number.
    """
    return _number("IMI_PRICE") if os.environ.get("IMI_PRICE") else PRICES.get(model)


def _number(name: str) -> float | None:
    text = os.environ.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UsageError(f"{name} is {text!r}, allowed is a number, 0 or more", hint=f"{name}=0.5")
    return value


class Budget:
    """Counts tokens and money over threads and refuses the request that would go beyond the limit.

    A request reserves what it is estimated to use; its reply corrects that to what the server counted.
    """

    def __init__(self, tokens: float | None = None, money: float | None = None, price: float | None = None) -> None:
        """Set up.

        Args:
            tokens: how many may be used; None for no limit.
            money: US dollars that may be spent; None for no limit.
            price: US dollars a million tokens.

        Raises:
            UsageError: money is limited, and the price is not known.
        """
        if money is not None and price is None:
            raise UsageError(
                f"the budget is {money} US dollars, but the price of this model is not known",
                hint="set IMI_PRICE to US dollars a million tokens, or limit IMI_BUDGET_TOKENS",
            )
        self.tokens, self.money, self.price = tokens, money, price
        self._used = 0
        self._requests = 0
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls, model: str) -> Budget:
        """Return the budget of IMI_BUDGET (US dollars) and IMI_BUDGET_TOKENS, without a limit where they are unset."""
        return cls(_number("IMI_BUDGET_TOKENS"), _number("IMI_BUDGET"), price_of(model))

    @property
    def spent(self) -> Spent:
        """What was used so far."""
        with self._lock:
            return Spent(self._used, self._requests, None if self.price is None else self._used * self.price / 1e6)

    def reserve(self, estimate: int) -> None:
        """Set tokens aside for a request.

        Raises:
            UsageError: the request would go beyond the budget; nothing is set aside.
        """
        with self._lock:
            after = self._used + estimate
            if self.tokens is not None and after > self.tokens:
                raise _beyond(f"{after:,} tokens", f"{self.tokens:,.0f} tokens", self._used)
            if self.money is not None and self.price is not None and after * self.price / 1e6 > self.money:
                raise _beyond(f"${after * self.price / 1e6:.6f}", f"${self.money}", self._used)
            self._used = after
            self._requests += 1

    def settle(self, estimate: int, used: int | None) -> None:
        """Replace a reservation by what was used; None where the server did not say, 0 where nothing was."""
        if used is not None:
            with self._lock:
                self._used += used - estimate


def _beyond(after: str, limit: str, used: int) -> UsageError:
    return UsageError(
        f"the next request would bring this run to {after}, the budget is {limit}; {used:,} tokens were used",
        hint="what was done is kept; raise IMI_BUDGET (US dollars) or IMI_BUDGET_TOKENS and run the same command again",
    )
