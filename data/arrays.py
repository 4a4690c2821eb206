"""Names of arrays by what they hold; shapes and units are said where one is taken or given."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Times = npt.NDArray[np.datetime64]
Values = npt.NDArray[np.generic]
"""Of any one kind: numbers, times, flags or texts."""
Anything = npt.NDArray[Any]
