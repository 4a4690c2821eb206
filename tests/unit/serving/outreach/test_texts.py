"""Texts: every one is there, reads well, keeps its limits; what is missing is refused by name."""

from __future__ import annotations

import re
import tomllib
from datetime import date

import pytest

from data.errors import DataError, DefinitionError
from serving.outreach.actions import ACTIONS, Action, action_for, pairs
from serving.outreach.texts import FILE, LANGUAGES, render, sms_parts

VALUES = {
    "name": "Ana", "order": "A17", "days_late": 2, "new_date": date(2026, 3, 9), "credit": 5.0,
    "product": "kettle", "article": "Reset your password", "owner": "Kari",
}  # fmt: skip


TEXTS = tomllib.loads(FILE.read_text("utf-8"))


def test_every_action_has_every_text() -> None:
    assert {action.name for action in ACTIONS} == TEXTS.keys() - {"greeting", "unit"}
    for action in ACTIONS:
        for language in LANGUAGES:
            for channel in action.channels:
                message = render(action.name, channel, language, VALUES)
                assert message.language == language
                assert "{" not in message.text
                assert (message.subject is None) == (channel != "email")


def test_each_missing_variable_is_refused_by_name() -> None:
    for action in ACTIONS:
        texts = " ".join(TEXTS[action.name]["es"].values())
        for name in set(re.findall(r"{(\w+)", texts)) - {"greeting"}:
            rest = {key: value for key, value in VALUES.items() if key != name}
            with pytest.raises(DataError, match=f"needs {name}, which is missing"):
                for channel in action.channels:
                    render(action.name, channel, "es", rest)


def test_a_variable_of_another_kind_is_refused() -> None:
    with pytest.raises(DataError, match="new_date is '9 March', but must be a date"):
        render("delivery_update", "sms", "en", {**VALUES, "new_date": "9 March"})
    with pytest.raises(DataError, match="credit is '5', but must be an amount"):
        render("apology_credit", "email", "en", {**VALUES, "credit": "5"})


def test_plurals_dates_and_money_follow_the_language() -> None:
    one = {**VALUES, "days_late": 1}
    assert "is 1 day late" in render("delivery_update", "email", "en", one).text
    assert "2 dager forsinket" in render("delivery_update", "email", "nb", VALUES).text
    assert "9 de marzo de 2026" in render("delivery_update", "email", "es", VALUES).text
    assert "€5.00" in render("apology_credit", "email", "en", VALUES, "EUR").text
    assert "5,00" in render("apology_credit", "email", "nb", VALUES, "NOK").text


def test_languages_fall_back_and_nobody_is_greeted_by_no_name() -> None:
    assert render("check_in", "sms", "no", {}).language == "nb"
    assert render("check_in", "sms", "de-DE", {}).language == "en"
    assert render("check_in", "sms", None, {}).language == "en"
    assert render("check_in", "email", "en", {"name": " "}).text.startswith("Hello, is")


def test_lengths_are_limits_and_lines_cannot_be_added() -> None:
    with pytest.raises(DataError, match="would take 5 SMS, more than 2"):
        render("replacement", "sms", "en", {"product": "x" * 600})
    with pytest.raises(DataError, match="subject has"):
        render("delivery_update", "email", "en", {**VALUES, "order": "A" * 80})
    injected = render("replacement", "sms", "en", {"product": "kettle\r\nBcc: all@x"})
    assert "\n" not in injected.text
    assert sms_parts("€" * 80) == 1 and sms_parts("€" * 81) == 2


def test_a_channel_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(DefinitionError, match=r"the channel 'emial'.* Did you mean .email"):
        Action("x", "y", channels=("emial",))
    with pytest.raises(DefinitionError, match="'callback' does not go through 'email'"):
        render("callback", "email", "en", VALUES)
    with pytest.raises(DefinitionError, match="cannot take less than none"):
        Action("x", "y", agent_minutes=(("phone", -1.0),))
    with pytest.raises(DefinitionError, match=r"no action 'calback'. Did you mean \"callback\""):
        render("calback", "phone", "en", VALUES)


def test_topics_choose_by_words_or_as_set() -> None:
    assert action_for("Payments / invoices").name == "payment_help"
    assert action_for("LOG", pairs(["LOG = delivery_update"])).name == "delivery_update"
