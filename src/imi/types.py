"""Types of arrays that many modules share."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
"""Vectors or scores."""
Rows: TypeAlias = NDArray[np.int64]
"""Row numbers."""
