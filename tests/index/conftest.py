import numpy as np
import pytest


@pytest.fixture(scope="session")
def nested():
    """Vectors whose first numbers carry the most, in groups, with queries near them: (3000, 128) and (60, 128)."""
    random = np.random.default_rng(0)
    spectrum = np.geomspace(2, 0.1, 128)
    centres = random.standard_normal((60, 128)) * spectrum
    rows = centres[random.integers(0, 60, 3000)] + 0.6 * spectrum * random.standard_normal((3000, 128))
    queries = rows[:60] + 0.3 * spectrum * random.standard_normal((60, 128))
    return rows.astype(np.float32), queries.astype(np.float32)


def recall(found, true):
    """Mean share of the true rows that were found; -1 stands for none."""
    wanted = [set(row) - {-1} for row in true.tolist()]
    return float(np.mean([len(set(a) & b) / len(b) for a, b in zip(found.tolist(), wanted, strict=True)]))
