"""What the tests of the tasks share: vectors with known groups, seeded."""

import numpy as np
import pytest

from imi.vectors import normalize


@pytest.fixture(scope="session")
def groups():
    """Return 300 unit rows of width 32 in three groups of 150, 100 and 50, and their labels."""
    rng = np.random.default_rng(7)
    labels = np.repeat([0, 1, 2], [150, 100, 50])
    centres = normalize(rng.normal(size=(3, 32)))
    return normalize(centres[labels] + 0.12 * rng.normal(size=(300, 32))), labels
