"""Scores as a dataset: its schema, the rows of a run as a file, and the mapping by which it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from coterie.core.errors import Invalid
from coterie.core.ids import xid_sql
from coterie.core.schema import PREDICTED, VALID_UNTIL, Field, FieldType, Schema, SchemaClass, read_fields
from coterie.engine.people import read_table
from coterie.ingest.mapping import Mapping, Rule
from coterie.ingest.sql import literal
from coterie.prediction.definition import Model
from coterie.prediction.why.explanation import BUCKETS
from coterie.prediction.why.insights import Migration
from coterie.store import exported
from coterie.store.history import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from coterie.prediction.modelling.scoring import Scores

ROWS = 100_000
"""Rows written to the file at a time."""

_SHARE = {"type": "number", "decimals": 6}

_FACTOR: dict[str, Any] = {
    "code": {"type": "string", "title": "code"},
    "label": {"type": "string", "title": "label"},
    "value": {"type": "number", "title": "value"},
    "value_label": {"type": "string", "title": "value in words"},
    "direction": {"type": "string", "title": "direction", "enum": ["raises", "lowers"], "suggested": True},
    "importance": {"type": "string", "title": "importance", "enum": ["low", "medium", "high"], "suggested": True},
    "contribution": _SHARE | {"title": "contribution to the log-odds"},
    "share": _SHARE | {"title": "share"},
    "peer_range[]": {"type": "number", "title": "usual values in the bucket"},
    "peer_label": {"type": "string", "title": "usual values in words"},
    "counterfactual": {"type": "string", "title": "what would change the bucket"},
}
_FIELDS: dict[str, Any] = {
    "score": {"type": "integer", "title": "score", "minimum": 0, "maximum": 100},
    "probability": _SHARE | {"title": "probability", "minimum": 0, "maximum": 1},
    "interval[]": _SHARE | {"title": "interval of the probability"},
    "percentile": {"type": "integer", "title": "percentile", "minimum": 1, "maximum": 100},
    "rank": {"type": "integer", "title": "rank, the likeliest first", "minimum": 1},
    "bucket": {"type": "string", "title": "bucket", "enum": list(BUCKETS), "suggested": True},
    "propensity_type": {"type": "string", "title": "kind of propensity"},
    "window_days": {"type": "integer", "title": "days of the window"},
    "score_date": {"type": "date-time", "title": "date of the score"},
    "as_of": {"type": "date-time", "title": "instant before which everything lies that was read"},
    VALID_UNTIL: {"type": "date-time", "title": "end of validity"},
    "expected_date": {"type": "date-time", "title": "expected date"},
    "model_version": {"type": "integer", "title": "version of the model"},
    "run_id": {"type": "string", "title": "run"},
    "previous_score": {"type": "integer", "title": "previous score"},
} | {f"{side}[].{name}": field for side in ("factors", "factors_against") for name, field in _FACTOR.items()}


@dataclass(frozen=True)
class Rows:
    """What a run writes to profiles, a row for each person in the order of `people`.

    Parameters
    ----------
    scores : Scores
        Of everybody scored.
    factors, against : ListArray
        What raises and what lowers each score; null where it was not worked out.
    expected : array of int64, optional
        Expected instants, ms; -1 for none.
    previous : array of int16
        Scores of the run before; -1 for none.
    """

    scores: Scores
    factors: pa.ListArray[Any]
    against: pa.ListArray[Any]
    expected: npt.NDArray[np.int64] | None
    previous: npt.NDArray[np.int16]


@dataclass(frozen=True)
class Stamp:
    """What all rows of a run have in common."""

    run: str
    version: int
    as_of: int
    scored_at: int
    valid_until: int


def names(model: Model, taken: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Return the names of the dataset and the schema of a model's scores; with its key where they are taken."""
    dataset, schema = f"Customer AI Scores - {model.name}", f"Customer AI Schema - {model.name}"
    if dataset in taken or schema in taken:
        return f"{dataset} ({model.key})", f"{schema} ({model.key})"
    return dataset, schema


def schema_of(model: Model, name: str, labels: tuple[str, ...]) -> Schema:
    """Return the schema of a model's scores; its fields carry the labels of what the model reads."""
    fields = read_fields({f"{PREDICTED}.{model.key}.{path}": field for path, field in _FIELDS.items()}, name)
    scores = fields[PREDICTED].properties[model.key]
    mine = Field(FieldType.OBJECT, title=model.name, properties=scores.properties, labels=labels)
    root = Field(FieldType.OBJECT, title="Customer AI", properties={model.key: mine})
    return Schema(
        name,
        SchemaClass.PROFILE,
        {PREDICTED: root},
        identity_map=True,
        title=f"Scores of {model.name}",
        description="Written by Customer AI; nothing can be loaded into it by hand.",
    )


def mapping_of() -> Mapping:
    """Return how the file of a run is read."""
    return Mapping({PREDICTED: Rule(PREDICTED), "identityMap": Rule("identityMap")})


@dataclass(frozen=True)
class Previous:
    """The scores that people have from the run before, by person ascending."""

    people: npt.NDArray[np.int32]
    score: npt.NDArray[np.int16]
    bucket: npt.NDArray[np.int8]

    def of(self, people: npt.NDArray[np.int32]) -> npt.NDArray[np.int16]:
        """Return the scores of some people; -1 for those without."""
        if not len(self.people):
            return np.full(len(people), -1, np.int16)
        place = np.minimum(np.searchsorted(self.people, people), len(self.people) - 1)
        return np.where(self.people[place] == people, self.score[place], -1).astype(np.int16)

    def migration(self, people: npt.NDArray[np.int32], bucket: npt.NDArray[np.int8]) -> Migration:
        """Return who moved between buckets since."""
        from coterie.prediction.why.summary import migration

        return migration((self.people, self.bucket), (people, bucket))


def previous(con: DuckDBPyConnection, key: str, batch: int | None, view: str) -> Previous:
    """Return the scores that a batch gave to people, as persons are now; those of the newest row of each."""
    if batch is None:
        return Previous(np.zeros(0, np.int32), np.zeros(0, np.int16), np.zeros(0, np.int8))
    score, bucket = quote(f"{PREDICTED}.{key}.score"), quote(f"{PREDICTED}.{key}.bucket")
    found = con.execute(
        f"""
        SELECT p.person, arg_max(r.{score}, r."$row")::SMALLINT AS score,
               arg_max(list_position($1::VARCHAR[], r.{bucket}) - 1, r."$row")::TINYINT AS bucket
        FROM record r JOIN {quote(f"person_of_{view}")} p ON p.identity = r."$identity"
        WHERE r."$batch" = $2 AND r.{score} IS NOT NULL GROUP BY p.person ORDER BY p.person
        """,
        [list(BUCKETS), batch],
    ).fetchnumpy()
    return Previous(*(np.asarray(found[name]) for name in ("person", "score", "bucket")))


def write(con: DuckDBPyConnection, path: Path, model: Model, rows: Rows, stamp: Stamp) -> None:
    """Write what a run writes to profiles as a Parquet file, in the form of the schema."""
    writer: pq.ParquetWriter | None = None
    scores, rank = rows.scores, _ranks(rows.scores)
    try:
        for start in range(0, len(scores), ROWS):
            at = slice(start, min(start + ROWS, len(scores)))
            table = _table(con, model, rows, rank[at], stamp, at)
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _ranks(scores: Scores) -> npt.NDArray[np.int64]:
    """Return the place of each person from the likeliest on, from 1; of equal ones the lower number comes first."""
    rank = np.empty(len(scores), np.int64)
    rank[np.lexsort((scores.people, -scores.probability))] = np.arange(1, len(scores) + 1)
    return rank


def _table(
    con: DuckDBPyConnection, model: Model, rows: Rows, rank: npt.NDArray[np.int64], stamp: Stamp, at: slice
) -> pa.Table:
    scores, n = rows.scores, at.stop - at.start
    both = np.column_stack([scores.low[at], scores.high[at]]).reshape(-1)
    columns: dict[str, pa.Array[Any]] = {
        "score": pa.array(scores.score[at].astype(np.int64)),
        "probability": pa.array(scores.probability[at]),
        "interval": pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * 2), pa.array(both)),
        "percentile": pa.array(scores.percentile[at].astype(np.int64)),
        "rank": pa.array(rank),
        "bucket": _words(scores.bucket[at], BUCKETS),
        "propensity_type": _same(model.propensity, n),
        "window_days": _same(model.goal.window_days, n),
        "score_date": _instants(np.full(n, stamp.scored_at)),
        "as_of": _instants(np.full(n, stamp.as_of)),
        VALID_UNTIL: _instants(np.full(n, stamp.valid_until)),
        "expected_date": _instants(np.full(n, -1) if rows.expected is None else rows.expected[at]),
        "model_version": _same(stamp.version, n),
        "run_id": _same(stamp.run, n),
        "previous_score": pa.array(rows.previous[at].astype(np.int64), mask=rows.previous[at] < 0),
        "factors": rows.factors.slice(at.start, n),
        "factors_against": rows.against.slice(at.start, n),
    }
    mine = pa.StructArray.from_arrays(list(columns.values()), names=list(columns))
    root = pa.StructArray.from_arrays([mine], names=[model.key])
    return pa.table({"identityMap": _identities(con, scores.people[at]), PREDICTED: root})


def _identities(con: DuckDBPyConnection, people: npt.NDArray[np.int32]) -> pa.Array[Any]:
    """Return for each person the identity that names the person, as an identity map of one entry."""
    con.register("coterie_scored", {"person": people, "place": np.arange(len(people), dtype=np.int32)})
    found = read_table(
        con,
        "SELECT n.code, i.value FROM coterie_scored s JOIN identity i ON i.identity = s.person "
        "JOIN namespace n ON n.namespace = i.namespace ORDER BY s.place",
    ).combine_chunks()
    con.unregister("coterie_scored")
    offsets: Any = pa.array(np.arange(len(people) + 1, dtype=np.int32))
    entry: Any = pa.StructArray.from_arrays(
        [found.column("value").combine_chunks(), pa.array(np.ones(len(people), bool))], names=["id", "primary"]
    )
    codes: Any = found.column("code").combine_chunks()
    lists: Any = pa.ListArray.from_arrays(offsets, entry)
    made: pa.Array[Any] = pa.MapArray.from_arrays(offsets, codes, lists)
    return made


def _same(value: str | int, n: int) -> pa.Array[Any]:
    return pa.repeat(pa.scalar(value), n)


def _words(places: npt.NDArray[np.integer[Any]], words: tuple[str, ...]) -> pa.Array[Any]:
    numbers: Any = pa.array(places.astype(np.int32))
    return pa.DictionaryArray.from_arrays(numbers, pa.array(words)).cast(pa.string())


def _instants(at: npt.NDArray[np.int64]) -> pa.Array[Any]:
    return pa.array(at.astype(np.int64), mask=at < 0).cast(pa.timestamp("ms", tz="UTC"))


# -- what was written -------------------------------------------------------------------------------------------------


def scores(con: DuckDBPyConnection, key: str, batch: int, view: str) -> Scores:
    """Return the scores that a batch gave to people, as persons are now, by person; those of the newest row of each."""
    from coterie.prediction.modelling.scoring import Scores

    def newest(sql: str) -> str:
        return f'arg_max({sql}, r."$row")'

    at = {
        name: f"r.{quote(f'{PREDICTED}.{key}.{name}')}" for name in ("score", "probability", "percentile", "interval")
    }
    bucket = f"list_position($1::VARCHAR[], r.{quote(f'{PREDICTED}.{key}.bucket')}) - 1"
    found = con.execute(
        f"""
        SELECT p.person::INTEGER AS people, {newest(at["probability"])}::DOUBLE AS probability,
               {newest(at["score"])}::TINYINT AS score, {newest(at["percentile"])}::TINYINT AS percentile,
               {newest(bucket)}::TINYINT AS bucket, {newest(f"{at['interval']}[1]")}::DOUBLE AS low,
               {newest(f"{at['interval']}[2]")}::DOUBLE AS high
        FROM record r JOIN {quote(f"person_of_{view}")} p ON p.identity = r."$identity"
        WHERE r."$batch" = $2 GROUP BY p.person ORDER BY p.person
        """,
        [list(BUCKETS), batch],
    ).fetchnumpy()
    return Scores(**{name: np.asarray(values) for name, values in found.items()})


FORMATS = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": "FORMAT csv, HEADER",
    "ndjson": "FORMAT json",
}
_ENDINGS = {".parquet": "parquet", ".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}


def format_of(path: Path) -> str:
    """Return the format that a file name ends with; raises ``export.format``."""
    found = _ENDINGS.get(path.suffix.casefold())
    if found is None:
        raise Invalid(
            "export.format",
            f"{path.name} does not say by its ending in which format scores are to be written.",
            hint=f"Let it end in {', '.join(_ENDINGS)}, or name a format: {', '.join(FORMATS)}.",
            where={"file": path.name},
        )
    return found


def export(con: DuckDBPyConnection, key: str, batch: int, path: Path, format_: str) -> int:
    """Write the scores of a batch to a file that appears whole or not at all, and return how many they are.

    A row has the id of the person, the identity by which it was scored in a column of its namespace, the values, and
    the reasons: objects in Parquet and NDJSON, JSON text in CSV.
    """
    if format_ not in FORMATS:
        raise Invalid(
            "export.format",
            f"cannot write scores as {format_!r}.",
            hint=f"Formats are {', '.join(FORMATS)}.",
            where={"file": path.name},
        )
    codes = [code for (code,) in con.execute("SELECT code FROM namespace ORDER BY namespace").fetchall()]
    mine = _source(batch)
    used = {code for (code,) in con.execute(f"SELECT DISTINCT n.code {mine}").fetchall()}
    columns = [f"{_PERSON} AS person"]
    columns += [
        f"CASE WHEN n.code = {literal(code)} THEN i.value END AS {quote(code)}" for code in codes if code in used
    ]
    columns += [f"{sql} AS {name}" for name, sql in _exported(key).items()]
    columns += [_objects(key, side, text=format_ == "csv") for side in ("factors", "factors_against")]
    order = quote(f"{PREDICTED}.{key}.probability")
    statement = f'SELECT {", ".join(columns)} {mine} ORDER BY r.{order} DESC, r."$row"'
    with exported.whole(path) as partial:
        rows = con.execute(f"COPY ({statement}) TO {literal(str(partial))} ({FORMATS[format_]})").fetchall()
    return int(rows[0][0])


_PERSON = f"'p-' || {xid_sql('n.code', 'i.value')}"


def _source(batch: int) -> str:
    """Return SQL for the rows of a batch, each with the identity by which it was scored."""
    return (
        'FROM record r JOIN identity i ON i.identity = r."$identity" JOIN namespace n ON n.namespace = i.namespace '
        f'WHERE r."$batch" = {batch:d}'
    )


def page(con: DuckDBPyConnection, key: str, batch: int, limit: int, after: int) -> list[dict[str, Any]]:
    """Return the scores of a batch with ranks after one, the likeliest first, with their reasons."""
    at = {name: f"r.{quote(f'{PREDICTED}.{key}.{name}')}" for name in ("rank", "interval")}
    columns = {
        "person": _PERSON,
        "identity": "n.code || ':' || i.value",
        **_exported(key),
        "interval": f"{at['interval']}::DOUBLE[]",
        "expected_date": f"r.{quote(f'{PREDICTED}.{key}.expected_date')}",
    }
    selected = [f"{sql} AS {name}" for name, sql in columns.items()]
    selected += [_objects(key, side, text=False) for side in ("factors", "factors_against")]
    rows = con.execute(
        f"SELECT {', '.join(selected)} {_source(batch)} AND {at['rank']} > $1 ORDER BY {at['rank']} LIMIT $2",
        [after, limit],
    )
    names = [item[0] for item in rows.description or ()]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def _exported(key: str) -> dict[str, str]:
    def at(name: str) -> str:
        return f"r.{quote(f'{PREDICTED}.{key}.{name}')}"

    instants = ("as_of", "score_date", VALID_UNTIL, "expected_date")
    return (
        {
            name: at(name)
            for name in ("score", "percentile", "rank", "bucket", "previous_score", "propensity_type", "window_days")
        }
        | {"probability": f"{at('probability')}::DOUBLE"}
        | {f"interval_{end}": f"{at('interval')}[{place}]::DOUBLE" for place, end in ((1, "low"), (2, "high"))}
        | {name: f"make_timestamp_ms({at(name)})" for name in instants}
        | {name: at(name) for name in ("model_version", "run_id")}
    )


def _objects(key: str, side: str, *, text: bool) -> str:
    """Return SQL for the reasons of one side as a list of objects."""
    names = [name.removesuffix("[]") for name in _FACTOR]
    item = ", ".join(f"{name} := r.{quote(f'{PREDICTED}.{key}.{side}.{name}')}[i]" for name in names)
    code = f"r.{quote(f'{PREDICTED}.{key}.{side}.code')}"
    objects = f"list_transform(range(1, coalesce(len({code}), 0) + 1), lambda i: struct_pack({item}))"
    return f"{f'to_json({objects})' if text else objects} AS {side}"
