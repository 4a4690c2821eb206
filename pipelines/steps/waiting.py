"""Contacts in line when a plan begins, as a person states them: ``--waiting email=239``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd

from data.errors import UsageError, did_you_mean
from data.settings import Settings


def channels_forecast(forecast: pd.DataFrame) -> set[str]:
    """The channels of a forecast's series ``channel=NAME``."""
    return {
        unquote(name.removeprefix("channel="))
        for name in forecast["unique_id"].astype(str).unique()
        if name.startswith("channel=") and "/" not in name
    }


def check_waiting(waiting: Mapping[str, float], forecast: pd.DataFrame, settings: Settings) -> None:
    """UsageError for a channel that is not forecast, or in which nobody waits overnight."""
    channels = channels_forecast(forecast)
    for name, count in waiting.items():
        if name not in channels:
            raise UsageError(
                f"--waiting names channel {name!r}; the forecast has {', '.join(sorted(channels))}."
                f"{did_you_mean(name, channels)}"
            )
        level = settings.service_levels.get(name)
        if level is not None and level.kind == "real_time" and count:
            raise UsageError(
                f"--waiting {name}={count:g}: nobody waits overnight in a real-time channel; it is "
                "for backlog channels such as email"
            )


def read_waiting(texts: Sequence[str]) -> dict[str, float]:
    """Contacts in line by channel, of ``email=239`` or of a table ``channel, waiting`` (.csv or
    .parquet). UsageError for anything else.

    >>> read_waiting(["email=239", "social=4"])
    {'email': 239.0, 'social': 4.0}
    """
    contacts: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.partition("=")
        if not equals:
            contacts |= _waiting_table(Path(text))
            continue
        try:
            count = float(number)
        except ValueError:
            count = -1.0
        if not name.strip() or not 0 <= count < float("inf"):
            raise UsageError(f"--waiting {text!r} is not CHANNEL=CONTACTS, such as email=239")
        contacts[name.strip()] = count
    return contacts


def _waiting_table(path: Path) -> dict[str, float]:
    if not path.is_file():
        raise UsageError(
            f"--waiting {str(path)!r} is neither CHANNEL=CONTACTS, such as email=239, nor a file"
        )
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    if not {"channel", "waiting"} <= set(frame.columns):
        raise UsageError(
            f"--waiting {path.name}: a table with columns channel and waiting is needed; found "
            f"{', '.join(map(str, frame.columns))}"
        )
    counts = pd.to_numeric(frame["waiting"], errors="coerce")
    wrong = ~(counts >= 0) | frame["channel"].isna()
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise UsageError(
            f"--waiting {path.name} row {row + 1}: channel {frame['channel'].iloc[row]!r} has "
            f"waiting {frame['waiting'].iloc[row]!r}; a number of 0 or more is needed"
        )
    return {str(k): float(v) for k, v in counts.groupby(frame["channel"]).sum().items()}
