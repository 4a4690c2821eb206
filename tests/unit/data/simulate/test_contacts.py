"""A day's contacts of a customer have an end, and each a key of its own."""

from __future__ import annotations

import numpy as np

from data.simulate.contacts import MOST_A_DAY, _spread


def test_a_customer_who_would_never_stop_has_as_many_contacts_as_keys() -> None:
    counts = np.array([0, 3, 15_000, 1, MOST_A_DAY])
    who, key = _spread(counts, np.arange(len(counts)), 0)
    assert np.bincount(who).tolist() == [0, 3, MOST_A_DAY, 1, MOST_A_DAY]
    assert len(np.unique(key)) == len(key)


def test_kinds_of_contacts_have_keys_apart() -> None:
    counts = np.array([40, 2])
    _, complaints = _spread(counts, np.arange(2), 0)
    _, questions = _spread(counts, np.arange(2), 16)
    assert not set(complaints) & set(questions)
