"""Articles to write or repair: which topics' contacts have no article that works for them.

No customer is contacted for it, so it has no hold-out; what an article would save is not known
beforehand. What is known is what is at stake: the topic's contacts, the share of them in a language
in which no article on the topic works, and what handling those takes. An article works if it stands
and at least half of its readers found it helpful, by a mean that leans on half with the weight of
``WEIGHT`` votes.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from data.tables import Tables
from features.asof import as_of_view
from serving.outreach.worth import Prices

COLUMNS = ("topic", "language", "contacts_28d", "without_article", "at_stake", "why")
SINCE = timedelta(days=28)
READ_SINCE = timedelta(days=182)
WEIGHT = 4.0
HELPFUL = 0.5


def articles_to_write(tables: Tables, prices: Prices, as_of: datetime) -> pd.DataFrame:
    """A row per topic and language without a working article, what is at stake most first.

    Columns ``COLUMNS``: contacts of the topic in 28 days, the share of them in this language, the
    money that handling those takes, and why no article works. ``language`` "" where tickets state
    none: then an article in any language counts.
    """
    if not tables.has("tickets"):
        return pd.DataFrame(columns=list(COLUMNS))
    columns = ["opened_at", "topic", "language", "channel", "is_machine"]
    tickets = as_of_view(tables, "tickets", as_of, columns)
    human = ~tickets["is_machine"].fillna(False).to_numpy(bool)
    recent = (tickets["opened_at"] >= as_of - SINCE).to_numpy(bool)
    tickets = tickets[human & recent & tickets["topic"].notna().to_numpy(bool)]
    tickets = tickets.assign(
        language=tickets["language"].fillna("").str.split("-").str[0].str.lower(),
        money=prices.of(tickets["channel"])[0],
    )
    state = state_of_articles(tables, as_of)
    volume = tickets["topic"].value_counts()
    rows = []
    for (topic, language), group in tickets.groupby(["topic", "language"]):
        why = why_none_works(state, str(topic), str(language))
        if why:
            share = len(group) / volume[topic]
            rows.append(
                (topic, language, int(volume[topic]), share, float(group["money"].sum()), why)
            )
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    order = ["at_stake", "topic", "language"]
    return frame.sort_values(order, ascending=[False, True, True]).reset_index(drop=True)


def state_of_articles(tables: Tables, as_of: datetime) -> pd.DataFrame:
    """``article_id, topic, language, stands, helped, votes, works``: a row per article."""
    columns = ["article_id", "topic", "language", "retired_at"]
    if not tables.has("articles"):
        return pd.DataFrame(columns=["article_id", "topic", "language", "stands", "works"])
    articles = as_of_view(tables, "articles", as_of, columns)
    votes = pd.DataFrame({"helped": [], "votes": []})
    if tables.has("article_events"):
        read = as_of_view(tables, "article_events", as_of, ["article_id", "viewed_at", "helpful"])
        read = read[(read["viewed_at"] >= as_of - READ_SINCE) & read["helpful"].notna()]
        votes = read["helpful"].astype(float).groupby(read["article_id"]).agg(["sum", "count"])
        votes.columns = ["helped", "votes"]
    articles = articles.join(votes, on="article_id").fillna({"helped": 0.0, "votes": 0.0})
    mean = (articles["helped"] + WEIGHT * HELPFUL) / (articles["votes"] + WEIGHT)
    stands = articles["retired_at"].isna()
    language = articles["language"].fillna("").str.split("-").str[0].str.lower()
    return articles.assign(stands=stands, language=language, works=stands & (mean >= HELPFUL))


def why_none_works(state: pd.DataFrame, topic: str, language: str) -> str:
    """Why no article on the topic works for readers of the language; "" where one does."""
    own = state[state["topic"] == topic]
    if own.empty:
        return "there is no article: write one"
    readable = own[(own["language"] == language) | (own["language"] == "")] if language else own
    if readable.empty:
        return f"there is none in {language}: translate {own['article_id'].iloc[0]}"
    if readable["works"].any():
        return ""
    standing = readable[readable["stands"]]
    if standing.empty:
        return f"{readable['article_id'].iloc[-1]} was retired: write a new one"
    worst = standing.sort_values(["votes", "article_id"], ascending=[False, True]).iloc[0]
    return (
        f"{worst['article_id']} helped {worst['helped']:.0f} of {worst['votes']:.0f} readers: "
        "repair it"
    )
