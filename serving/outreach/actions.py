"""What outreach can do: one entry an action, with its texts per language beside it.

An action answers topics; a topic's words decide (``late_delivery`` holds ``delivery``). Topics are
the company's own, so an unknown one gets the check-in, which promises nothing.

>>> action_for("late delivery").name
'delivery_update'
>>> action_for(None).name
'check_in'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Action:
    """One thing that can be done for a customer before they write.

    ``words``: the parts of a topic that it answers. ``texts``: the message by language (BCP 47),
    with ``{name}`` as its only placeholder; English is always there.
    """

    name: str
    note: str
    words: tuple[str, ...]
    texts: Mapping[str, str]

    def text(self, language: str | None) -> str:
        """The message in that language, or its base language, or English."""
        wanted = language or "en"
        return self.texts.get(wanted) or self.texts.get(wanted.split("-")[0]) or self.texts["en"]


def _texts(**texts: str) -> Mapping[str, str]:
    return MappingProxyType(texts)


ACTIONS = (
    Action(
        "delivery_update",
        "say where the order is and when it comes",
        ("deliver", "shipping", "shipment", "order", "parcel", "logistic", "wismo"),
        _texts(
            en="Hello {name}, your order is taking longer than we promised. Here is where it is.",
            es="Hola {name}, su pedido tarda más de lo prometido. Aquí puede ver dónde está.",
            nb="Hei {name}, bestillingen din tar lengre tid enn lovet. Her ser du hvor den er.",
        ),
    ),
    Action(
        "replacement_offer",
        "offer to replace or refund a product known to fail",
        ("defect", "product", "quality", "return", "refund", "cancel", "warranty", "damage"),
        _texts(
            en="Hello {name}, a product you bought may be faulty. Choose a new one or a refund.",
            es="Hola {name}, un producto que compró puede fallar. Elija un cambio o un reembolso.",
            nb="Hei {name}, et produkt du kjøpte kan ha en feil. Velg nytt eller pengene tilbake.",
        ),
    ),
    Action(
        "billing_explanation",
        "explain a charge or help a failed payment through",
        ("bill", "payment", "invoice", "charge", "price", "fee"),
        _texts(
            en="Hello {name}, a payment did not go through. Here is how to put it right.",
            es="Hola {name}, un pago no se completó. Así puede solucionarlo.",
            nb="Hei {name}, en betaling gikk ikke gjennom. Slik ordner du det.",
        ),
    ),
    Action(
        "workaround",
        "say that an error is known, and when or how it is solved",
        ("error", "app", "technical", "login", "outage", "bug", "software", "network", "usage"),
        _texts(
            en="Hello {name}, you met an error that we know of. Here is the way around it.",
            es="Hola {name}, encontró un error que conocemos. Así puede evitarlo.",
            nb="Hei {name}, du møtte en feil vi kjenner til. Slik kommer du rundt den.",
        ),
    ),
    Action(
        "check_in",
        "ask whether everything is well",
        (),
        _texts(
            en="Hello {name}, is everything as you expected? Answer here and we will help.",
            es="Hola {name}, ¿está todo como esperaba? Responda aquí y le ayudaremos.",
            nb="Hei {name}, er alt som du ventet? Svar her, så hjelper vi.",
        ),
    ),
)
"""Every action, the most specific first; the last answers anything."""


def action_for(topic: str | None) -> Action:
    """The first action with a word that the topic holds, else the last."""
    told = (topic or "").lower()
    for action in ACTIONS[:-1]:
        if any(word in told for word in action.words):
            return action
    return ACTIONS[-1]
