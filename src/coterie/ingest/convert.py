"""Turning one source value into one field value, in SQL.

A `Converter` gives two expressions over a value `x`: `value(x)`, the typed value or NULL when anything is wrong with
it, cheap enough for every row; and `faults(x)`, everything that is wrong, used for bad rows only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple

import msgspec

from coterie.core.clock import zone
from coterie.core.errors import Invalid
from coterie.core.schema import Field, FieldType
from coterie.ingest.shape import Shape
from coterie.ingest.sql import literal, literals

NUMBER = r"\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"
GROUPED = r"\s*[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+)?(,[0-9]*)?\s*"
ISO_DATE = r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\s*"
EPOCH_MS = "-?[0-9]{11,15}"
"""Whole numbers taken for milliseconds since 1970 where no format is named; shorter ones may be seconds or days."""
ISO_TIME = (
    r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"( ?(Z|z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))?)?\s*"
)
FIRST, LAST = -62_135_596_800_000, 253_402_300_799_999
"""The instants that years 1 to 9999 hold."""
TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
JSON_DIGITS = 15
"""Significant digits that a number in JSON is sure to keep."""


class Style(msgspec.Struct, frozen=True):
    """How the values of one source are written."""

    format: str | None = None
    zone: str = "UTC"
    decimal_comma: bool = False
    true_values: tuple[str, ...] = TRUE
    false_values: tuple[str, ...] = FALSE


class Fault(NamedTuple):
    """A kind of fault: it is there when `condition` holds."""

    condition: str
    code: str
    reason: str


class Converter:
    """Conversion of values of one shape into values of one field.

    Parameters
    ----------
    field : Field
        A scalar field.
    shape : Shape
        What the source holds.
    style : Style
        How it is written.
    where : str
        What errors call the pair.

    Raises
    ------
    Invalid
        ``mapping.type`` when no value of the shape can become one of the field.
    """

    def __init__(self, field: Field, shape: Shape, style: Style, where: str) -> None:
        self.field, self.shape, self.style = field, shape, style
        self.kind = "text" if shape.kind == "json" else shape.kind
        zone(style.zone)
        build = _BASES.get((field.type, self.kind))
        if build is None:
            raise Invalid(
                "mapping.type",
                f"{where}: a {shape.kind} cannot become a {field.type}.",
                hint="Map another part of the source, or change the type of the field.",
            )
        self._base: Callable[[Converter, str], str] = build

    @property
    def total(self) -> bool:
        """Whether the conversion cannot go wrong."""
        same = (self.field.type, self.kind) in _TOTAL
        exact = self.kind != "decimal" or self.field.type is FieldType.STRING
        return same and exact and not self._constraints("x")

    def value(self, x: str) -> str:
        """Return SQL for the field value of `x`, NULL when it is not one."""
        base = self._base(self, x)
        wrong = self._constraints(base)
        if not wrong:
            return base
        return f"CASE WHEN NOT ({' OR '.join(fault.condition for fault in wrong)}) THEN {base} END"

    def faults(self, x: str) -> str:
        """Return SQL for the list of all that is wrong with `x`, each a struct of code and reason."""
        base = self._base(self, x)
        cases = [
            f"CASE WHEN {condition} THEN {{'code': {literal(code)}, 'reason': {literal(reason)}}} END"
            for condition, code, reason in (*self._base_faults(x, base), *self._constraints(base))
        ]
        return f"list_filter([{', '.join(cases)}], lambda f: f IS NOT NULL)"

    def _constraints(self, base: str) -> list[Fault]:
        field, out = self.field, []
        if field.minimum is not None:
            low = _bound(field.minimum)
            out.append(Fault(f"{base} < {literal(low)}", "value.range", f"expected at least {_plain(field.minimum)}"))
        if field.maximum is not None:
            high = _bound(field.maximum)
            out.append(Fault(f"{base} > {literal(high)}", "value.range", f"expected at most {_plain(field.maximum)}"))
        if field.type is not FieldType.STRING:
            return out
        if field.enum and not field.suggested:
            reason = f"expected one of {', '.join(field.enum[:12])}"
            out.append(Fault(f"{base} NOT IN ({literals(field.enum)})", "value.enum", reason))
        if field.pattern is not None:
            condition = f"NOT regexp_matches({base}, {literal(field.pattern)})"
            out.append(Fault(condition, "value.pattern", f"expected text like {field.pattern}"))
        if field.min_length is not None:
            condition = f"length({base}) < {literal(field.min_length)}"
            out.append(Fault(condition, "value.length", f"expected at least {field.min_length} characters"))
        if field.max_length is not None:
            condition = f"length({base}) > {literal(field.max_length)}"
            out.append(Fault(condition, "value.length", f"expected at most {field.max_length} characters"))
        return out

    def _base_faults(self, x: str, base: str) -> list[Fault]:
        """What keeps the base from being there; the conditions exclude each other."""
        kind, missing = self.field.type, f"({x}) IS NOT NULL AND ({base}) IS NULL"
        code = f"value.type.{kind}"
        if kind in (FieldType.INTEGER, FieldType.NUMBER):
            number = self._wide(x)
            whole = f"({number}) = trunc({number})"
            fraction = f"{missing} AND ({number}) IS NOT NULL"
            out = [Fault(f"{missing} AND ({number}) IS NULL", code, f"expected {_ARTICLE[kind]}{self._written}")]
            if kind is FieldType.INTEGER:
                out.append(Fault(f"{fraction} AND NOT ({whole})", code, "expected an integer, found a fraction"))
                return [*out, Fault(f"{fraction} AND {whole}", "value.range", "expected an integer of 64 bits")]
            if self.field.decimals is None:
                return [*out, Fault(fraction, "value.range", "expected a number that a double can hold")]
            limit = 10 ** (18 - self.field.decimals)
            over = f"abs({number}) >= {literal(limit)}"
            return [
                *out,
                Fault(f"{fraction} AND {over}", "value.range", f"expected a number below {limit}"),
                Fault(f"{fraction} AND NOT ({over})", "value.decimals", self._decimals_reason),
            ]
        if kind in (FieldType.DATE, FieldType.DATETIME):
            return [Fault(missing, code, f"expected {_ARTICLE[kind]} {self._written}, between years 1 and 9999")]
        return [Fault(missing, code, f"expected {_ARTICLE.get(kind, 'a value')}{self._written}")]

    @property
    def _decimals_reason(self) -> str:
        reason = f"expected at most {self.field.decimals} decimals"
        if self.shape.kind == "json":
            reason += f" and {JSON_DIGITS} digits (JSON numbers keep no more)"
        return reason

    @cached_property
    def _written(self) -> str:
        style = self.style
        match self.field.type:
            case FieldType.DATETIME if style.format is None:
                return "in ISO 8601, or in milliseconds since 1970"
            case FieldType.DATE | FieldType.DATETIME:
                return f"written as {style.format or 'iso'}"
            case FieldType.NUMBER | FieldType.INTEGER if style.decimal_comma:
                return " written with a decimal comma"
            case FieldType.BOOLEAN if self.kind == "text":
                return f": {', '.join(style.true_values)} or {', '.join(style.false_values)}"
            case _:
                return ""

    # -- numbers ----------------------------------------------------------------------------------------------------

    def digits(self, x: str) -> str:
        """Return SQL for the text of a number with a decimal point, NULL when it is no number."""
        if not self.style.decimal_comma:
            return f"CASE WHEN regexp_full_match({x}, {literal(NUMBER)}) THEN {x} END"
        point = f"replace(replace({x}, '.', ''), ',', '.')"
        return f"CASE WHEN regexp_full_match({x}, {literal(GROUPED)}) AND regexp_matches({x}, '[0-9]') THEN {point} END"

    def _wide(self, x: str) -> str:
        """Return SQL for the number as a double: enough to say what kind of fault it has."""
        if self.kind == "text":
            return f"TRY_CAST({self.digits(x)} AS DOUBLE)"
        wide = f"TRY_CAST({x} AS DOUBLE)"
        return f"CASE WHEN isfinite({wide}) THEN {wide} END"

    def integer_of_text(self, x: str) -> str:
        """Exact 64-bit integer of a text such as 5, +5, 5.0, 5e3."""
        digits = self.digits(x)
        exact = f"TRY_CAST({digits} AS DECIMAL(38,10)) = TRY_CAST({digits} AS BIGINT)"
        return f"CASE WHEN {exact} THEN TRY_CAST({digits} AS BIGINT) END"

    def integer_of_number(self, x: str) -> str:
        """Exact 64-bit integer of a float or decimal."""
        return f"CASE WHEN {x} = trunc({x}) THEN TRY_CAST({x} AS BIGINT) END"

    def decimal_of_text(self, x: str) -> str:
        """Exact decimal of a text; NULL when it has more decimals than the field keeps."""
        decimals, digits = self.field.decimals, self.digits(x)
        narrow = f"TRY_CAST({digits} AS DECIMAL(18,{decimals:d}))"
        text = x if not self.style.decimal_comma else digits
        plain = rf"\s*[+-]?[0-9]*(\.[0-9]{{0,{decimals:d}}}0*)?\s*"
        powers = rf"regexp_matches({text}, '[eE]') AND {narrow} = TRY_CAST({digits} AS DECIMAL(38,18))"
        exact = f"CASE WHEN regexp_full_match({text}, {literal(plain)}) OR ({powers}) THEN {narrow} END"
        if self.shape.kind != "json":
            return exact
        # numbers come out of the JSON parser as doubles: past 15 digits they may not be what was written
        limit = literal(10 ** (JSON_DIGITS - (decimals or 0)))
        return f"CASE WHEN abs({narrow}) < {limit} THEN {exact} END"

    def decimal_of_float(self, x: str) -> str:
        """The decimal whose double is `x`; NULL when a double of so many decimals is another one."""
        narrow = f"TRY_CAST({x} AS DECIMAL(18,{self.field.decimals:d}))"
        return f"CASE WHEN {narrow}::DOUBLE = {x}::DOUBLE THEN {narrow} END"

    def decimal_of_decimal(self, x: str) -> str:
        """The same number with other decimals; NULL when some would be lost."""
        narrow = f"TRY_CAST({x} AS DECIMAL(18,{self.field.decimals:d}))"
        return f"CASE WHEN {narrow} = {x} THEN {narrow} END"

    def number(self, x: str) -> str:
        """Return SQL for a number from a source of any kind."""
        if self.field.decimals is not None:
            match self.kind:
                case "text":
                    return self.decimal_of_text(x)
                case "integer":
                    return f"TRY_CAST({x} AS DECIMAL(18,{self.field.decimals:d}))"
                case "float":
                    return self.decimal_of_float(x)
                case _:
                    return self.decimal_of_decimal(x)
        if self.kind == "text":
            double = f"TRY_CAST({self.digits(x)} AS DOUBLE)"
            return f"CASE WHEN isfinite({double}) THEN {double} END"
        return f"CASE WHEN isfinite({x}::DOUBLE) THEN {x}::DOUBLE END"

    # -- instants ---------------------------------------------------------------------------------------------------

    def local(self, timestamp: str) -> str:
        """Return SQL for the instant of a local time; of a time that comes twice (clocks put back) the first."""
        if self.style.zone == "UTC":
            return _milliseconds(timestamp)
        name = literal(self.style.zone)
        late = f"timezone({name}, {timestamp})"
        shift = f"(timezone({name}, {late} - INTERVAL 1 DAY) + INTERVAL 1 DAY - timezone({name}, {late}))"
        early = f"{late} - {shift}"
        return _milliseconds(f"CASE WHEN timezone({name}, {early}) = {timestamp} THEN {early} ELSE {late} END")

    def _iso(self, x: str) -> str:
        """Return SQL for the instant of ISO 8601 text."""
        text, tail = f"trim({x})", f"substr(trim({x}), 11)"
        offset = f"regexp_replace({text}, ' ?([+-][0-9]{{2}}):?([0-9]{{2}})$', '\\1:\\2')"
        offset = f"regexp_replace({offset}, ' ([+-][0-9]{{2}})$', '\\1')"
        shifted = _milliseconds(f"TRY_CAST({offset} AS TIMESTAMPTZ)")
        universal = _milliseconds(f"TRY_CAST({text} AS TIMESTAMPTZ)")
        moment = (
            f"CASE WHEN regexp_matches({tail}, '[+-]') THEN {shifted}"
            f" WHEN regexp_matches({tail}, '[zZU]') THEN {universal}"
            f" ELSE {self.local(f'TRY_CAST({text} AS TIMESTAMP)')} END"
        )
        return f"CASE WHEN regexp_full_match({x}, {literal(ISO_TIME)}) THEN {moment} END"

    def instant_of_text(self, x: str) -> str:
        """Return SQL for the instant (ms) of a text."""
        match self.style.format:
            case None:
                epoch = self._epoch(f"TRY_CAST(trim({x}) AS DECIMAL(27,6))")
                made = f"CASE WHEN regexp_full_match(trim({x}), '{EPOCH_MS}') THEN {epoch} ELSE {self._iso(x)} END"
            case "iso":
                made = self._iso(x)
            case "epoch" | "epoch_ms":
                made = self._epoch(f"TRY_CAST({self.digits(x)} AS DECIMAL(27,6))")
            case written if "%z" in written or "%Z" in written:
                made = _milliseconds(f"try_strptime({x}, {literal(written)})")
            case written:
                made = self.local(f"try_strptime({x}, {literal(written)})")
        return _inside(made)

    def _epoch(self, number: str) -> str:
        unit = 1000 if self.style.format == "epoch" else 1
        return f"TRY_CAST(floor({number} * {unit}) AS BIGINT)"

    def instant_of_number(self, x: str) -> str:
        """Return SQL for the instant of a number of milliseconds, or of seconds if the format says so."""
        if self.style.format not in (None, "epoch", "epoch_ms"):
            return self.instant_of_text(f"CAST({x} AS VARCHAR)")
        if self.kind == "integer" and self.style.format != "epoch":
            return _inside(f"TRY_CAST({x} AS BIGINT)")
        return _inside(self._epoch(f"TRY_CAST({x} AS DECIMAL(27,6))"))

    def instant(self, x: str) -> str:
        """Return SQL for a date-time from a source of any kind."""
        match self.kind:
            case "text":
                return self.instant_of_text(x)
            case "integer" | "float" | "decimal":
                return self.instant_of_number(x)
            case "instant":
                return _inside(_milliseconds(f"TRY_CAST({x} AS TIMESTAMPTZ)"))
            case _:
                return _inside(self.local(_moderate(f"TRY_CAST({x} AS TIMESTAMP)")))

    def day(self, x: str) -> str:
        """Return SQL for a date (the start of its UTC day) from a source of any kind."""
        match self.kind:
            case "text" if self.style.format in (None, "iso"):
                date = f"CASE WHEN regexp_full_match({x}, {literal(ISO_DATE)}) THEN TRY_CAST({x} AS DATE) END"
            case "text" if self.style.format not in ("epoch", "epoch_ms"):
                date = f"CAST(try_strptime({x}, {literal(self.style.format)}) AS DATE)"
            case "date" | "timestamp":
                date = f"TRY_CAST({x} AS DATE)"
            case "instant":
                date = f"CAST(timezone({literal(self.style.zone)}, TRY_CAST({x} AS TIMESTAMPTZ)) AS DATE)"
            case _:
                date = f"CAST(make_timestamp_ms({self.instant(x)}) AS DATE)"
        return _inside(f"epoch_ms(TRY_CAST({date} AS TIMESTAMP))")

    # -- texts and truths -------------------------------------------------------------------------------------------

    def string(self, x: str) -> str:
        """Return SQL for a text from a source of any kind; a whole float loses its .0 (ids read as floats)."""
        match self.kind:
            case "text":
                return x
            case "float":
                whole = f"{x} = trunc({x}) AND abs({x}) < 9007199254740992"
                return f"CASE WHEN {whole} THEN CAST(CAST({x} AS BIGINT) AS VARCHAR) ELSE CAST({x} AS VARCHAR) END"
            case "instant":
                return f"strftime(timezone('UTC', CAST({x} AS TIMESTAMPTZ)), '%Y-%m-%dT%H:%M:%S.%fZ')"
            case _:
                return f"CAST({x} AS VARCHAR)"

    def boolean(self, x: str) -> str:
        """Return SQL for a truth value from a source of any kind."""
        if self.kind == "boolean":
            return x
        if self.kind == "integer":
            return f"CASE {x} WHEN 1 THEN TRUE WHEN 0 THEN FALSE END"
        plain = f"lower(trim({x}))"
        yes, no = ([value.lower() for value in values] for values in (self.style.true_values, self.style.false_values))
        return f"CASE WHEN {plain} IN ({literals(yes)}) THEN TRUE WHEN {plain} IN ({literals(no)}) THEN FALSE END"


def _moderate(timestamp: str) -> str:
    """Keep a timestamp within what arithmetic with time zones can bear."""
    return f"CASE WHEN {timestamp} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31' THEN {timestamp} END"


def _milliseconds(moment: str) -> str:
    """Return SQL for the milliseconds of a moment, rounded down (``epoch_ms`` rounds to the nearest)."""
    return f"(epoch_us({moment}) - (epoch_us({moment}) % 1000 + 1000) % 1000) // 1000"


def _inside(instant: str) -> str:
    return f"CASE WHEN ({instant}) BETWEEN {FIRST} AND {LAST} THEN ({instant}) END"


def _bound(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value


def _plain(value: float) -> str:
    return f"{value:.15g}"


_ARTICLE = {
    FieldType.INTEGER: "an integer",
    FieldType.NUMBER: "a number",
    FieldType.BOOLEAN: "a truth value",
    FieldType.DATE: "a date",
    FieldType.DATETIME: "a date and time",
    FieldType.STRING: "a text",
}

Base = Callable[[Converter, str], str]


_TEMPORAL = ("date", "timestamp", "instant")
_BASES: Mapping[tuple[FieldType, str], Base] = {
    **{
        (FieldType.STRING, kind): Converter.string
        for kind in ("text", "integer", "float", "decimal", "boolean", *_TEMPORAL)
    },
    (FieldType.INTEGER, "text"): Converter.integer_of_text,
    (FieldType.INTEGER, "integer"): lambda _, x: f"TRY_CAST({x} AS BIGINT)",
    (FieldType.INTEGER, "float"): Converter.integer_of_number,
    (FieldType.INTEGER, "decimal"): Converter.integer_of_number,
    **{(FieldType.NUMBER, kind): Converter.number for kind in ("text", "integer", "float", "decimal")},
    **{(FieldType.BOOLEAN, kind): Converter.boolean for kind in ("text", "integer", "boolean")},
    **{(FieldType.DATE, kind): Converter.day for kind in ("text", "integer", "float", "decimal", *_TEMPORAL)},
    **{(FieldType.DATETIME, kind): Converter.instant for kind in ("text", "integer", "float", "decimal", *_TEMPORAL)},
}
_TOTAL = {
    *((FieldType.STRING, kind) for kind in ("text", "integer", "float", "decimal", "boolean", *_TEMPORAL)),
    (FieldType.BOOLEAN, "boolean"),
}
