"""The command line: `coterie …`, the verbs of the façade, one file a noun."""

from __future__ import annotations

import typer

from coterie.cli import (
    ai,
    audience,
    computed,
    dataset,
    identity,
    ingest,
    linking,
    policy,
    pql,
    privacy,
    profile,
    retention,
    schema,
    settings,
    system,
)
from coterie.cli.verb import shared

EPILOG = """
Exit codes: 0 done; 1 something went wrong inside; 2 the request or the data is wrong; 3 a named thing does not exist;
4 it contradicts what is there; 5 this version cannot do it; 6 another process holds the workspace; 7 stored data cannot
be read; 130 stopped by Ctrl-C. Errors go to standard error, with --json as {"error": {"code", "message", ...}}.
"""

app = typer.Typer(
    name="coterie",
    help="An open, self-hosted real-time customer data platform.",
    epilog=" ".join(EPILOG.split()),
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.callback()(shared)
system.add(app)
linking.add(identity.app)
identity.app.add_typer(settings.app, name="settings")
for noun in (schema, dataset, ingest, identity, profile, policy, computed, audience, ai, retention, privacy, pql):
    app.add_typer(noun.app, name=noun.__name__.rsplit(".", 1)[-1])


def main() -> None:
    """Run the command line."""
    app()
