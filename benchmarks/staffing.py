"""How well a plan's confidence agrees with a queue played contact by contact.

    .venv/bin/python -m benchmarks.staffing

For four sizes of company: two weeks planned, played 40 times; `planned` is the plan's mean
confidence of a day, `kept` the share of played days that keep the promise, `kept, 7 % fewer` the
same with every seventh of a hundred agents taken away (never the last of an interval).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.settings import DAYS, DEFAULT_SERVICE_LEVELS, Company, ServiceLevel, Settings
from serving.staffing import check_plan, plan

HOURS = dict.fromkeys(DAYS[:5], "08:00-18:00")
PROFILE = [0, 0, 0, 0, 0, 0, 1, 3, 9, 11, 12, 11, 9, 10, 9, 8, 7, 6, 4, 3, 2, 1, 1, 0]
DAILY = {"phone": 200.0, "chat": 50.0, "email": 100.0, "social": 30.0}
SETTINGS = Settings(
    company=Company(time_zone="Europe/Oslo"),
    opening_hours=dict.fromkeys(DAILY, HOURS),
    service_levels={
        **DEFAULT_SERVICE_LEVELS,
        "email": ServiceLevel(target_seconds=4 * 3600, limit_seconds=8 * 3600),
    },
)


def forecast(scale: float, days: int = 14, spread: float = 0.2) -> pd.DataFrame:
    """Hourly contacts of a usual day, half of them at weekends; intervals beyond Poisson."""
    ds = pd.date_range("2026-03-02", periods=24 * days, freq="h", unit="us")
    shape = np.tile(np.array(PROFILE) / sum(PROFILE), days) * np.where(ds.day_of_week > 4, 0.5, 1)
    parts = []
    for channel, daily in DAILY.items():
        mean = shape * daily * scale
        half = 1.2816 * np.sqrt(mean + (spread * mean) ** 2)
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": f"channel={channel}",
                    "ds": ds,
                    "presage": mean,
                    "presage-lo-80": np.maximum(mean - half, 0),
                    "presage-hi-80": mean + half,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    print("size channel share_promised share_played planned kept kept_7%_fewer agent_hours")
    for scale in (0.3, 1.0, 4.0, 16.0):
        made = plan(forecast(scale), settings=SETTINGS)
        fewer = np.floor(made["agents_net"] * 0.93 + rng.random(len(made))).astype(int)
        thin = made.assign(agents_net=np.maximum(fewer, (made["agents_net"] > 0).astype(int)))
        played = check_plan(made, settings=SETTINGS).set_index("channel")
        worse = check_plan(thin, settings=SETTINGS).set_index("channel")
        told = made.groupby("channel")["confidence"].mean()
        for channel, row in played.iterrows():
            print(
                f"{scale:4} {channel:7} {row['share']:.2f} {row['service_level']:.3f} "
                f"{told[channel]:.2f} {row['days_reached']:.2f} "
                f"{worse.loc[channel, 'days_reached']:.2f} {row['agent_hours']:.0f}"
            )


if __name__ == "__main__":
    main()
