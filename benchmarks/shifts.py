"""Rosters of 100 agents over a week: time, cost, gap to the bound, missing hours.

    .venv/bin/python -m benchmarks.shifts [--gap 0.03] [--limit 600] [--loads 1.0 1.3]

Three channels by the half hour, 33 sets of rules (skills, days off, wishes); at `load` 1.3 there
are too few agents. The search ends within `gap` of the bound, or by the clock at `limit` seconds:
beside other programs CPU seconds say how long it takes. `first`: each agent in turn takes the week
that is best beside the others.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from data.settings import DAYS, Company, Settings, Shifts
from serving.shifts.roster import roster

ZONE = "Europe/Oslo"


def company(
    seed: int = 1, minutes: int = 30, size: int = 100, load: float = 1.0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A plan and its agents."""
    rng = np.random.default_rng(seed)
    channels = ("phone", "chat", "email")
    begin = pd.Timestamp("2026-03-01T23:00")
    starts = pd.date_range(begin, periods=7 * 24 * 60 // minutes, freq=f"{minutes}min", unit="us")
    local = starts + pd.Timedelta(hours=1)
    hour = local.hour + local.minute / 60
    shape = np.clip(
        np.exp(-(((hour - 10.5) / 2.6) ** 2)) + 0.75 * np.exp(-(((hour - 15.5) / 3) ** 2)), 0, None
    )
    weekend = np.where(local.day_of_week > 4, 0.45, 1.0)
    rows = []
    for channel, peak in zip(channels, (26, 12, 8), strict=True):
        opened = (hour >= 7) & (hour < 22)
        noise = rng.normal(1, 0.06, len(starts))
        people = np.rint(load * peak * size / 100 * shape * weekend * noise) * opened
        people = np.where(opened, np.maximum(people, 1), 0)
        rows.append(
            pd.DataFrame(
                {
                    "channel": channel,
                    "starts_at": starts,
                    "ends_at": starts + pd.Timedelta(minutes=minutes),
                    "agents_net": people.astype(int),
                    "open_seconds": np.where(opened, minutes * 60.0, 0.0),
                }
            )
        )
    frame = pd.concat(rows, ignore_index=True)
    able = [
        ["phone"],
        ["phone", "chat"],
        ["phone", "chat", "email"],
        ["chat", "email"],
        ["phone", "email"],
    ]
    agents = []
    for i in range(size):
        away = []
        if rng.random() < 0.2:
            away.append(str(rng.choice(DAYS)))
        wishes = [f"{rng.choice(DAYS)} 15:00-24:00"] if rng.random() < 0.3 else []
        agents.append(
            {
                "agent_id": f"a{i:03d}",
                "skills": able[i % 5],
                "hours_per_week": [37.5, 37.5, 30.0, 22.5][i % 4],
                "hourly_cost": round(float(24 + 10 * rng.random()), 2),
                "unavailable": away,
                "wishes_off": wishes,
            }
        )
    return frame, pd.DataFrame(agents)


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--gap", type=float, default=Shifts().gap)
    asked.add_argument("--limit", type=float, default=Shifts().time_limit_seconds)
    asked.add_argument("--loads", type=float, nargs="+", default=[1.0, 1.3])
    words = asked.parse_args()
    rules = Shifts(gap=words.gap, time_limit_seconds=words.limit)
    known = Settings(company=Company(time_zone=ZONE), shifts=rules)
    print("load seconds cpu_seconds cost bound gap missing_hours first_roster")
    for load in words.loads:
        frame, agents = company(load=load)
        said: list[str] = []
        clock, cpu = time.perf_counter(), time.process_time()
        made = roster(frame, agents, known, report=said.append)
        (week,) = made.weeks
        short = -made.people.loc[made.people["gap"] < 0, "gap"].sum() / 2
        first = said[0].rpartition(" ")[2]
        print(
            f"{load:.1f} {time.perf_counter() - clock:.0f} {time.process_time() - cpu:.0f} "
            f"{week.cost:,.0f} {week.bound:,.0f} {week.gap:.2%} {short:.1f} {first}",
            flush=True,
        )


if __name__ == "__main__":
    main()
