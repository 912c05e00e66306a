"""Sources: which files are read, in which order, and how they are written."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from coterie.core.errors import Invalid
from coterie.ingest import delimited, document, lines, structure, text
from coterie.ingest.shape import Shape

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Kind(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class SourceFormat(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How the files of a source are written; what is left out is detected.

    `delimiter`, `quote`, `header` and `null` (texts that stand for no value) concern CSV, `encoding` CSV and JSONL
    (any name that Python knows, default UTF-8 or what a byte order mark says).
    """

    kind: Kind | None = None
    delimiter: str | None = None
    quote: str = '"'
    header: bool = True
    encoding: str | None = None
    null: tuple[str, ...] = ("",)


class SourceFile(msgspec.Struct, frozen=True):
    """A file: where it lies, what it is called in reports, and its size."""

    path: str
    name: str
    bytes: int


class Source(msgspec.Struct, frozen=True):
    """Files of one kind in a fixed order. Made by `resolve`."""

    files: tuple[SourceFile, ...]
    format: SourceFormat

    @property
    def kind(self) -> Kind:
        """The kind of all files."""
        assert self.format.kind is not None
        return self.format.kind

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)

    def relocated(self, paths: Sequence[Path]) -> Source:
        """Return the source with its files at other paths (copies), under the same names and in the same order."""
        files = [msgspec.structs.replace(file, path=str(path)) for file, path in zip(self.files, paths, strict=True)]
        return msgspec.structs.replace(self, files=tuple(files))

    def dialect(self, file: SourceFile) -> delimited.Dialect:
        """Return the CSV dialect of a file, its delimiter detected from its first line when none is given."""
        first = next(text.pieces(file.path, file.name, self.format.encoding), b"")
        return delimited.detect(first, self.format.delimiter, self.format.quote, self.format.header, file.name)

    def describe(self, con: DuckDBPyConnection, file: SourceFile | None = None) -> dict[str, Shape]:
        """Return the columns of a file (default the first) with their shapes; of JSON lines, the keys seen first."""
        file = file or self.files[0]
        match self.kind:
            case Kind.CSV:
                return dict.fromkeys(self.dialect(file).columns, Shape("text"))
            case Kind.JSONL:
                return json_columns(con, file, self.format.encoding)
            case Kind.PARQUET:
                return parquet_columns(con, file)


def json_columns(con: DuckDBPyConnection, file: SourceFile, encoding: str | None) -> dict[str, Shape]:
    """Return the keys that the first rows of a file of JSON lines have, with their shapes."""
    first = next(text.pieces(file.path, file.name, encoding), b"\n")
    con.register("$lines", next(lines.batches(iter((first,)))).slice(0, structure.SAMPLE))
    try:
        paths, _ = structure.paths(con, 'SELECT "$text" AS text FROM "$lines"')
    finally:
        con.unregister("$lines")
    columns = document.shape_of(paths)
    return {} if isinstance(columns, str) else columns


def parquet_columns(con: DuckDBPyConnection, file: SourceFile) -> dict[str, Shape]:
    """Return the columns of a Parquet file with their shapes; raises ``ingest.unreadable-file``."""
    try:
        query = "SELECT * FROM read_parquet($path, binary_as_string=true, hive_partitioning=false) LIMIT 0"
        relation = con.sql(query, params={"path": escaped(file.path)})
        return {name: Shape.of(type_) for name, type_ in zip(relation.columns, relation.types, strict=True)}
    except Exception as error:
        raise engine_fault(error, file.name) from error


def escaped(path: str) -> str:
    """Return a path that the engine does not take for a glob."""
    return glob.escape(path)


def engine_fault(error: Exception, name: str) -> Exception:
    """Return what to raise for an error of the engine while it read a file: coded, if the file was the reason."""
    if type(error).__module__.split(".")[0] in ("duckdb", "_duckdb") and type(error).__name__ in _FILE_FAULTS:
        return unreadable(name, str(error).split("\n")[0])
    return error


_FILE_FAULTS = {"IOException", "InvalidInputException", "SerializationException", "InternalException", "Error"}


def unreadable(name: str, why: str) -> Invalid:
    """Build the error for a file that cannot be read."""
    return text.unreadable(name, why)


_SUFFIXES = {
    ".csv": Kind.CSV,
    ".tsv": Kind.CSV,
    ".txt": Kind.CSV,
    ".jsonl": Kind.JSONL,
    ".ndjson": Kind.JSONL,
    ".json": Kind.JSONL,
    ".parquet": Kind.PARQUET,
    ".pq": Kind.PARQUET,
}


def resolve(paths: Sequence[Path | str], format: SourceFormat | None = None) -> Source:  # noqa: A002
    """Find the files of a load.

    Parameters
    ----------
    paths : sequence of paths
        Files; folders (their data files, deep, by name; hidden ones left out); globs.
    format : SourceFormat, optional
        What is known of how they are written; the rest is detected from suffix and content.

    Returns
    -------
    Source
        The files in reading order: as given, by name within folders and globs; each once.

    Raises
    ------
    Invalid
        ``ingest.no-files``; ``ingest.unreadable-file`` for a missing or empty one; ``ingest.mixed-formats``.
    """
    given = format or SourceFormat()
    found = list(dict.fromkeys(path for item in paths for path in _expand(Path(item))))
    if not found:
        raise Invalid(
            "ingest.no-files",
            f"no data files in {', '.join(str(path) for path in paths)}.",
            hint=f"Give files, folders or globs of {', '.join(_SUFFIXES)}, plain or .gz.",
        )
    common = Path(found[0]).parent if len(found) == 1 else _common(found)
    files = tuple(_file(path, path.relative_to(common).as_posix()) for path in found)
    kinds = {file.name: given.kind or detect(file) for file in files}
    kind = kinds[files[0].name]
    for name, other in kinds.items():
        if other is not kind:
            raise Invalid(
                "ingest.mixed-formats",
                f"{files[0].name} is {kind} and {name} is {other}; one load reads one kind of file.",
                hint="Load them apart, or name the format.",
                where={"file": name},
            )
    return Source(files, msgspec.structs.replace(given, kind=kind))


def _expand(path: Path) -> Iterator[Path]:
    if path.is_dir():
        inside = sorted(item for item in path.rglob("*") if item.is_file() and _suffix(item) in _SUFFIXES)
        yield from (item for item in inside if not any(part.startswith(".") for part in item.relative_to(path).parts))
    elif not path.exists() and any(mark in str(path) for mark in "*?["):
        yield from sorted(item for item in map(Path, glob.glob(str(path), recursive=True)) if item.is_file())  # noqa: PTH207
    else:
        yield path


def _common(paths: Sequence[Path]) -> Path:
    parents = [set(path.parents) for path in paths]
    return max(set.intersection(*parents), key=lambda path: len(path.parts), default=Path())


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _file(path: Path, name: str) -> SourceFile:
    try:
        size = path.stat().st_size
        path.open("rb").close()
    except OSError as error:
        raise unreadable(str(path), error.strerror or type(error).__name__) from error
    if size == 0:
        raise unreadable(str(path), "it is empty")
    return SourceFile(str(path), name, size)


def detect(file: SourceFile) -> Kind:
    """Return the kind of a file by its first bytes, then its suffix; raises ``ingest.unknown-format``."""
    first = text.head(file.path, file.name)
    if first.startswith(b"PAR1"):
        return Kind.PARQUET
    kind = _SUFFIXES.get(_suffix(Path(file.path)))
    if kind is None:
        kind = Kind.JSONL if first.lstrip().startswith(b"{") else Kind.CSV
    if kind is Kind.PARQUET:
        raise unreadable(file.name, "it does not begin like a Parquet file")
    if kind is Kind.JSONL and first.lstrip().startswith(b"["):
        raise Invalid(
            "ingest.unknown-format",
            f"{file.name} is one JSON array; expected one JSON object a line.",
            hint="Turn it into JSON lines, e.g. with `jq -c '.[]'`.",
            where={"file": file.name},
        )
    return kind
