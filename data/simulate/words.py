"""The words that a company uses for its channels, topics, carriers and the like.

Within the simulator everything is a position in the tuples of ``rates.py``; words are what the
tables, the truth and presage.toml show. A company of a make has words of its own, one for each
position, so nothing that reads its tables can know what they mean from how they are spelled.

>>> Words().channels
('phone', 'email', 'chat', 'social')
>>> words = draw_words(np.random.default_rng(1))
>>> len(words.topics) == len(set(words.topics)) == len(Words().topics)
True
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from data.simulate import rates


@dataclass(frozen=True)
class Words:
    """One word a position, all of a list distinct. ``payment_failed`` is always called that."""

    channels: tuple[str, ...] = rates.CHANNELS
    topics: tuple[str, ...] = rates.TOPICS
    regions: tuple[str, ...] = rates.REGIONS
    carriers: tuple[str, ...] = rates.CARRIERS
    segments: tuple[str, ...] = rates.SEGMENTS
    plans: tuple[str, ...] = rates.PLANS
    platforms: tuple[str, ...] = rates.PLATFORMS
    categories: tuple[str, ...] = rates.CATEGORIES
    features: tuple[str, ...] = rates.FEATURES


def _numbered(word: str, count: int, first: int = 1, step: int = 1) -> tuple[str, ...]:
    return tuple(f"{word}{first + step * k}" for k in range(count))


VOCABULARIES: dict[str, tuple[tuple[str, ...], ...]] = {
    "channels": (
        ("call_center", "mail", "whatsapp", "x.com"),
        ("Telefon", "E-post", "Nettprat", "Sosiale medier"),
        ("voice", "web form/e-mail", "live chat", "reviews & forums"),
        ("1", "2", "3", "4"),
    ),
    "topics": (
        ("LOG", "QUA", "TEC", "FIN", "ACC", "RET", "INF", "SRV"),
        _numbered("", 8, 100, 100),
        (
            "Where is my order?", "Faulty goods", "App & website", "Payments / invoices",
            "My account", "Sending it back", "How to", "Anything else",
        ),
        (
            "levering", "mangel", "feil i appen", "faktura", "konto", "retur", "produkt", "annet",
        ),
    ),
    "regions": (
        _numbered("R", 8, 0),
        ("NO-03", "NO-11", "NO-15", "NO-18", "NO-30", "NO-34", "NO-38", "NO-42"),
    ),
    "carriers": (
        _numbered("carrier ", 4, 0),
        ("DHL", "UPS", "GLS", "own vans"),
    ),
    "segments": (("B2C", "B2B", "EDU"), ("retail", "corporate", "campus")),
    "plans": (("free", "pro", "team"), ("S", "M", "L")),
    "platforms": (("iPhone", "Android", "browser"), ("app-i", "app-a", "www")),
    "categories": (
        ("apparel", "beauty", "electronics", "home", "sports"),
        _numbered("cat-", 5, 10, 10),
    ),
    "features": (
        ("catalogue", "find", "parcel", "list", "payment", "payment_failed"),
        ("account", "checkout", "tracking", "basket", "payment", "payment_failed"),
    ),
}  # fmt: skip
"""The lists that makes draw from besides the usual one. Columns as the tuples of ``rates.py``."""


def draw_words(rng: np.random.Generator) -> Words:
    """A list for each family of words, the usual one among them; each as likely as any other."""
    usual, chosen = Words(), {}
    for each in fields(Words):
        lists: list[tuple[str, ...]] = [getattr(usual, each.name), *VOCABULARIES[each.name]]
        chosen[each.name] = lists[int(rng.integers(len(lists)))]
    return Words(**chosen)


__all__ = ["VOCABULARIES", "Words", "draw_words"]
