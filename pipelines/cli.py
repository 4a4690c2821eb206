"""The command line. Each verb lives in ``pipelines/commands``; none imports anything heavy until
it runs, so that ``presage --help`` answers at once."""

from __future__ import annotations

import typer

from pipelines.commands import bringing, delivery, forecasting, loop, planning, workspace

app = typer.Typer(
    name="presage",
    help="Forecasts customer complaints before they happen, and acts on the forecast.",
    epilog="Start with: presage demo. Then: presage init DIR, presage import ADAPTER SOURCE DIR.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
workspace.register(app)
bringing.register(app)
forecasting.register(app)
loop.register(app)
planning.register(app)
delivery.register(app)


def main() -> None:
    """The entry point ``presage``."""
    app()
