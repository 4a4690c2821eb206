"""Fan charts of the benchmark: the busiest series of the best and the worst set, last cutoff."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from models.figures import fan_plot

BANDS = ("lo", "hi")


def save_fans(
    ratios: dict[str, float],
    forecasts: dict[str, pd.DataFrame],
    history: dict[str, pd.DataFrame],
    folder: Path,
) -> None:
    """``volume-best.png`` and ``volume-worst.png``: by the WAPE ratio to the best peer."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {"best": min(ratios, key=lambda name: ratios[name])}
    chosen["worst"] = max(ratios, key=lambda name: ratios[name])
    for which, name in chosen.items():
        frame = forecasts[name]
        busiest = frame.groupby("unique_id")["y"].sum().idxmax()
        cutoff = frame["cutoff"].max()
        ahead = frame[(frame["unique_id"] == busiest) & (frame["cutoff"] == cutoff)]
        ahead = ahead.rename(columns={c: f"presage-{c}" for c in frame.columns if c[:2] in BANDS})
        past = history[name]
        past = past[(past["unique_id"] == busiest) & (past["ds"] <= cutoff)].sort_values("ds")
        title = f"{name}, {busiest}: {ratios[name]:.2f} of the best peer's error"
        figure = fan_plot(past.tail(2 * len(ahead)), ahead.sort_values("ds"), title=title)
        figure.savefig(folder / f"volume-{which}.png", dpi=80)
