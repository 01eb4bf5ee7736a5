"""Sets of row numbers agree with numpy's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from imi.row_sets import among, distinct

ROWS = arrays.arrays(np.int64, st.integers(0, 12), elements=st.integers(-3, 9) | st.integers(-(2**63), 2**63 - 1))


@given(ROWS, ROWS)
def test_they_agree_with_numpy(rows, others):
    assert np.array_equal(distinct(rows), np.unique(rows))
    assert np.array_equal(among(rows, others), np.isin(rows, others))
