"""What could be known of next week: the simulated company itself, run on from every cutoff.

The best forecast there can be knows all that is hidden (who is in trouble, every customer's
tendency, every rate) and lacks only what has not happened yet. It is the median of the counts over
runs of the same company from the cutoff on, each with draws of its own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.simulate.company import Company
from data.simulate.rates import TOPICS


def ideal(
    customers: int, days: int, seed: int, places: list[int], horizon: int, runs: int
) -> pd.DataFrame:
    """``unique_id, place, step, ideal`` of the total and the topics: the steps 1..``horizon`` after
    the day at each of ``places`` (days since the company's first).
    """
    company = Company(customers, days, seed, hazard_every=0)
    parts = []
    for place in sorted(places):
        while company.day <= place:
            company.step()
        counts = np.zeros((runs, horizon, len(TOPICS)))
        for run in range(runs):
            twin = company.clone(seed=1_000_000 + run)
            for step in range(horizon):
                contacts = twin.step().offered
                counts[run, step] = np.bincount(
                    contacts.topic[~contacts.machine], minlength=len(TOPICS)
                )
        middle = np.median(counts, axis=0)
        medians = {f"topic={name}": middle[:, at] for at, name in enumerate(TOPICS)}
        medians["total"] = np.median(counts.sum(axis=2), axis=0)
        for name, values in medians.items():
            steps = np.arange(1, horizon + 1)
            frame = {"unique_id": name, "place": place, "step": steps, "ideal": values}
            parts.append(pd.DataFrame(frame))
    return pd.concat(parts, ignore_index=True)
