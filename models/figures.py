"""Plots of an evaluation, as matplotlib figures without pyplot: no global state, no display.

Labels ``y`` (0 to 1) and predictions, each (rows,); DataError as the metrics raise it.

>>> figure = reliability_plot([0, 1, 0, 1] * 50, [0.2, 0.7, 0.3, 0.8] * 50, title="risk, 7 days")
>>> figure.axes[0].get_xlabel()
'predicted probability'
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import DataError
from models.metrics import base_rate, reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, ACCENT, GREY = "#1f2933", "#0b6e99", "#9aa5b1"


def reliability_plot(
    y: npt.ArrayLike, p: npt.ArrayLike, *, bins: int = 10, title: str = ""
) -> Figure:
    """Observed against predicted rate in bins of equal mass, with 95 % intervals; log-log axes."""
    table = reliability(y, p, bins)
    figure, axes = _canvas(title, "predicted probability", "observed rate")
    # below the smallest rate that any bin could show, a log axis has nothing to tell
    floor = max(min(float(table["predicted"].min()), float(base_rate(y))) / 4, 1e-5)
    observed = np.maximum(table["observed"].to_numpy(), floor)
    low, high = np.maximum(table["low"].to_numpy(), floor), table["high"].to_numpy()
    axes.errorbar(
        np.maximum(table["predicted"].to_numpy(), floor),
        observed,
        yerr=[observed - low, np.maximum(high - observed, 0)],
        fmt="o",
        color=ACCENT,
        ecolor=GREY,
        label="bins of equal mass, 95 % interval",
    )
    axes.plot([floor, 1], [floor, 1], color=INK, linewidth=0.8, label="perfect")
    axes.set(xscale="log", yscale="log", xlim=(floor, 1), ylim=(floor, 1))
    axes.legend(frameon=False)
    return figure


def precision_recall_plot(
    y: npt.ArrayLike, predictions: Mapping[str, npt.ArrayLike], *, title: str = ""
) -> Figure:
    """Precision against recall of several models on the same rows, with the base rate."""
    actual = np.asarray(y, dtype=np.float64)
    figure, axes = _canvas(title, "recall: share of complaints found", "precision")
    for name, p in predictions.items():
        hits, calls = _ranked(actual, p)
        axes.plot(hits / hits[-1], hits / calls, label=name, linewidth=1.4)
    axes.axhline(base_rate(actual), color=GREY, linestyle=":", label="base rate")
    axes.set(xlim=(0, 1), ylim=(0, None))
    axes.legend(frameon=False)
    return figure


def gains_plot(
    y: npt.ArrayLike, predictions: Mapping[str, npt.ArrayLike], *, title: str = ""
) -> Figure:
    """Share of complaints found against share of customers called, riskiest first."""
    actual = np.asarray(y, dtype=np.float64)
    figure, axes = _canvas(title, "share of customers, riskiest first", "share of complaints found")
    for name, p in predictions.items():
        hits, calls = _ranked(actual, p)
        shares = np.concatenate([[0.0], calls / calls[-1]])
        axes.plot(shares, np.concatenate([[0.0], hits / hits[-1]]), label=name, linewidth=1.4)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="at random")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False)
    return figure


def decay_plot(table: pd.DataFrame, *, base_rate: float, title: str = "") -> Figure:
    """Average precision by the weeks that a model is old, with its interval and the base rate.

    ``table``: weeks_old, average_precision, average_precision_low and _high (NaN: not known).
    """
    figure, axes = _canvas(title, "weeks since the model learned", "average precision")
    value = table["average_precision"].to_numpy(np.float64)
    low = table["average_precision_low"].fillna(table["average_precision"]).to_numpy(np.float64)
    high = table["average_precision_high"].fillna(table["average_precision"]).to_numpy(np.float64)
    # a percentile interval of few complaints may leave its own estimate out
    ends = [np.maximum(value - low, 0), np.maximum(high - value, 0)]
    axes.errorbar(
        table["weeks_old"], value, yerr=ends, fmt="o-", color=ACCENT, ecolor=GREY,
        label="95 % interval",
    )  # fmt: skip
    axes.axhline(base_rate, color=GREY, linestyle=":", label="base rate")
    axes.set_ylim(0, None)
    axes.legend(frameon=False)
    return figure


def importance_plot(importance: Mapping[str, float], *, top: int = 20, title: str = "") -> Figure:
    """The ``top`` largest values by name, as bars (mean absolute contribution, say)."""
    if not importance:
        raise DataError("importance_plot: there are no features to plot")
    largest = sorted(importance.items(), key=lambda pair: pair[1])[-top:]
    figure, axes = _canvas(title, "importance", "", names=True)
    axes.barh([name for name, _ in largest], [value for _, value in largest], color=ACCENT)
    axes.tick_params(axis="y", labelsize=7)
    return figure


def fan_plot(
    history: pd.DataFrame,
    forecast: pd.DataFrame,
    *,
    levels: tuple[int, ...] = (80, 95),
    title: str = "",
) -> Figure:
    """One series: actuals (ds, y), mean, and the intervals of each level as bands.

    ``forecast`` has ds, presage, presage-lo-80, ...; its own y, if there, is drawn as actuals too.
    """
    figure, axes = _canvas(title, "", "contacts")
    axes.plot(history["ds"], history["y"], color=INK, linewidth=0.9, label="actual")
    if "y" in forecast:
        axes.plot(forecast["ds"], forecast["y"], color=INK, linewidth=0.9, linestyle="--")
    for level in sorted(levels, reverse=True):
        axes.fill_between(
            forecast["ds"],
            forecast[f"presage-lo-{level}"],
            forecast[f"presage-hi-{level}"],
            color=ACCENT,
            alpha=0.22,
            linewidth=0,
            label=f"{level} %",
        )
    axes.plot(forecast["ds"], forecast["presage"], color=ACCENT, linewidth=1.4, label="forecast")
    axes.set_ylim(0, None)
    axes.legend(frameon=False)
    figure.autofmt_xdate()
    return figure


def series_plot(
    frame: pd.DataFrame, *, title: str = "", y: str = "", steps: bool = False
) -> Figure:
    """A line for each column over the frame's index (times, say); ``steps``: as steps, for what
    holds through an interval."""
    if frame.empty:
        raise DataError("series_plot: there are no rows to plot")
    figure, axes = _canvas(title, "", y)
    style = "steps-post" if steps else "default"
    for name in frame.columns:
        axes.plot(frame.index, frame[name], label=str(name), linewidth=1.2, drawstyle=style)
    axes.set_ylim(min(0.0, float(frame.min().min())), None)
    axes.legend(frameon=False, fontsize=8)
    figure.autofmt_xdate()
    return figure


def effects_plot(
    effects: Mapping[str, tuple[float, float, float]], *, title: str = "", x: str = "effect"
) -> Figure:
    """Effects by name with their intervals (estimate, low, high), beside 0: nothing changed."""
    if not effects:
        raise DataError("effects_plot: there are no effects to plot")
    figure, axes = _canvas(title, x, "", names=True)
    places = np.arange(len(effects))
    estimate, low, high = np.array(list(effects.values()), dtype=np.float64).T
    axes.errorbar(
        estimate, places, xerr=[estimate - low, high - estimate], fmt="o", color=ACCENT, ecolor=GREY
    )
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.set_yticks(places, list(effects), fontsize=8)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG file's bytes, the same for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _canvas(title: str, x: str, y: str, *, names: bool = False) -> tuple[Figure, Axes]:
    """``names``: they stand beside the y axis, and the figure is laid out around them. That draws
    it twice and measures every text; numbers fit into margins that are always the same."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained" if names else None)
    if not names:
        figure.subplots_adjust(left=0.15, right=0.97, bottom=0.12, top=0.92)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _ranked(y: npt.NDArray[np.float64], p: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], ...]:
    """Complaints found and customers called at each of at most 500 depths, riskiest first."""
    scores = np.asarray(p, dtype=np.float64)
    if scores.shape != y.shape or not y.sum() > 0:
        raise DataError(
            f"{y.size} labels of which {y.sum():g} are complaints and {scores.size} predictions: "
            "a curve needs one prediction per label and at least one complaint"
        )
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    ends = ends[np.unique(np.linspace(0, len(ends) - 1, 500).astype(np.int64))]
    return np.cumsum(y[order])[ends], (ends + 1).astype(np.float64)
