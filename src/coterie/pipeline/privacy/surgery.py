"""Surgery: the files of a batch again, without the rows of some identities, or with other identities in them.

What is to be changed is found while a batch is staged (`Surgery.inspect`), so that a batch that holds nothing of the
kind costs no second reading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.core.schema import Schema
from coterie.governance.traces import Sought
from coterie.ingest import owners
from coterie.ingest.mapping import Mapping
from coterie.ingest.rewrite import Range, rewrite, rewrite_parquet, texts
from coterie.ingest.source import Kind, Source, SourceFile
from coterie.pipeline.privacy.mentions import lines_with, redacted_row, redacting, redacting_table, rows_with
from coterie.pipeline.privacy.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BLOCK = 4 << 20


@dataclass(frozen=True)
class FileChange:
    """What becomes of a file: good rows of the persons, bad ones that are theirs or mention them, and all rows' number.

    `mentions` counts the further rows, of other persons, whose text holds a value that is sought for.
    """

    own: tuple[Range, ...]
    bad: tuple[Range, ...]
    rows: int
    mentions: int

    @property
    def touched(self) -> bool:
        """Whether the file has to be written again."""
        return bool(self.own or self.bad or self.mentions)


@dataclass
class Surgery:
    """What is to be changed in the files of a batch.

    Parameters
    ----------
    con : DuckDBPyConnection
        Where the batch is staged; its TEMP table ``concerned`` holds the identities.
    source : Source
        The files.
    schema, mapping
        How they are read.
    sought : Sought
        What is looked for in the text of rows, if anything.
    chosen : str, optional
        SQL for the ``"$row"`` of the staged rows that go; default those that hold an identity of ``concerned``.
    """

    con: DuckDBPyConnection
    source: Source
    schema: Schema
    mapping: Mapping
    sought: Sought | None = None
    chosen: str | None = None
    changes: list[FileChange] = field(default_factory=list)

    def inspect(self) -> None:
        """Find what is to be changed; to be called while the bad rows are in ``stage`` too."""
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE stage_concerned AS {self.chosen or owners.rows(self.schema)}")
        self.changes = [self._change(number, file) for number, file in enumerate(self.source.files)]

    @property
    def touched(self) -> bool:
        """Whether any file has to be written again."""
        return any(change.touched for change in self.changes)

    @property
    def rows(self) -> int:
        """The number of rows of the persons, bad ones included."""
        return sum(len(change.own) + len(change.bad) for change in self.changes)

    def _change(self, number: int, file: SourceFile) -> FileChange:
        staged = self.con.execute(
            'SELECT "$row", "$line", "$ok", "$row" IN (SELECT "$row" FROM stage_concerned) AS own '
            'FROM stage WHERE "$file" = $1 ORDER BY "$row"',
            [number],
        ).fetchnumpy()
        starts, own = np.asarray(staged["$line"]), np.asarray(staged["own"], bool)
        ends = np.append(starts[1:] - 1, owners.LAST)[: len(starts)]
        mentioned = np.zeros(len(starts), bool)
        header = 0
        if self.sought is not None:
            if self.source.kind is Kind.PARQUET:
                mentioned[rows_with(Path(file.path), self.sought)] = True
            else:
                lines = lines_with(Path(file.path), self.source.format.encoding, self.sought)
                at = np.searchsorted(starts, np.array(lines, np.int64), side="right") - 1
                mentioned[at[at >= 0]] = True
                header = int((at < 0).sum())
        good = np.asarray(staged["$ok"], bool)
        own, bad, mentioned = own & good, (own | mentioned) & ~good, mentioned & good & ~own
        of_own, of_bad = (tuple(zip(starts[mask].tolist(), ends[mask].tolist(), strict=True)) for mask in (own, bad))
        return FileChange(of_own, of_bad, len(starts), header + int(mentioned.sum()))

    def write(self, number: int, target: Path, pseudonyms: Pseudonyms | None = None) -> bool:
        """Write a file again; return whether any row is left in it.

        Parameters
        ----------
        number : int
            Which file of the source.
        target : Path
            Where it is written; not the file itself.
        pseudonyms : Pseudonyms, optional
            What takes the place of the identities in the persons' rows; without it the rows go.
        """
        change, path = self.changes[number], Path(self.source.files[number].path)
        keeps = pseudonyms is not None
        gone = change.bad if keeps else (*change.own, *change.bad)
        if len(gone) == change.rows:
            return False
        sought = self.sought if change.mentions else None
        if self.source.kind is Kind.PARQUET:
            edits = {} if pseudonyms is None else {first - 1: self._anonymous(pseudonyms) for first, _ in change.own}
            rewrite_parquet(
                path, target, [first - 1 for first, _ in gone], edits, redacting_table(sought) if sought else None
            )
            return True
        encoding = self.source.format.encoding
        instead: list[tuple[Range, bytes | None]] = [(row, None) for row in gone]
        if pseudonyms is not None and change.own:
            old = texts(path, encoding, change.own)
            new = pseudonyms.texts(old, self.source, self.source.files[number], self.schema, self.mapping)
            clean = redacting(self.sought) if self.sought else bytes
            instead += zip(change.own, map(clean, new), strict=True)
        instead.sort(key=lambda item: item[0])
        rewrite(path, target, encoding, instead, redacting(sought) if sought else None)
        return True

    def _anonymous(self, pseudonyms: Pseudonyms) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def edit(row: dict[str, Any]) -> dict[str, Any]:
            made = pseudonyms.document(row, schema=self.schema, mapping=self.mapping)
            return redacted_row(made, self.sought) if self.sought else made

        return edit

    def described(self, number: int, item: dict[str, Any], path: Path, *, anonymous: bool = False) -> dict[str, Any]:
        """Return what the log says of a file of the source after it was written again at `path`.

        Text keeps an empty line for every line that went, so that reports of bad rows go on naming the right ones. Of a
        Parquet file the log keeps the numbers of the rows that went (`gone`).
        """
        digest, change = sha256(), self.changes[number]
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
        told = {**item, "bytes": path.stat().st_size, "sha256": digest.hexdigest()}
        if self.source.kind is Kind.PARQUET:
            before, gone = item.get("gone", []), change.bad if anonymous else (*change.own, *change.bad)
            told["gone"] = sorted([*before, *(_original(first, before) for first, _ in gone)])
        return told


def as_they_came(change: FileChange, item: dict[str, Any]) -> list[Range]:
    """Return the lines of the persons' rows as they were when the file came, which reports of bad rows name."""
    gone = item.get("gone", [])
    return [(_original(first, gone), _original(last, gone)) for first, last in (*change.own, *change.bad)]


def _original(line: int, gone: Sequence[int]) -> int:
    """Return the number that a row had before the rows numbered `gone` went."""
    for before in gone:
        line += before <= line
    return line
