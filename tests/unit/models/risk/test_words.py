"""Reasons are said in the agent's language, whatever the feature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from data.errors import UsageError
from data.settings import Complaint
from features.complaint import complaint_predicate
from features.views import all_features
from models.risk.lexicon import FORMS, LANGUAGES, SUBJECTS, WHOLE
from models.risk.model import RiskModel
from models.risk.words import sentence

World = Callable[..., tuple[pd.DataFrame, pd.DataFrame]]


TOLD: list[tuple[str, object, tuple[str, str, str]]] = [
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
        "tickets_count",
        2.0,
        ("2 tickets so far", "2 consultas hasta ahora", "2 henvendelser til nå"),
    ),
    (
        "orders_since_last_days",
        12.44,
        (
            "12.4 days since the last of orders",
            "12,4 días desde lo último: pedidos",
            "12,4 dager siden sist: ordrer",
        ),
    ),
    (
        "tickets_csat_last",
        None,
        (
            "last csat tickets: not known",
            "satisfacción, último valor: desconocido",
            "tilfredshet, siste verdi: ikke kjent",
        ),
    ),
    (
        "region_orders_late_share_7d",
        0.254,
        (
            "25 % of deliveries in this region were late in 7 days",
            "25 % de las entregas de esta región llegaron tarde en 7 días",
            "25 % av leveringene i regionen kom for sent på 7 dager",
        ),
    ),
]


@pytest.mark.parametrize(("name", "value", "told"), TOLD)
def test_a_value_is_a_sentence_in_every_language(
    name: str, value: object, told: tuple[str, str, str]
) -> None:
    assert tuple(sentence(name, value, of) for of in LANGUAGES) == told


def test_every_feature_can_be_said_in_every_language() -> None:
    for feature in all_features(complaint_predicate(Complaint())):
        for language in LANGUAGES:
            for value in (1.0, 0.123456, np.nan, "north"):
                said = sentence(feature.name, value, language)
                assert said and "{" not in said and "nan" not in said.split()


def test_languages_have_the_same_words() -> None:
    assert set(SUBJECTS["es"]) == set(SUBJECTS["no"])
    for language in LANGUAGES:
        assert set(FORMS[language]) == set(FORMS["en"])
        assert set(WHOLE[language]) == set(WHOLE["en"])


def test_reasons_differ_in_their_text_only(trained: RiskModel, make_world: World) -> None:
    features, _ = make_world(customers=30, weeks=1, seed=2)
    english = trained.reasons(features, None)
    spanish = trained.reasons(features, None, language="es")
    assert [[r | {"text": ""} for r in row] for row in english] == [
        [r | {"text": ""} for r in row] for row in spanish
    ]
    assert english != spanish
    with pytest.raises(UsageError, match="no language 'xx'; reasons are told in en, es, no"):
        trained.reasons(features, None, language="xx")
