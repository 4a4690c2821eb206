"""An export pulled from a help desk's or shop's own API: pages, rate limits, failures, a cursor.

Nothing is called unless somebody imports from an address (``presage import zendesk
https://acme.zendesk.com company``). Pages are kept in ``.presage/pull`` as they come, with how far
they reach, so that a pull that broke goes on where it stopped; once they are imported they are
removed, and the next pull asks for what changed since. A row that changes between two pages comes
again on a later one, and the later counts, as with any export. The secret goes to the address that
was given and to no other: a redirect and a next page elsewhere are refused.

>>> wait_of({"Retry-After": "30"}, attempt=1)
30.0
>>> [wait_of({}, attempt=n) for n in (1, 2, 3)]
[1.0, 2.0, 4.0]
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from data.adapters.databases import cursors_of
from data.clock import SYSTEM
from data.errors import DataError, UsageError
from data.files import write_whole
from data.folder import Folder
from data.settings import secret_from_environment
from data.store.secrets import read_secret

ATTEMPTS = 6
TIMEOUT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 900.0
LARGEST_PAGE = 1 << 28
LOOPBACK = ("localhost", "127.0.0.1", "::1")
AGAIN = (429, 500, 502, 503, 504)

Headers = Mapping[str, str]
Page = tuple[Mapping[str, Any], Headers]
Get = Callable[[str], Page]
After = tuple[bool, str, str | None]


@dataclass(frozen=True)
class Feed:
    """One list of an API. ``rows``: the key of its rows; ``beside``: keys of lists that come along,
    each into a file of its own; ``required``: an account may not refuse it."""

    name: str
    rows: str
    beside: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Api:
    """How one publisher's API is walked.

    ``first(base, feed, cursor, options)`` is the address to begin at. ``after(feed, page,
    headers)``: whether more pages follow, the next one's address (empty: ``first`` of the new
    cursor), and the cursor that a later pull begins at (None: as before).
    """

    feeds: tuple[Feed, ...]
    authorise: Callable[[str], tuple[str, str]]
    first: Callable[[str, Feed, str | None, Mapping[str, str]], str]
    after: Callable[[Feed, Mapping[str, Any], Headers], After]
    secret: str


def _zendesk_first(base: str, feed: Feed, cursor: str | None, options: Mapping[str, str]) -> str:
    begin = {"cursor": cursor} if cursor else {"start_time": _seconds(options.get("since"))}
    include = {"include": ",".join(feed.beside)} if feed.beside else {}
    return f"{base}/api/v2/incremental/{feed.name}/cursor.json?{urlencode({**begin, **include})}"


def _zendesk_after(feed: Feed, page: Mapping[str, Any], _: Headers) -> After:
    cursor = page.get("after_cursor")
    more = not page.get("end_of_stream", True) and page.get("after_url")
    return bool(more), str(page["after_url"]) if more else "", str(cursor) if cursor else None


def _shopify_first(base: str, feed: Feed, cursor: str | None, options: Mapping[str, str]) -> str:
    query = {"limit": "250", "order": "updated_at asc"}
    if feed.name == "orders":
        query["status"] = "any"
    if cursor or "since" in options:
        query["updated_at_min"] = cursor or options["since"]
    version = options.get("api_version", "2025-10")
    return f"{base}/admin/api/{version}/{feed.name}.json?{urlencode(query)}"


def _shopify_after(feed: Feed, page: Mapping[str, Any], headers: Headers) -> After:
    """By time, not by page: a row that changes meanwhile moves to the end, and the rows behind it
    would move into a page that was read. By page only within one second."""
    link = re.search(r'<([^>]+)>\s*;\s*rel="?next"?', headers.get("Link", ""))
    times = [str(row["updated_at"]) for row in page[feed.rows] if row.get("updated_at")]
    by_time = bool(times) and times[0] != times[-1]
    return link is not None, "" if by_time or not link else link[1], times[-1] if times else None


def _zendesk_authorisation(secret: str) -> tuple[str, str]:
    if "/token:" in secret:
        return "Authorization", "Basic " + base64.b64encode(secret.encode()).decode()
    return "Authorization", f"Bearer {secret}"


APIS: Mapping[str, Api] = {
    "zendesk": Api(
        (Feed("tickets", "tickets", ("metric_sets",)), Feed("users", "users", required=False)),
        _zendesk_authorisation,
        _zendesk_first,
        _zendesk_after,
        "EMAIL/token:TOKEN, or an OAuth token",
    ),
    "shopify": Api(
        (Feed("orders", "orders"), Feed("customers", "customers", required=False)),
        lambda secret: ("X-Shopify-Access-Token", secret),
        _shopify_first,
        _shopify_after,
        "the access token of a custom app that may read orders and customers",
    ),
}
"""The APIs that can be pulled, by the adapter that reads what they give."""
FILES = {"metric_sets": "ticket_metric_sets"}
"""Names of files, where the adapter knows a list by another name."""


class Refused(DataError):
    """The API refuses this list to this key."""


def is_address(source: str) -> bool:
    """Whether a source is an address to pull from, and no file."""
    return source.lower().startswith(("http://", "https://"))


def pull(
    name: str,
    address: str,
    workspace: Path,
    options: Mapping[str, str],
    say: Callable[[str], object] = lambda _: None,
    sleep: Callable[[float], object] | None = None,
) -> tuple[Path, dict[str, str], tuple[str, ...]]:
    """All that changed since the last pull, as files in a folder; where a later pull begins, by
    list; and notes.

    Raises UsageError for an address that cannot be pulled from, or a missing or wrong secret;
    DataError where the API goes on failing: what came until then is kept for the next pull.
    """
    if name not in APIS:
        raise UsageError(
            f"{name} cannot be pulled from an address; {', '.join(APIS)} can. Give its export"
        )
    base, api = _checked(address), APIS[name]
    state = workspace / ".presage"
    secret = secret_from_environment(name)
    if not secret and (state / "secrets").is_file():
        secret = read_secret(Folder.open(workspace), name)
    if not secret:
        raise UsageError(
            f"no secret for {name}: set PRESAGE_SECRET_{name.upper()} ({api.secret}), or write "
            f"`{name} = ...` into .presage/secrets (mode 0600)"
        )
    get = _getter(base, api.authorise(secret), say, sleep or time.sleep)
    place = state / "pull" / hashlib.sha256(f"{name}|{base}".encode()).hexdigest()[:12]
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    before, cursors, notes = cursors_of(state), dict[str, str](), list[str]()
    for feed in api.feeds:
        key = f"{name}.{feed.name}.{place.name}"
        try:
            reached = _feed(api, feed, base, get, place, before.get(key), options, say)
        except Refused as error:
            if feed.required:
                raise UsageError(str(error)) from None
            notes.append(f"{feed.name} left out: {error}")
            continue
        if reached:
            cursors[key] = reached
    whole = _joined(place)
    if not any(whole.iterdir()):
        shutil.rmtree(place)
        raise DataError(f"{base} has no row that is new since the last pull")
    return whole, cursors, tuple(notes)


def forget(whole: Path) -> None:
    """Remove the pages, once their rows are in the tables."""
    shutil.rmtree(whole.parent)


def _joined(place: Path) -> Path:
    """The pages of each list as one file, in the order in which they came."""
    whole = place / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir()
    for page in sorted(place.glob("*.page")):
        name = page.name.rpartition("-")[0]
        with (whole / f"{name}.jsonl").open("ab") as out:
            out.write(page.read_bytes())
    return whole


def _feed(
    api: Api,
    feed: Feed,
    base: str,
    get: Get,
    place: Path,
    cursor: str | None,
    options: Mapping[str, str],
    say: Callable[[str], object],
) -> str | None:
    """The pages of one list, each kept whole before the next is asked for; the last cursor."""
    book = place / f"{feed.name}.reached"
    so_far = json.loads(book.read_text("utf-8")) if book.is_file() else {}
    cursor, pages, rows = so_far.get("cursor", cursor), so_far.get("pages", 0), 0
    if so_far:
        say(f"{feed.name}: going on after page {pages}")
    url: str | None = None if so_far.get("done") else api.first(base, feed, cursor, options)
    while url:
        page, headers = get(url)
        if not isinstance(page.get(feed.rows), list):
            raise DataError(f"{base} answers {feed.name} without {feed.rows!r}")
        more, link, reached = api.after(feed, page, headers)
        cursor, pages = reached or cursor, pages + 1
        url = (link or api.first(base, feed, cursor, options)) if more else None
        for key in (feed.rows, *feed.beside):
            listed = page.get(key) or []
            if listed:
                lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in listed)
                write_whole(place / f"{FILES.get(key, key)}-{pages:06}.page", lines.encode())
        rows += len(page[feed.rows])
        at = {"cursor": cursor, "pages": pages, "done": url is None}
        write_whole(book, json.dumps(at).encode())
        say(f"{feed.name}: page {pages}, {rows:,} rows")
    return cursor


def _checked(address: str) -> str:
    parts = urlsplit(address)
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        raise UsageError(f"{address!r} is no address such as https://acme.zendesk.com")
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise UsageError(f"{address!r} is not https: a secret would be sent in the open")
    return address.rstrip("/")


def _seconds(since: str | None) -> str:
    if since is None:
        return "0"
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(f"since={since!r} is no date such as 2026-01-01") from None
    return str(int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _getter(
    base: str,
    authorisation: tuple[str, str],
    say: Callable[[str], object],
    sleep: Callable[[float], object],
) -> Get:
    """Ask for a page, again where the API says later or fails for a moment."""
    opener = urllib.request.build_opener(_NoRedirect)
    origin = urlsplit(base)[:2]

    def get(url: str) -> Page:
        if urlsplit(url)[:2] != origin:
            raise DataError(f"{base} names a next page at another address: {url!r}")
        attempt = 0
        while True:
            attempt += 1
            why, headers = "", dict[str, str]()
            request = urllib.request.Request(
                url, headers={"Accept": "application/json", "User-Agent": "presage"}
            )
            request.add_unredirected_header(*authorisation)
            try:
                with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                    body = answer.read(LARGEST_PAGE)
                    page = json.loads(body)
                    if not isinstance(page, dict):
                        raise DataError(f"{base} answers with no JSON object")
                    return page, dict(answer.headers.items())
            except urllib.error.HTTPError as error:
                with error:
                    _refuse(error, base)
                    why, headers = f"answers {error.code}", dict(error.headers.items())
            except ValueError:
                why = "answers with no whole JSON"
            except (OSError, HTTPException) as error:
                why = f"does not answer ({getattr(error, 'reason', None) or error})"
            wait = wait_of(headers, attempt)
            if attempt >= ATTEMPTS or wait > LONGEST_WAIT_SECONDS:
                raise DataError(
                    f"{base} {why}, {attempt} times; what came is kept, and the same import goes "
                    "on after it"
                )
            say(f"{base} {why}; again in {wait:.0f} s")
            sleep(wait)

    return get


def _refuse(error: urllib.error.HTTPError, base: str) -> None:
    if error.code in AGAIN:
        return
    if 300 <= error.code < 400:
        target = error.headers.get("Location", "")
        raise UsageError(f"{base} sends us on to {target!r}: give the address that answers itself")
    if error.code == 401:
        raise UsageError(f"{base} does not take the secret (401): is it of this account?")
    if error.code == 403:
        raise Refused(f"{base} refuses it to this key (403): let it read this, or use another")
    raise UsageError(f"{base} answers {error.code}: is it the address of the account itself?")


def wait_of(headers: Headers, attempt: int) -> float:
    """Seconds until the next attempt: what ``Retry-After`` says (seconds, or a date), else twice as
    long each time."""
    stated = {key.lower(): value for key, value in headers.items()}.get("retry-after", "")
    if re.fullmatch(r"\d+(\.\d+)?", stated.strip()):
        return float(stated)
    moment = email.utils.parsedate_tz(stated) if stated else None
    if moment is not None:
        now = SYSTEM.now().replace(tzinfo=UTC).timestamp()
        return max(0.0, email.utils.mktime_tz(moment) - now)
    return float(2 ** (attempt - 1))
