"""What may stand as the endpoint of webhooks, before anything is resolved or connected to.

>>> check_endpoint("https://crm.example/presage", allow_inside=False)
>>> check_endpoint("ftp://crm.example/", allow_inside=False)
Traceback (most recent call last):
...
data.errors.SettingsError: [delivery] endpoint 'ftp://crm.example/' must be https://HOST/PATH ...
"""

from __future__ import annotations

from urllib.parse import urlsplit

from data.errors import SettingsError


def check_endpoint(url: str, *, allow_inside: bool) -> None:
    """SettingsError for a URL that no webhook may be sent to, whatever it resolves to."""
    try:
        parts = urlsplit(url)
        named, _ = parts.hostname, parts.port
    except ValueError:
        raise SettingsError(f"[delivery] endpoint {url!r} is no URL") from None
    schemes = ("https", "http") if allow_inside else ("https",)
    if parts.scheme not in schemes or not named:
        also = "" if allow_inside else " (http only with allow_inside = true, for tests)"
        raise SettingsError(f"[delivery] endpoint {url!r} must be https://HOST/PATH{also}")
    if parts.username is not None or parts.password is not None:
        raise SettingsError(
            "[delivery] endpoint holds a user or password; receivers know us by the signature, so "
            "leave it out"
        )
    if parts.fragment:
        raise SettingsError(f"[delivery] endpoint {url!r} has a part after #, which is never sent")
