"""`coterie ai`: how likely a goal is for every customer, and why."""

from __future__ import annotations

import typer

from coterie.cli.ai import answers, models, people, runs

app = typer.Typer(
    help="Customer AI: how likely a goal is for every customer, and why. create, check, run, explain.",
    no_args_is_help=True,
)
for part in (models, runs, answers, people):
    part.add(app)
