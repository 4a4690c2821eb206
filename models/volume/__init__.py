"""How many contacts, per channel, topic and interval, with honest intervals.

``forecast`` and ``backtest`` are the whole of it; the files below are its steps, in order: ``grid``
(local time), ``panel`` (long table to matrix), ``special_hours`` (closed or opened by a date or a
holiday), ``prepare`` (closed, zero or gap), ``smooth``,
``classical``, ``regression``, ``trees`` and ``profile`` (the members), ``special_days`` and
``events`` (the calendar's), ``judge`` (who counts how much), ``tested`` (how far off it was),
``intervals``, ``paths`` (what may come together), ``change`` (why a forecast moved), ``audit`` (one
number, followed back), ``intraday`` (the rest of today), ``drivers`` (what the company knows about
next week; ``driver_rows``, ``stocks``, ``deliveries`` and ``projection`` are its steps),
``learning`` and ``stored`` (how a model comes about and is kept).
"""

from models.volume.audit import Audit, audit
from models.volume.baselines import mean_of_same_slots, seasonal_naive
from models.volume.change import Issue, explain_change
from models.volume.context import VolumeContext
from models.volume.forecaster import backtest, forecast, train_volume, train_with_twin
from models.volume.model import VolumeModel
from models.volume.panel import whole_contacts
from models.volume.paths import Paths
from models.volume.series import series_from_tickets, series_from_volumes
from models.volume.stored import load_volume

__all__ = [
    "Audit",
    "Issue",
    "Paths",
    "VolumeContext",
    "VolumeModel",
    "audit",
    "backtest",
    "explain_change",
    "forecast",
    "load_volume",
    "mean_of_same_slots",
    "seasonal_naive",
    "series_from_tickets",
    "series_from_volumes",
    "train_volume",
    "train_with_twin",
    "whole_contacts",
]
