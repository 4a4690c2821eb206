"""docs/reference.md, made from code: ``python -m lab.reference > docs/reference.md``.

>>> page = reference()
>>> "## Settings" in page, "### presage train" in page, "### `POST /v1/predictions`" in page
(True, True, True)
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

import typer

from data.settings_text import commented_toml
from pipelines.cli import app
from serving.api.calls import CALLS
from serving.api.route import Parameter, Route

TOP = """# Reference

Made from the code by `python -m lab.reference > docs/reference.md`; a test fails when it is stale.
What is promised to stay stands in [CONTRACT.md](CONTRACT.md); features in
[features.md](features.md), Python in [python.md](python.md), calls with examples in
[api.md](api.md) and under `/docs` of a service.

## Settings

`presage init DIR` writes this file, `presage settings DIR` tells what holds and why.

```toml
"""
COMMON = ("as_json", "debug", "help")


def reference() -> str:
    """The page, as Markdown."""
    lines = [TOP + commented_toml().strip(), "```", "", "## Verbs", ""]
    lines += ["Each takes `--json` for machines, `--debug` for tracebacks, and `--help`."]
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        lines += ["", f"### presage {name}", "", *_verb(command)]
    lines += ["", "## Endpoints", ""]
    lines += ["`/openapi.json` describes each with its bodies and problems."]
    for route in CALLS:
        lines += ["", f"### `{route.method} {route.path}`", "", *_call(route)]
    return "\n".join(lines) + "\n"


def _verb(command: Any) -> Iterator[str]:
    """What it does, examples apart, and its arguments and options as a table."""
    for part in inspect.cleandoc(command.help or "").split("\n\n"):
        example = re.fullmatch(r"Example:\s+(.+)", part.replace("\n", " "))
        yield from (f"    {example[1]}", "") if example else (" ".join(part.split()), "")
    rows = [one for one in command.params if one.name not in COMMON]
    if rows:
        yield "| | | default |"
        yield "|---|---|---|"
    for one in rows:
        names = one.opts + one.secondary_opts if one.param_type_name == "option" else [one.name]
        shown = ", ".join(f"`{name.upper() if name == one.name else name}`" for name in names)
        yield f"| {shown} | {_cell(one.help or '')} | {_default(one)} |"


def _default(one: Any) -> str:
    if one.required:
        return "needed"
    nothing = one.default is None or one.default is False or one.default in ("", [], ())
    return "" if nothing or callable(one.default) else f"`{one.default}`"


def _call(route: Route) -> Iterator[str]:
    scope = f"scope `{route.scope}`" if route.scope else "open to all"
    body = f"; takes {route.body.__name__}" if inspect.isclass(route.body) else ""
    answer = f"; answers {route.answers.__name__}" if inspect.isclass(route.answers) else ""
    effect = "; heeds `Idempotency-Key`" if route.effect else ""
    yield f"{route.summary}. {scope.capitalize()}{body}{answer}{effect}."
    if route.parameters:
        yield ""
        yield "| | | |"
        yield "|---|---|---|"
    yield from (_parameter(one) for one in route.parameters)


def _parameter(one: Parameter) -> str:
    kind = one.format or (", ".join(f"`{c}`" for c in one.choices) if one.choices else one.kind)
    needed = ", needed" if one.required else ""
    return f"| `{one.name}` | {one.place}{needed}, {kind} | {_cell(one.description)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
