"""Reasons are said in the agent's language, whatever the feature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from string import Formatter

import numpy as np
import pandas as pd
import pytest

from data.errors import SettingsError, UsageError
from data.languages.catalogue import catalogue, languages
from data.settings import Complaint, Risk
from features.complaint import complaint_predicate
from features.language import customer, last, since_last
from features.messages import TEXT_FEATURES
from features.sources import CUSTOMERS, ORDERS, TICKETS, USAGE
from features.spec import Feature
from features.views import all_features
from models.risk import lexicon
from models.risk.evidence import CONCERNS, KINDS
from models.risk.model import RiskModel
from models.risk.words import amount, sentence, spoken

World = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]
FEATURES = (*all_features(complaint_predicate(Complaint()), goods=("broken",)), *TEXT_FEATURES)
CARDS = {feature.name: feature.card() for feature in FEATURES}
LANGUAGES = ("en", "es", "no")
MESSAGES = [*lexicon.ATTRIBUTES.values(), *lexicon.SENTENCES.values(), *lexicon.CONCERNS.values()]

SENTENCES: list[tuple[str, object, tuple[str, str, str]]] = [
    (
        "orders_overdue_now",
        1.0,
        ("1 overdue order now", "1 pedido atrasado ahora", "1 forsinket ordre nå"),
    ),
    (
        "tickets_complaint_count_28d",
        3.0,
        ("3 complaints in 28 days", "3 quejas en 28 días", "3 klager på 28 dager"),
    ),
    (
        "usage_errors_sum_6h",
        2.0,
        ("2 errors in 6 hours", "2 errores en 6 horas", "2 feil på 6 timer"),
    ),
    (
        "tickets_count",
        2.0,
        ("2 tickets so far", "2 consultas hasta ahora", "2 henvendelser til nå"),
    ),
    (
        "orders_since_last_days",
        12.44,
        (
            "latest order: 12 days ago",
            "pedido más reciente: hace 12 días",
            "siste ordre: for 12 dager siden",
        ),
    ),
    (
        "tickets_csat_last",
        None,
        ("how they rated us", "cómo nos valoró", "hvordan de har vurdert oss"),
    ),
    (
        "customer_region",
        "north",
        ("region: north", "región: north", "region: north"),
    ),
    (
        "region_orders_late_share_7d",
        0.254,
        (
            "how others in their region fare",
            "cómo les va a otros de su región",
            "hvordan det går for andre i regionen deres",
        ),
    ),
]


@pytest.mark.parametrize(("name", "value", "expected"), SENTENCES)
def test_a_value_is_a_sentence_in_every_language(
    name: str, value: object, expected: tuple[str, str, str]
) -> None:
    assert tuple(sentence(CARDS[name], value, of) for of in LANGUAGES) == expected


def test_a_name_has_no_say_in_what_is_said() -> None:
    for feature in FEATURES:
        renamed = Feature("orders_overdue_now", feature.node).card()
        card = CARDS[feature.name]
        assert (renamed["concern"], renamed["wording"]) == (card["concern"], card["wording"])
    overdue = next(f for f in FEATURES if f.name == "orders_overdue_now").named("x9")
    assert sentence(overdue.card(), 2.0) == "2 overdue orders now"
    # the same name of another definition is said by what that definition is
    other = customer(CUSTOMERS["plan"]).named("orders_overdue_now")
    assert sentence(other.card(), "plus") == "plan: plus"


def test_a_feature_of_ones_own_is_said_by_its_note_in_every_language() -> None:
    card = {"name": "customer_shoe_size", "note": "the customer's shoe size", "concern": ""}
    for language in LANGUAGES:
        said = sentence(card, 44.5, language)
        assert said == f"the customer's shoe size: 44{'.' if language == 'en' else ','}5"
    # a card of an earlier make, or none, says no less than its name
    assert sentence({"name": "shoe_size"}, 44.0) == "shoe size: 44"


def test_every_feature_can_be_said_in_every_language() -> None:
    assert len(CARDS) > 250
    for card in CARDS.values():
        for language in languages():
            for value in (1.0, 0.123456, np.nan, np.inf, "north"):
                said = sentence(card, value, language)
                assert said and "{" not in said and not {"nan", "inf"} & set(said.split())


def test_every_feature_is_about_something_that_has_words() -> None:
    concerns = {str(card["concern"]) for card in CARDS.values()}
    assert concerns - {""} == set(lexicon.CONCERNS) >= CONCERNS
    for card in CARDS.values():
        wording = card["wording"]
        assert isinstance(wording, dict)
        assert (card["concern"] == "") == (wording["form"] == "attribute")
        words = lexicon.ATTRIBUTES if wording["form"] == "attribute" else lexicon.NOUNS
        assert wording["noun"] in {"", *words}


@pytest.mark.parametrize(
    ("feature", "concern"),
    [
        (since_last(ORDERS, since="returned_at"), "refunds"),
        (since_last(USAGE), "using"),
        (last(TICKETS, "priority"), "contacts"),
        (customer(CUSTOMERS["plan"]), ""),
    ],
)
def test_what_is_counted_says_what_it_is_about(feature: Feature, concern: str) -> None:
    assert feature.card()["concern"] == concern


PAGE = Path(__file__).parents[4] / "serving" / "planner"
"""Its words stand in the same catalogues."""
OF_ANSWERS = {"expired", "published before"}
"""States that the page shows as the API answers them."""


@pytest.mark.parametrize("language", languages()[1:])
def test_a_language_has_all_words_and_their_places(language: str) -> None:
    words = catalogue(language)
    for message in MESSAGES:
        # a translation may equal the English: "region"; but it may not be left out
        assert message in words._catalog, message  # type: ignore[attr-defined]
        assert places(words.gettext(message)) == places(message)
    for one, many in lexicon.NOUNS.items():
        assert (one, words.plural(1)) in words._catalog  # type: ignore[attr-defined]
        assert (one, words.plural(5)) in words._catalog  # type: ignore[attr-defined]
        assert words.ngettext(one, many, 5)
    used = {*MESSAGES, *lexicon.NOUNS, ""}
    there = {key[0] if isinstance(key, tuple) else key for key in words._catalog}  # type: ignore[attr-defined]
    page = " ".join(file.read_text() for file in PAGE.iterdir() if file.suffix in (".js", ".html"))
    unused = {word for word in there - used - OF_ANSWERS if word not in page}
    assert not unused, "said nowhere"
    assert {kind.sentence for kind in KINDS} <= set(lexicon.SENTENCES)


def places(message: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(message) if name is not None}


def test_numbers_are_those_of_the_language() -> None:
    assert [spoken(1234.5, of) for of in LANGUAGES] == ["1,234", "1.234", "1\xa0234"]
    assert [amount(0.5, "error", of) for of in LANGUAGES] == ["0.5 errors", "0,5 errores",
                                                              "0,5 feil"]  # fmt: skip


def test_reasons_differ_in_their_text_only(trained: RiskModel, make_world: World) -> None:
    features, _ = make_world(customers=30, weeks=1, seed=2)
    english = trained.reasons(features, None)
    spanish = trained.reasons(features, None, language="es")
    assert [[r | {"text": ""} for r in row] for row in english] == [
        [r | {"text": ""} for r in row] for row in spanish
    ]
    assert english != spanish
    with pytest.raises(UsageError, match="no language 'xx'; reasons are written in en, es, no"):
        trained.reasons(features, None, language="xx")


def test_a_language_that_nobody_wrote_is_refused_in_the_settings() -> None:
    with pytest.raises(SettingsError, match="'fr': reasons are written in en, es, no"):
        Risk(reasons_language="fr")
    assert Risk(reasons_language="nb").reasons_language == "nb"
