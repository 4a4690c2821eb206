"""What reading the help pages tells: who reads without help will write.

>>> ARTICLE_FEATURES[0].name
'articles_count_1d'
"""

from __future__ import annotations

from features.language import count, count_since, decayed, distinct, last, share, since_last
from features.predicate import Is
from features.sources import ARTICLE_EVENTS, TICKETS, VIEWED_ARTICLES

UNHELPFUL = (~Is(ARTICLE_EVENTS["helpful"])).named("unhelpful")

ARTICLE_FEATURES = (
    *(count(ARTICLE_EVENTS, days=days) for days in (1, 3, 7, 28, 90)),
    *(count(ARTICLE_EVENTS, where=UNHELPFUL, days=days) for days in (3, 7, 28)),
    count(ARTICLE_EVENTS, where=UNHELPFUL),
    decayed(count(ARTICLE_EVENTS, where=UNHELPFUL), 1.5),
    # read, not helped, and not asked yet
    count_since(ARTICLE_EVENTS, last=TICKETS, days=(1, 3, 7, 28)),
    *(
        count_since(ARTICLE_EVENTS, last=TICKETS, where=UNHELPFUL, days=days)
        for days in ((1,), (1, 3), (1, 3, 7, 28))
    ),
    distinct(ARTICLE_EVENTS, "article_id", days=7),
    share(ARTICLE_EVENTS, of=UNHELPFUL, days=90),
    since_last(ARTICLE_EVENTS),
    since_last(ARTICLE_EVENTS, where=UNHELPFUL),
    last(VIEWED_ARTICLES, "topic"),
)
