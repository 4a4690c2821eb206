"""What deciding costs: a million customers, every rule, every action and channel.

    .venv/bin/python -m benchmarks.outreach_cost [--customers 1000000]

Made-up customers with consent, time zones and past contacts, effects measured for most actions;
once with only the day's capacity to keep to, once with a capacity for each channel and few agents'
hours, where the best set is a program to solve. Prints wall and CPU seconds and the peak memory of
the process (bars: 60 s, 4 GB). Making the customers is not counted; reading tables is no part.
"""

from __future__ import annotations

import argparse
import resource
import time
from datetime import datetime

import numpy as np
import pandas as pd

from benchmarks.running import show
from data.settings import Outreach
from serving.outreach.actions import ACTIONS, CHANNELS
from serving.outreach.policy import Effects, plan

AS_OF = datetime(2026, 3, 2)
ZONES = ["Europe/Oslo", "America/New_York", "Asia/Kolkata", "America/Lima", None]
POLICIES = {
    "10,000 a day": (Outreach(capacity_per_day=10_000), None),
    "10,000, e-mail 4,000, SMS 2,000, 100 agent hours": (
        Outreach(capacity_per_day=10_000, email_per_day=4_000, sms_per_day=2_000),
        100.0,
    ),
}


def customers(count: int) -> tuple[pd.DataFrame, Effects]:
    """Candidates, and effects that differ by customer and action; two actions never measured."""
    rng = np.random.default_rng(0)
    risk = rng.beta(1, 12, count)
    consent = {
        f"{name}_consent": pd.array(rng.random(count) < 0.7, dtype="boolean") for name in CHANNELS
    }
    frame = pd.DataFrame(
        {
            "customer_id": np.char.add("c", np.arange(count).astype(str)),
            "risk": risk,
            "topic": rng.choice(
                ["late delivery", "billing", "app error", "defect", "other"], count
            ),
            "avoided_cost": rng.gamma(2, 15, count),
            "contact_cost": rng.gamma(2, 3, count),
            **consent,
            "do_not_contact": pd.array(rng.random(count) < 0.02, dtype="boolean"),
            "preferred_channel": pd.Series(rng.choice(["email", "phone", "chat"], count)),
            "last_contacted_at": pd.Series(
                np.where(
                    rng.random(count) < 0.1, np.datetime64("2026-02-25", "us"), np.datetime64("NaT")
                )
            ).astype("datetime64[us]"),
            "contacts_90d": rng.poisson(0.3, count).astype(np.float64),
            "has_open_complaint": rng.random(count) < 0.02,
            "time_zone": pd.Series(rng.choice(np.array(ZONES, dtype=object), count)),
            "vulnerable": pd.array(rng.random(count) < 0.01, dtype="boolean"),
        }
    )
    uplift = risk[:, None] * rng.normal(0.15, 0.3, (count, len(ACTIONS)))
    uplift[:, -2:] = np.nan
    return frame, Effects(uplift, uplift - 0.05, uplift + 0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    options = parser.parse_args()
    frame, effects = customers(options.customers)
    lines = []
    for name, (policy, hours) in POLICIES.items():
        wall, cpu = time.perf_counter(), time.process_time()
        got = plan(frame, policy, salt=b"salt", as_of=AS_OF, effects=effects, agent_hours=hours,
                   agent_hour_cost=30.0)  # fmt: skip
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        arms = got["arm"].value_counts()
        selected = arms.get("treat", 0) + arms.get("holdout", 0)
        figures = [f"{wall:.0f}", f"{cpu:.0f}", f"{peak:.1f}"]
        lines.append([name, f"{len(frame):,}", f"{selected:,}", *figures])
    show(["a day has", "customers", "selected", "seconds", "CPU seconds", "peak GiB"], lines)


if __name__ == "__main__":
    main()
