"""The classical family: autoregression; exponential smoothing, Theta, ARIMA from statsmodels.

Each sees one series at a time with its closed slots taken out (a shop without Sundays has a
season of six), gaps and special days filled by what was expected, on the square-root scale, where
a count's noise is the same at every size. A member that cannot be fitted answers NaN, and the
judge gates it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from data.arrays import Bools, Floats, Ints
from models.volume.prepare import Problem

LEAST_COUNTS = 10
MOST_SERIES_WHOLE = 40
LONGEST_ARIMA_SEASON = 12
RIDGE_SLOT = 0.1
RIDGE_LAG = 2.0


@dataclass(frozen=True)
class Line:
    """One series without its closed slots: values, season (1 = none), where the future lands."""

    values: Floats
    season: int
    steps: int


Member = Callable[[Line], Floats]


def lines_of(problem: Problem, filled: Floats) -> list[tuple[Line, np.ndarray]]:
    """Each series as a ``Line``, with the future columns that are open to it."""
    out: list[tuple[Line, np.ndarray]] = []
    for row in range(len(problem.ids)):
        is_open = problem.open[row]
        past = is_open[problem.slot] & ~extra_weeks(problem, problem.slot)
        has_count = ~np.isnan(problem.y[row])
        if has_count.any():
            past = past & (np.arange(len(has_count)) >= has_count.argmax())
        values = filled[row, past]
        season = int(is_open.sum()) if problem.slots <= 7 else problem.slots
        if len(values) < 2 * season + 2:
            season = 1
        ahead = is_open[problem.future_slot] & ~extra_weeks(problem, problem.future_slot)
        out.append((Line(values, season, int(ahead.sum())), ahead))
    return out


def extra_weeks(problem: Problem, slot: Ints) -> Bools:
    """The 53rd weeks of a year: left out of a season of 52, and like the week before."""
    extra = np.zeros(len(slot), dtype=bool)
    if problem.unit == "week":
        extra[1:] = slot[1:] == slot[:-1]
        if len(slot) and slot is problem.future_slot and len(problem.slot):
            extra[0] = slot[0] == problem.slot[-1]
    return extra


def ets(line: Line) -> Floats:
    """Additive exponential smoothing without trend (statsmodels ``ExponentialSmoothing``).

    Fitted from its heuristic start: a search of a grid for another one takes five times as long,
    and forecasts are as far off after it.
    """
    return _smoothed(line)


def ets_trend(line: Line) -> Floats:
    """The same with a damped trend."""
    return _smoothed(line, trend="add", damped_trend=True)


def _smoothed(line: Line, **trend: object) -> Floats:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    model = ExponentialSmoothing(
        line.values,
        seasonal="add" if line.season > 1 else None,
        seasonal_periods=line.season if line.season > 1 else None,
        initialization_method="heuristic"
        if len(line.values) >= 10 + 2 * (line.season // 2)
        else "estimated",
        **trend,
    )
    return np.asarray(model.fit(use_brute=False).forecast(line.steps))


def theta(line: Line) -> Floats:
    """Theta with additive seasonality (statsmodels ``ThetaModel``)."""
    from statsmodels.tsa.forecasting.theta import ThetaModel

    model = ThetaModel(
        line.values,
        period=max(line.season, 1),
        deseasonalize=line.season > 1,
        use_test=False,
        method="additive",
    )
    return np.asarray(model.fit().forecast(line.steps))


def autoregression(line: Line) -> Floats:
    """Lags 1 and 2 and one and two seasons, with a mean per slot of the season."""
    season = line.season
    return _least_squares(line, {1, 2, season, 2 * season} if season > 1 else {1, 2})


def autoregression_long(line: Line) -> Floats:
    """Lag 1 and up to four seasons, with a mean per slot: what comes back after weeks."""
    season = line.season
    return _least_squares(line, {1, season, 2 * season, 3 * season, 4 * season})


def _least_squares(line: Line, lags: set[int]) -> Floats:
    """Autoregression by ridge least squares, forecast step by step.

    y_t = mean of slot + sum of coefficient_l * (y_{t-l} - overall mean); a ridge of one residual
    variance's worth pulls the coefficients of long lags to 0 where history is short.
    """
    season = line.season
    if len(line.values) < 3 * max(lags) + season + 4:
        lags = {1}
    used = np.array(sorted(lags))
    centre = float(line.values.mean())
    values = line.values - centre
    start = int(used.max())
    rows = np.arange(start, len(values))
    slots = np.zeros((len(rows), season))
    slots[np.arange(len(rows)), rows % season] = 1.0
    design = np.hstack([slots, values[rows[:, None] - used[None, :]]])
    penalty = np.concatenate([np.full(season, RIDGE_SLOT), np.full(len(used), RIDGE_LAG)])
    penalty[season:] *= max(float(values.var()), 1e-12)
    gram = design.T @ design + np.diag(penalty)
    coefficient = np.linalg.solve(gram, design.T @ values[rows])
    path = np.concatenate([values, np.zeros(line.steps)])
    for step in range(len(values), len(path)):
        lagged = path[step - used] @ coefficient[season:]
        path[step] = coefficient[step % season] + lagged
    return path[len(values) :] + centre


def arima(line: Line) -> Floats:
    """(1,1,1), or (1,0,1)(0,1,1) of a season of at most a year of months (``SARIMAX``)."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    seasonal = 1 < line.season <= LONGEST_ARIMA_SEASON
    model = SARIMAX(
        line.values,
        order=(1, 0, 1) if seasonal else (1, 1, 1),
        seasonal_order=(0, 1, 1, line.season) if seasonal else (0, 0, 0, 0),
        simple_differencing=True,
        concentrate_scale=True,  # one parameter less to search: the same optimum in a quarter
    )
    parameters = model.fit(disp=False, maxiter=25, method="lbfgs", return_params=True)
    ahead = np.asarray(model.filter(parameters, cov_type="none").forecast(line.steps))
    return _undifference(line, ahead, line.season if seasonal else 1)


def _undifference(line: Line, ahead: Floats, lag: int) -> Floats:
    values = list(line.values[-lag:])
    for step in ahead:
        values.append(values[-lag] + step)
    return np.array(values[lag:])


MEMBERS: Mapping[str, Member] = {
    "autoregression": autoregression,
    "autoregression_long": autoregression_long,
    "ets": ets,
    "ets_trend": ets_trend,
    "theta": theta,
    "arima": arima,
}
EVERYWHERE = ("autoregression", "autoregression_long")
"""Members cheap enough for every daily series. On all daily and hourly series of the benchmark
exponential smoothing and Theta, fitted anew, were behind ``smooth`` (which is their kind) at
twenty times its cost; weeks and months get the whole family."""


def forecasts(problem: Problem, filled: Floats) -> dict[str, Floats]:
    """Each member's forecast (series x horizon); NaN where one cannot be fitted, 0 where closed.

    ``filled`` is ``problem.y`` with every gap filled (closed steps may be anything).
    """
    whole = problem.unit != "day" and len(problem.ids) <= MOST_SERIES_WHOLE
    chosen = {name: MEMBERS[name] for name in (MEMBERS if whole else EVERYWHERE)}
    out = {name: np.full((len(problem.ids), problem.horizon), np.nan) for name in chosen}
    roots = lines_of(problem, np.sqrt(filled))
    for row, (line, ahead) in enumerate(roots):
        spread = float(np.ptp(line.values)) if len(line.values) else 0.0
        for name, member in chosen.items():
            if len(line.values) < LEAST_COUNTS or spread == 0 or line.steps == 0:
                continue
            root = _attempt(member, line)
            ceiling = 1.5 * line.values.max() + 1
            if root is None or not np.isfinite(root).all() or (np.abs(root) > ceiling).any():
                continue
            out[name][row, ahead] = np.maximum(root, 0.0) ** 2
            out[name][row, ~ahead] = 0.0
            for column in np.flatnonzero(extra_weeks(problem, problem.future_slot)):
                out[name][row, column] = out[name][row, column - 1] if column else np.nan
    return out


def _attempt(member: Member, line: Line) -> Floats | None:
    """The member's answer; None where its fit fails (the judge then drops it)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return member(line)
        except (
            ValueError,
            IndexError,
            ZeroDivisionError,
            FloatingPointError,
            np.linalg.LinAlgError,
        ):
            return None
