"""Where and in what the company lives, and what its tables hold.

>>> Company(country=("GB-SCT",)).country
('GB-SCT',)
>>> Data(exchange_rates={"euro": 1.1})
Traceback (most recent call last):
...
data.errors.SettingsError: exchange_rates: 'euro' is no ISO 4217 code of three capital letters
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from data.errors import SettingsError, did_you_mean
from data.setting_checks import above_zero, setting

NOT_COUNTRIES = frozenset({"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"})


@dataclass(frozen=True)
class Company:
    """Where and in what the company lives."""

    country: tuple[str, ...] = setting(
        (), "ISO 3166 codes whose public holidays count, e.g. 'US', or of a part: 'GB-SCT'"
    )
    time_zone: str = setting("UTC", "IANA name; days, weeks and seasons follow it")
    currency: str = setting(
        "USD", "ISO 4217, the main currency: amounts count in it; not set: the commonest one"
    )

    def __post_init__(self) -> None:
        check_time_zone(self.time_zone)
        check_country(self.country)
        if not re.fullmatch("[A-Z]{3}", self.currency):
            raise SettingsError(
                f"currency {self.currency!r} is no ISO 4217 code of three capital letters"
            )


def check_country(countries: tuple[str, ...]) -> None:
    """SettingsError with the nearest code for one that no public holidays could be of."""
    if not countries:
        return
    from babel import Locale

    known = {
        code: str(text)
        for code, text in Locale("en").territories.items()
        if re.fullmatch("[A-Z]{2}", code) and code not in NOT_COUNTRIES
    }
    for whole in countries:
        code, dash, part = whole.partition("-")
        if dash and code in known:
            check_subdivision(code, part)
        elif code not in known or dash:
            by_name = {text.lower(): c for c, text in known.items()}
            usual = whole.strip().upper().replace("_", "-")
            usual = "GB" if usual == "UK" else usual
            near = by_name.get(whole.lower()) or usual * (usual.partition("-")[0] in known)
            hint = f' Did you mean "{near}"?' if near else ""
            raise SettingsError(
                f"country {whole!r} is no ISO 3166 code of two capital letters.{hint}"
            )


def check_subdivision(code: str, part: str) -> None:
    """SettingsError if the holiday calendar knows no such part of the country."""
    import holidays

    parts = holidays.list_supported_countries().get(code, [])
    if part not in parts:
        listed = ", ".join(f"{code}-{one}" for one in parts[:8]) or f"none of {code}"
        raise SettingsError(
            f"country '{code}-{part}': holidays are known of {listed}"
            f"{', ...' if parts[8:] else ''}.{did_you_mean(part, parts)}"
        )


def check_time_zone(name: str) -> None:
    """SettingsError with the nearest name if ``name`` is no IANA time zone."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        raise SettingsError(
            f"time_zone {name!r} is no IANA time zone.{did_you_mean(name, known)}"
        ) from None


@dataclass(frozen=True)
class Data:
    """What the tables hold."""

    complete_to: datetime | None = field(
        default=None,
        metadata={
            "comment": "UTC; every event before this moment is in the tables. Default of --as-of"
        },
    )
    attributes: tuple[str, ...] = setting(
        (),
        "columns beyond the contract's that may become features and splits: 'tier' of "
        "customers, 'tickets.plan' of tickets, 'renewal:date' where it holds dates",
    )
    exchange_rates: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata={
            "comment": "what one of another currency is worth in the main one, e.g. {EUR = 1.08}; "
            "amounts of others without a rate count as unknown"
        },
    )

    def __post_init__(self) -> None:
        for name, rate in self.exchange_rates.items():
            if not re.fullmatch("[A-Z]{3}", name):
                raise SettingsError(
                    f"exchange_rates: {name!r} is no ISO 4217 code of three capital letters"
                )
            above_zero(rate, f"exchange_rates: {name}")
