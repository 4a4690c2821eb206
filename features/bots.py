"""What bots, feedback and outreach of the past tell.

>>> BOT_FEATURES[0].name
'bot_count_7d'
"""

from __future__ import annotations

from features.language import (
    count,
    count_since,
    decayed,
    last,
    mean,
    now,
    share,
    since_last,
    smallest,
)
from features.predicate import Compare, Is, Past
from features.sources import BOT_SESSIONS, FEEDBACK, TICKETS, TREATMENTS

HANDED_OVER = Past(BOT_SESSIONS["handed_over_at"])
NOT_CONTAINED = (~Is(BOT_SESSIONS["contained"])).named("not_contained")
POOR = Compare("<=", FEEDBACK["rating"], 2).named("poor")

BOT_FEATURES = (
    *(count(BOT_SESSIONS, days=days) for days in (7, 28, 90)),
    *(count(BOT_SESSIONS, where=NOT_CONTAINED, days=days) for days in (7, 28, 90)),
    count(BOT_SESSIONS, where=NOT_CONTAINED),
    decayed(count(BOT_SESSIONS, where=NOT_CONTAINED), 1.5),
    count(BOT_SESSIONS, where=HANDED_OVER, days=28),
    count(BOT_SESSIONS, since="handed_over_at", hours=24),
    since_last(BOT_SESSIONS, since="handed_over_at"),
    share(BOT_SESSIONS, of=HANDED_OVER, days=90),
    *(
        count_since(BOT_SESSIONS, last=TICKETS, where=NOT_CONTAINED, days=days)
        for days in ((1,), (1, 3), (1, 3, 7, 28))
    ),
    share(BOT_SESSIONS, of=NOT_CONTAINED, days=180),
    since_last(BOT_SESSIONS),
    since_last(BOT_SESSIONS, where=NOT_CONTAINED),
    now(BOT_SESSIONS, until="ended_at", label="running"),
    last(BOT_SESSIONS, "topic"),
)

FEEDBACK_FEATURES = (
    count(FEEDBACK, days=90),
    count(FEEDBACK, where=POOR, days=30),
    count(FEEDBACK, where=POOR, days=180),
    mean(FEEDBACK, "rating", days=365),
    smallest(FEEDBACK, "rating", days=90),
    last(FEEDBACK, "rating"),
    since_last(FEEDBACK, where=POOR),
)

TREATMENT_FEATURES = (
    count(TREATMENTS, days=7),
    count(TREATMENTS, days=28),
    since_last(TREATMENTS),
    last(TREATMENTS, "arm"),
)
