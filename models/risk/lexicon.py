"""What reasons say, in English; data/languages holds the same in other languages.

A key is a noun of a count (features/concerns.py), an attribute of customers, a sentence about a row
(models/risk/evidence.py) or a concern (models/risk/reasons.py). What has no words here is said by
the note that the feature's definition gives (features/notes.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NOUNS: Mapping[str, str] = MappingProxyType(
    {
        "day": "days",
        "hour": "hours",
        "order": "orders",
        "undelivered order": "undelivered orders",
        "overdue order": "overdue orders",
        "use": "uses",
        "error": "errors",
        "failed payment": "failed payments",
        "ticket": "tickets",
        "complaint": "complaints",
        "unresolved ticket": "unresolved tickets",
        "bot session": "bot sessions",
        "help page read": "help pages read",
        "contact by us": "contacts by us",
    }
)
"""One and many."""
ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        "region": "region",
        "segment": "segment",
        "plan": "plan",
        "platform": "platform",
        "language": "language",
        "preferred_channel": "preferred channel",
        "value": "yearly value",
    }
)
SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "within": "{amount} in {span}",
        "ever": "{amount} so far",
        "now": "{amount} now",
        "latest": "latest {one}: {days} ago",
        "unknown": "not known",
        "yes": "yes",
        "no": "no",
        "new": "{text} (new: not seen before)",
        "more": "{number} more like these",
        "new_customer": "customer for {days}: little is known yet",
        "quiet_customer": "little has happened with this customer so far, so little is known",
        "overdue": "Order {id} of {when} has not arrived; it was due on {then} ({days} late)",
        "due_today": "Order {id} of {when} has not arrived; it is due today",
        "due": "Order {id} of {when} has not arrived; it is due on {then}",
        "undelivered": "Order {id} of {when} has not arrived ({days})",
        "late_delivered": "Order {id} of {when} came {days} late, on {then}",
        "refund_due": "Order {id} of {when} was returned on {then} and is not refunded yet",
        "returned": "Order {id} of {when} was returned on {then}",
        "cancelled": "Order {id} of {when} was cancelled on {then}",
        "bad_lot": "Order {id} of {when} may be of a bad lot: others return it or complain",
        "waiting": "Ticket {id} of {when} waits for an answer ({days})",
        "unresolved": "Ticket {id} of {when} is not resolved yet ({days})",
        "reopened": "Ticket {id} of {when} was reopened on {then}",
        "complained": "Complaint {id} of {when}",
        "complained_about": "Complaint {id} of {when} about {of}",
        "rated": "Ticket {id} of {when} was rated {number}",
        "met_errors": "{counted} on {when}",
        "met_errors_about": "{counted} on {when} while using {of}",
        "payment_failed": "{counted} on {when}",
        "bot_failed": "The bot did not solve it on {when}",
        "page_failed": "A help page that they read on {when} did not help",
        "reviewed": "Review {id} of {when}: rated {number}",
    }
)
CONCERNS: Mapping[str, str] = MappingProxyType(
    {
        "tenure": "how long they have been a customer",
        "open_orders": "orders that have not arrived",
        "late_orders": "how late their orders came",
        "refunds": "returned orders and their refunds",
        "cancellations": "cancelled orders",
        "lots": "goods that may be of a bad lot",
        "errors": "errors that they met",
        "payments": "their payments",
        "open_tickets": "tickets that are open",
        "complaints": "earlier complaints",
        "ratings": "how they rated us",
        "bots": "what the bot did not solve",
        "pages": "help pages that did not help",
        "reviews": "what they wrote in reviews",
        "products": "complaints about what they bought",
        "region": "how others in their region fare",
        "platform": "how others on their platform fare",
        "plan": "how others on their plan fare",
        "carrier": "how their carrier delivers",
        "channel": "how long their channel takes to answer",
        "topic": "complaints on their topic",
        "everybody": "how all customers fare",
        "releases": "a release that is due for their app",
        "buying": "how often and how much they order",
        "using": "how often they use the product",
        "contacts": "how often and about what they write",
        "bot_use": "their talks with the bot",
        "reading": "their reading of help pages",
        "outreach": "our contacts with them",
        "texts": "the tone of what they write",
    }
)
