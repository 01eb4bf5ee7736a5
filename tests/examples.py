"""How many examples a property is tried with: the same ones in every run, many random ones by night."""

from hypothesis import settings


def examples(number: int) -> int:
    """Return a test's own number, times what the profile asks for more than Hypothesis's usual hundred.

    `make test` draws half of them, the same every time; `make nightly` draws others each time, twenty times as many.
    What fails there is pinned by `@example` in the test that it failed.
    """
    return number * settings.default.max_examples // 100
