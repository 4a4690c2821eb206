"""docs/features.md, made from the definitions: ``python -m lab.catalogue > docs/features.md``.

>>> page = catalogue()
>>> "| `orders_count_28d` | orders in the last 28 days |" in page
True
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable

from data.settings import Complaint
from features import language, sources
from features.ahead import ahead_features
from features.articles import ARTICLE_FEATURES
from features.bots import BOT_FEATURES, FEEDBACK_FEATURES, TREATMENT_FEATURES
from features.complaint import complaint_predicate
from features.context import context_features
from features.messages import TEXT_FEATURES
from features.orders import ITEM_FEATURES, ORDER_FEATURES
from features.spec import Feature
from features.tickets import ticket_features
from features.trouble import trouble_features
from features.usage import usage_features
from features.views import CUSTOMER_FEATURES, all_features

TOP = """# Features

Made from the definitions by `python -m lab.catalogue > docs/features.md`; a test fails when it
is stale. `presage features DIR` lists those that a workspace's tables can fill, with the share of
customers for whom each is null.

Every feature is as of a moment T: it reads only rows born before T and recorded by T, facts only
from the moment on at which they were known, windows half open, `[T - window, T)`
([CONTRACT.md](CONTRACT.md), "Time"). The definition is the feature; name, formula, note, window and
cost are derived from it.

## Add a feature: one line

```diff
--- features/orders.py
 ORDER_FEATURES = (
+    count(ORDERS, where=RETURNED, hours=36),
```

It is called `orders_returned_count_36h`; it is in this page, in `presage features`, in the next
model that is trained on tables in which orders are returned, and in what that model says online.
Nothing else is to be written; tests compare it with an oracle in plain Python, delete the future
behind its back and compare batch with online.

```python
>>> from features.language import *
>>> from features.sources import ORDERS, TICKETS, USAGE
>>> returned = Past(ORDERS["returned_at"])
>>> feature = count(ORDERS, where=returned, hours=36)
>>> feature.card()
{'name': 'orders_returned_count_36h', 'formula': 'count(orders, where returned_at has passed, 36h)',
 'source': 'orders', 'window': '36h', 'cost': 1,
 'note': 'returned orders in the last 36 hours', 'role': 'now',
 'concern': 'refunds', 'wording': {'form': 'amount', 'noun': '', 'span': 36.0}}

```

## What is refused when it is written

```python
>>> total(ORDERS, "amuont", days=7)
Traceback (most recent call last):
data.errors.DefinitionError: orders has no column 'amuont'. Did you mean "amount"?
>>> count("order", days=7)
Traceback (most recent call last):
data.errors.DefinitionError: 'order' is no source. Did you mean "ORDERS"?
>>> count(ORDERS, days=-7)
Traceback (most recent call last):
data.errors.DefinitionError: a window of -7 days: windows are above 0
>>> count(ORDERS, days=float("nan"))
Traceback (most recent call last):
data.errors.DefinitionError: a window of nan days: give a finite number
>>> count(ORDERS, days=36500)
Traceback (most recent call last):
data.errors.DefinitionError: a window of 36500 days is longer than 7305; leave out days= and hours= to look back on everything
>>> total(ORDERS, "carrier", days=7)
Traceback (most recent call last):
data.errors.DefinitionError: sum of carrier, a text: it takes number or duration or time
>>> count(ORDERS, where=Null(ORDERS["delivered_at"]))
Traceback (most recent call last):
data.errors.DefinitionError: orders.delivered_at is known from delivered_at on: that it is null is no fact. Say until=delivered_at for 'not yet'
>>> due(ORDERS, at="delivered_at", days=3, label="due")
Traceback (most recent call last):
data.errors.DefinitionError: ahead= looks at orders.delivered_at, which is not known beforehand; planned times are, such as promised_at or starts_at
>>> rate(last(ORDERS, "carrier"), count(ORDERS), "carrier_per_order")
Traceback (most recent call last):
data.errors.DefinitionError: last(orders.carrier) / count(orders) joins number and text; ratio takes duration or number

```

## The words

"""  # noqa: E501

COST = """
Cost: passes over the rows, a count being one; a part that two features share is worked out once.
`[complaint]` in presage.toml says which tickets are complaints; `is_complaint` decides where it is
given. Days are the company's (`[company] time_zone`).
"""


TEXTS = """
Texts of tickets and feedback, in any language, are read by a small linear model over runs of
characters (`features/text.py`): is it a complaint, how does its writer feel, what is it about. It
is fitted as of the first training time by which a thousand tickets with a text were recorded (or
else the middle one), from what was known then; its answers are known from that time on only, so
features before it are null and none can know the future. `[risk] texts`: `yes`, `no`, or `auto`,
which reads where a tenth of the written tickets does not state `is_complaint` or `topic`. With
`[complaint] by_text = true` what reads as a complaint counts as one in labels, where nothing is
stated; the rule and the reader are part of the label set's id. The reader travels with the risk
model, as JSON with its own hash; it holds no text.
"""
HEAD = "| name | is | formula | source | window | cost |\n|---|---|---|---|---|---|"


def sections() -> tuple[tuple[str, str, tuple[Feature, ...]], ...]:
    """Heading, module and features, in the order of a view."""
    complaint = complaint_predicate(Complaint())
    return (
        ("Customers", "views", CUSTOMER_FEATURES),
        ("Orders", "orders", ORDER_FEATURES),
        ("Items of orders", "orders", ITEM_FEATURES),
        ("Use", "usage", usage_features()),
        ("Tickets", "tickets", ticket_features(complaint)),
        ("Bot sessions", "bots", BOT_FEATURES),
        ("Feedback", "bots", FEEDBACK_FEATURES),
        ("Help pages", "articles", ARTICLE_FEATURES),
        ("Outreach", "bots", TREATMENT_FEATURES),
        ("Context: what happened to others", "context", context_features(complaint)),
        ("Lots and routes in trouble", "trouble", trouble_features(complaint)),
        ("What is to come", "ahead", ahead_features()),
    )


def words() -> Iterable[tuple[str, str]]:
    """The words of the language, those for rows (Is, Past, ...) first, with what they say."""
    for name in sorted(language.__all__, key=lambda name: (name.islower(), name)):
        meaning = " ".join((inspect.getdoc(getattr(language, name)) or "").split())
        yield name, meaning.replace("``", "`")


def catalogue() -> str:
    """The page, as Markdown."""
    lines = [TOP.rstrip("\n"), "", "| word | says |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(meaning)} |" for name, meaning in words()]
    lines += [
        "",
        "## The sources",
        "",
        "| source | rows of | beside | moment |",
        "|---|---|---|---|",
    ]
    for name, source in vars(sources).items():
        if isinstance(source, sources.Source):
            beside = f"{source.beside}, by {source.link}" if source.beside else "-"
            lines.append(f"| `{name}` | {source.table} | {beside} | {source.time.name} |")
    parts = sections()
    count = sum(len(features) for _, _, features in parts)
    assert count == len(all_features(complaint_predicate(Complaint())))
    lines += ["", f"## The {count} features", COST.rstrip("\n")]
    for heading, module, features in parts:
        lines += ["", f"### {heading} (`features/{module}.py`)", ""]
        lines += [HEAD]
        lines += [_row(feature) for feature in features]
    lines += ["", f"## What messages say: {len(TEXT_FEATURES)} more", TEXTS.rstrip("\n"), ""]
    lines += [HEAD, *(_row(feature) for feature in TEXT_FEATURES)]
    return "\n".join(lines) + "\n"


def _row(feature: Feature) -> str:
    card = feature.card()
    cells = [f"`{card['name']}`", card["note"], f"`{card['formula']}`"]
    cells += [card["source"], card["window"], card["cost"]]
    return "| " + " | ".join(_cell(str(cell)) for cell in cells) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(catalogue())
