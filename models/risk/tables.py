"""A score that is looked up: one number per recency and frequency of complaints.

``base + (of_recency - base) + (cell - of_recency)``: the two differences are what days since the
last complaint, and the number of complaints, contribute.

>>> import numpy as np
>>> table = RuleTable.of(-3.0, np.full(9, -2.0), np.full((9, 7), -1.5))
>>> row = np.array([[2.0, 1.0]], dtype=np.float32)
>>> table.intercept, table.contributions(row).tolist(), table.score(row).tolist()
(-3.0, [[1.0, 0.5]], [-1.5])
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.arrays import Floats
from models.risk.baselines import cells
from models.risk.encode import Matrix


@dataclass(frozen=True)
class RuleTable:
    """Scores by recency and frequency, of a matrix whose two columns these are."""

    intercept: float
    of_recency: Floats
    cells: Floats

    @classmethod
    def of(cls, base: float, of_recency: Floats, by_cell: Floats) -> RuleTable:
        return cls(float(base), np.asarray(of_recency), np.asarray(by_cell))

    def score(self, matrix: Matrix) -> Floats:
        """The score per row."""
        return self.cells[cells(matrix[:, 0], matrix[:, 1])]

    def contributions(self, matrix: Matrix) -> Floats:
        """Rows × (recency, frequency); with ``intercept`` they add up to the score."""
        at = cells(matrix[:, 0], matrix[:, 1])
        recency = self.of_recency[at[0]]
        return np.column_stack([recency - self.intercept, self.cells[at] - recency])

    def to_json(self) -> dict[str, Any]:
        return {
            "intercept": self.intercept,
            "of_recency": self.of_recency.tolist(),
            "cells": self.cells.tolist(),
        }


def table_from_json(document: Mapping[str, Any]) -> RuleTable:
    return RuleTable.of(
        document["intercept"], np.array(document["of_recency"]), np.array(document["cells"])
    )
