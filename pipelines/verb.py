"""What every verb has in common: its options, its errors, its exit codes.

A verb is a function that takes its options and returns a ``Result``. ``@verb(app)`` makes it a
command: ``--json`` prints the result's data, a ``PresageError`` becomes one line and its exit
code, anything unexpected one line and exit 1, with the traceback only under ``--debug``.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from data.clock import naive_utc
from data.errors import PresageError, UsageError, in_words
from pipelines.console import Result, emit, say

Dir = Annotated[Path, typer.Argument(help="The workspace: a folder with tables/ and presage.toml.")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="T", help="UTC; default: [data] complete_to, or the last day."),
]
Publish = Annotated[
    bool,
    typer.Option(
        "--publish",
        help="Publish also what is past, older than what is published, or short of columns.",
    ),
]
Retrain = Annotated[
    bool,
    typer.Option("--retrain", help="Train a model on what was known at --as-of, and use that."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write here: .csv, .parquet, .xlsx or .jsonl."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def verb(app: typer.Typer, name: str | None = None) -> Callable[..., Any]:
    """Register a function that returns a ``Result`` as a command of ``app``."""

    def register(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def command(*args: Any, **options: Any) -> None:
            as_json = bool(options.get("as_json"))
            try:
                quiet_threads()
                result = function(*args, **options)
            except PresageError as error:
                if options.get("debug"):
                    raise
                _fail(str(error), type(error).__name__, as_json)
                raise typer.Exit(error.exit_code) from None
            except KeyboardInterrupt:
                _fail("stopped; what was finished is kept", "Interrupted", as_json)
                raise typer.Exit(130) from None
            except Exception as error:
                if options.get("debug"):
                    raise
                failure = in_words(error)
                if failure is not None:
                    _fail(str(failure), type(failure).__name__, as_json)
                    raise typer.Exit(failure.exit_code) from None
                words = " ".join(str(error).split())[:400]
                message = f"unexpected {type(error).__name__}: {words} (--debug shows where)"
                _fail(message, type(error).__name__, as_json)
                raise typer.Exit(1) from None
            emit(result, as_json)
            raise typer.Exit(result.exit_code)

        app.command(name)(command)
        return function

    return register


def quiet_threads() -> None:
    """Threads that wait asleep, before any library starts some: spinning ones starve the others."""
    from data.settings import set_environment

    set_environment({"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"})


def _fail(message: str, kind: str, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps({"error": message, "type": kind}) + "\n")
    else:
        say(f"presage: {message}")


def parse_time(text: str, option: str = "--as-of") -> datetime:
    """A time as typed, in UTC and naive; a date means 00:00 UTC.

    >>> parse_time("2026-03-01")
    datetime.datetime(2026, 3, 1, 0, 0)
    >>> parse_time("2026-03-01T12:00:00+02:00")
    datetime.datetime(2026, 3, 1, 10, 0)
    """
    try:
        return naive_utc(datetime.fromisoformat(text.strip()))
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is not a time; write 2026-03-01 or 2026-03-01T12:00:00Z"
        ) from None


def parse_times(text: str, option: str) -> list[datetime]:
    """Several times, separated by commas, in ascending order, each once."""
    times = sorted({parse_time(part, option) for part in text.split(",") if part.strip()})
    if not times:
        raise UsageError(f"{option} is empty; write 2026-03-01,2026-04-01")
    return times


def parse_days(text: str, option: str = "--horizons") -> tuple[int, ...]:
    """Whole numbers of days, separated by commas, ascending.

    >>> parse_days("7,30,14")
    (7, 14, 30)
    """
    try:
        days = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise UsageError(f"{option} {text!r} is not a list of days; write 7,14,30") from None
    if days[0] < 1:
        raise UsageError(f"{option} {text!r} has a horizon below one day")
    return days
