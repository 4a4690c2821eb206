"""Rows of one customer are one line of evidence: means and errors that take them together."""

from __future__ import annotations

import numpy as np

from data.arrays import Floats, Ints


def distinct(customers: Ints) -> int:
    """How many customers; codes are whole numbers from 0 on, gaps allowed."""
    return int((np.bincount(customers) > 0).sum())


def clustered_mean(values: Floats, customers: Ints) -> tuple[float, float]:
    """A mean and its standard error, rows of a customer (a code from 0 on) taken together."""
    mean = float(values.mean())
    sums = np.bincount(customers, weights=values - mean)
    count = distinct(customers)
    if count < 2:
        return mean, float("inf")
    return mean, float(np.sqrt(np.sum(sums**2) * count / (count - 1)) / len(values))
