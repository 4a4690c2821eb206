"""``presage models DIR compare``: two versions side by side, as judged when they were trained, and
on what came of the same scores since."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from data.errors import DataError, UsageError
from models.champion import challenger, champion
from pipelines.console import Result, table
from serving.monitoring.live import FEWEST
from serving.monitoring.shadow import SHADOW, compared, night_pairs
from serving.prediction_outcomes import Night, nights


def compare(state: Path, kind: str, version: str | None, against: str | None) -> Result:
    """The figures of two versions; without ``version`` the challenger, ``against`` the champion.

    UsageError where there is none. Of risk models that scored the same nights, one of them in the
    shadow, also log loss, average precision, AUC and calibration on what came, with 95 % intervals
    of the differences over resampled customers.
    """
    from models.registry import figures

    if version is None:
        beside = challenger(state, kind)
        if beside is None:
            raise UsageError(
                f"there is no {kind} challenger to compare (`presage train --no-promote` makes "
                "one); say --version, `presage models DIR show` lists them"
            )
        version = beside.version
    if against is None:
        at_work = champion(state, kind)
        if at_work is None:
            raise UsageError(f"no {kind} model is at work to compare with; say --against")
        against = at_work.version
    one, other = figures(state, kind, version), figures(state, kind, against)
    names = sorted(name for name in set(one) | set(other) if not name.endswith(("_low", "_high")))
    rows = [[name, _with_ends(one, name), _with_ends(other, name)] for name in names]
    lines = [
        f"{kind}: version {version} beside {against}, each as judged when it was trained (by the "
        "rows that were newest then)",
        "",
        *table(["figure", f"version {version}", f"version {against}"], rows),
    ]
    data: dict[str, Any] = {"kind": kind, version: one, against: other}
    if kind == "risk":
        data["outcomes"], since = _on_outcomes(state, version, against)
        lines += ["", *since]
    return Result(data, lines)


def _on_outcomes(
    state: Path, version: str, against: str
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """By horizon the figures of two risk models on the nights that both scored; and as lines."""
    all_nights = [*nights(state, "published", datetime.min), *nights(state, SHADOW, datetime.min)]
    one, other = (_of_version(all_nights, name) for name in (against, version))
    if not one or not other:
        text = "no night was scored by both; a challenger is scored each night beside the champion"
        return {}, [f"what came since: {text}"]
    by_horizon: dict[str, dict[str, Any]] = {}
    lines: list[str] = []
    horizons = sorted({horizon for night in one for horizon in night.horizons})
    for horizon in horizons:
        _, pairs = night_pairs(one, other, horizon)
        complaints = int(pairs["outcome"].sum())
        head = f"what came within {horizon} days: "
        if complaints < FEWEST:
            lines.append(f"{head}{complaints} complaints so far, too few to judge by")
            continue
        try:
            figures = compared(pairs)
        except DataError as error:
            lines.append(f"{head}not judged: {error}")
            continue
        rate = (pairs["outcome"] * pairs["weight"]).sum() / pairs["weight"].sum()
        moments = sorted(f"{moment:%Y-%m-%d}" for moment in pairs["as_of"].unique())
        lines += [
            f"{head}{complaints} complaints of {len(pairs)} scores of {', '.join(moments)} "
            f"(base rate {rate:.4f}); version {version} less {against}, 95 % interval",
            "",
            *table(
                ["figure", f"version {version}", f"version {against}", "difference"],
                [
                    [name, str(theirs), str(own), str(by)]
                    for name, (own, theirs, by) in figures.items()
                ],
            ),
            "",
        ]
        by_horizon[f"{horizon}d"] = {
            "complaints": complaints,
            "scores": len(pairs),
            "base_rate": float(rate),
            "figures": {
                name: {
                    version: theirs._asdict(),
                    against: own._asdict(),
                    "difference": by._asdict(),
                }
                for name, (own, theirs, by) in figures.items()
            },
        }
    return by_horizon, lines


def _of_version(every: list[Night], version: str) -> list[Night]:
    """The nights of a registered version, whose models are called risk-VERSION-FINGERPRINT."""
    return [night for night in every if night.model_version.startswith(f"risk-{version}-")]


def _with_ends(figures: dict[str, float], name: str) -> str:
    """A figure with its interval where it has one."""
    if name not in figures:
        return "-"
    ends = [figures.get(f"{name}_{end}") for end in ("low", "high")]
    text = f"{figures[name]:.4g}"
    return text if None in ends else f"{text} [{ends[0]:.4g}, {ends[1]:.4g}]"
