"""Hard limits in tokens and money."""

import threading

import pytest

from imi.errors import UsageError
from imi.llm.budget import Budget, price_of


def test_a_reservation_is_corrected_by_what_was_used():
    budget = Budget(tokens=100)
    budget.reserve(90)
    budget.settle(90, 10)
    budget.reserve(90)
    assert budget.spent.tokens == 100
    with pytest.raises(UsageError, match="101 tokens, the budget is 100 tokens"):
        budget.reserve(1)
    budget.settle(90, None)
    assert budget.spent.tokens == 100


def test_money_is_tokens_times_price():
    budget = Budget(money=0.01, price=0.10)
    budget.reserve(100_000)
    assert budget.spent.money == pytest.approx(0.01)
    with pytest.raises(UsageError, match="budget"):
        budget.reserve(1)


def test_money_without_a_price_is_refused():
    with pytest.raises(UsageError, match="IMI_PRICE"):
        Budget(money=1.0)


def test_the_environment_says_limits_and_price(monkeypatch):
    assert Budget.from_environment("m").tokens is None
    monkeypatch.setenv("IMI_BUDGET", "2")
    monkeypatch.setenv("IMI_BUDGET_TOKENS", "1000")
    assert Budget.from_environment("text-embedding-3-small").money == 2
    monkeypatch.setenv("IMI_PRICE", "7")
    assert price_of("text-embedding-3-small") == 7
    monkeypatch.setenv("IMI_BUDGET", "much")
    with pytest.raises(UsageError, match="IMI_BUDGET is 'much'"):
        Budget.from_environment("m")


def test_threads_never_go_beyond_the_limit_together():
    budget, refused = Budget(tokens=1000), []

    def spend():
        for _ in range(50):
            try:
                budget.reserve(7)
            except UsageError:
                refused.append(1)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.spent.tokens == 994
    assert len(refused) == 400 - 142
