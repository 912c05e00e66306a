"""Write the parts of the reference that the program itself knows: `docs/reference/cli.md` and `openapi.json`.

Run by `./dev docs`; a test says when what is committed is out of date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from coterie.api.app import describe
from coterie.cli import app
from language import with_functions

REFERENCE = Path(__file__).parent / "reference"
SHARED = ("workspace", "sandbox", "json", "now", "help")

HEAD = """# The command line

Made by `./dev docs` from the program's own help.

```
coterie [options] NOUN VERB [options] …
```

## Everywhere

These stand before the noun or after the verb.

| option | meaning |
|---|---|
| `--workspace`, `-w` | Directory of the workspace; else `COTERIE_WORKSPACE`, else `workspace` |
| `--sandbox` | Name of the sandbox; else `COTERIE_SANDBOX`, else `prod` |
| `--json` | Print the result as JSON: the same data as the tables, and as over HTTP |
| `--now` | Take this instant (ISO 8601) for the present one |
| `--help` | Say what the noun or verb does |

`COTERIE_CATALOG` names a PostgreSQL database for the catalog, as `postgresql+psycopg://…`; `{sandbox}` in it stands for
the sandbox's name.

Results go to standard output, progress and errors to standard error. With `--json` an error is
`{"error": {"code", "message", "hint", "where"}}`; codes are in [errors.md](errors.md).

## Exit codes

| code | meaning |
|---|---|
| 0 | Done |
| 1 | Something went wrong inside |
| 2 | The request or the data is wrong |
| 3 | A named thing does not exist |
| 4 | The request contradicts what is there |
| 5 | This version cannot do it |
| 6 | Another process holds the workspace |
| 7 | Stored data cannot be read |
| 130 | Stopped by Ctrl-C |

## While a server runs

One process holds a sandbox at a time. While `coterie serve` does, verbs marked *reads* are answered by it over HTTP,
with the same output; the others end with `workspace.served` (exit code 6), which names its URL. The
verbs of `pql` need no workspace when `--schema` is given.
"""

READS = {
    "status", "schema list", "schema groups", "schema show", "schema union", "dataset list", "dataset show",
    "ingest batches", "ingest show", "ingest quarantine", "identity namespaces", "identity graph", "identity stats",
    "identity explain", "identity simulate", "identity decisions",
    "profile show", "profile why", "profile count", "profile sample", "profile report", "profile conflicts",
    "policy list", "policy show", "policy compare",
    "pql check", "pql explain-text",
    "audience list", "audience show", "audience check", "audience count", "audience members", "audience history",
    "ai list", "ai show", "ai check", "ai goal", "ai due", "ai runs", "ai insights", "ai evaluation", "ai card",
    "ai value", "ai drift", "ai outcomes", "ai migration", "ai explain", "ai score", "ai plot",
    "retention show", "audience overlap", "audience analyse", "audience diff",
}  # fmt: skip


def verbs(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every verb with its full name."""
    for word, command in group.commands.items():
        full = f"{name} {word}".strip()
        if hasattr(command, "commands"):
            yield from verbs(command, full)
        else:
            yield full, command


def cli() -> str:
    """Return the reference of the command line."""
    root = typer.main.get_command(app)
    parts = [HEAD]
    noun = ""
    for name, command in verbs(root):
        first = name.split(" ")[0] if " " in name else "workspace"
        if first != noun:
            noun = first
            title = "The workspace" if noun == "workspace" else noun
            parts.append(f"\n## {title}\n")
        parts.append(_verb(name, command))
    return "\n".join(parts).rstrip() + "\n"


def _verb(name: str, command: Any) -> str:
    own = [item for item in command.params if item.name not in SHARED and item.name != "context"]
    arguments = [item for item in own if item.param_type_name == "argument"]
    words = " ".join(_word(item) for item in arguments)
    lines = [f"### `coterie {name}{f' {words}' if words else ''}`\n"]
    lines.append(command.help.strip() + (" *(reads)*" if name in READS else "") + "\n")
    options = [item for item in own if item.param_type_name == "option"]
    if own:
        lines.append("| | |\n|---|---|")
        lines += [f"| `{item.name.strip('_').upper()}` | {item.help or ''} |" for item in arguments]
        lines += [f"| {', '.join(f'`{opt}`' for opt in item.opts)} | {_meaning(item)} |" for item in options]
        lines.append("")
    return "\n".join(lines)


def _word(argument: Any) -> str:
    word = argument.name.strip("_").upper() + ("…" if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _meaning(option: Any) -> str:
    if option.required:
        return f"{option.help} Required."
    shown = option.default not in (None, "", False, [])
    return f"{option.help or ''}{f' Default {option.default}.' if shown else ''}".strip()


def openapi() -> str:
    """Return the OpenAPI document."""
    return json.dumps(describe(), indent=2, ensure_ascii=False) + "\n"


def language() -> str:
    """Return the reference of the language, its part on functions made anew."""
    return with_functions((REFERENCE / "pql.md").read_text(encoding="utf-8"))


GENERATED = {"cli.md": cli, "openapi.json": openapi, "pql.md": language}

if __name__ == "__main__":
    for name, write in GENERATED.items():
        (REFERENCE / name).write_text(write(), encoding="utf-8")
