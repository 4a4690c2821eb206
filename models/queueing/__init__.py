"""Queues: how long contacts wait for a number of agents, and how many agents a promise needs.

Real-time work (phone, chat) follows Erlang C, or Erlang A where the waiting give up; backlog work
(e-mail, social) flows first come, first served towards its deadlines. A discrete-event simulator
that shares none of their formulas checks them.

>>> queue_measures(60 / 3600, 300.0, servers=7, target_seconds=20.0).service_level.round(3).item()
0.716
>>> agents_required(60 / 3600, 300.0, target_seconds=20.0, share=0.8).item()
8
"""

from models.queueing.backlog import (
    BacklogGrid,
    Outcome,
    clear,
    due_seconds,
    reachable,
)
from models.queueing.erlang import QueueMeasures, erlang_b, erlang_c, queue_measures
from models.queueing.largest import largest_load
from models.queueing.levels import smallest_levels
from models.queueing.required import agents_required
from models.queueing.simulator import Served, simulate_queue, simulate_shared
from models.queueing.table import ServiceTable, service_table

__all__ = [
    "BacklogGrid",
    "Outcome",
    "QueueMeasures",
    "Served",
    "ServiceTable",
    "agents_required",
    "clear",
    "due_seconds",
    "erlang_b",
    "erlang_c",
    "largest_load",
    "queue_measures",
    "reachable",
    "service_table",
    "simulate_queue",
    "simulate_shared",
    "smallest_levels",
]
