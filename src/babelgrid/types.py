"""Types shared by several modules."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Row = dict[str, Any]
"""One row of a table: column -> value."""
Cell = tuple[str, int, str]
"""Mixture, seed, test language."""
