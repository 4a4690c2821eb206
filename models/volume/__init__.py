"""How many contacts, per channel, topic and interval, with honest intervals.

``forecast`` and ``backtest`` are the whole of it; the files below are its steps, in order: ``grid``
(local time), ``panel`` (long table to matrix), ``prepare`` (closed, zero or gap), ``smooth``,
``classical``, ``trees`` and ``profile`` (the members), ``special_days``, ``judge`` (who counts how
much), ``intervals``.
"""

from models.volume.baselines import mean_of_same_slots, seasonal_naive
from models.volume.context import VolumeContext
from models.volume.forecaster import backtest, forecast

__all__ = ["VolumeContext", "backtest", "forecast", "mean_of_same_slots", "seasonal_naive"]
