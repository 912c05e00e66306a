"""Every row of the table of constructs, in both dialects on the same data, value by value."""

from __future__ import annotations

import math
from decimal import Decimal
from operator import itemgetter

import duckdb
import pytest

from coterie.engine.sql.constructs import (
    CONSTRUCTS,
    NULL,
    among,
    binary,
    build,
    cast,
    choose,
    column,
    decimal,
    function,
    no,
    or_null,
    pairs,
    part,
    present,
    read,
    render,
    text,
    variable,
    whole,
)
from coterie.engine.sql.doubles import known_to
from coterie.engine.sql.spark.tables import SETTINGS

EDGES = [0, 1, -1, 7, -7, 2, (1 << 63) - 1, -(1 << 63) + 1]
NUMBERS = ["0", "0.01", "-0.01", "7.5", "-7.5", "2", "9999999999999999.99", "-9999999999999999.99"]
DOUBLES = [0.0, -0.0, 1.5, -7.25, 2.0, 0.1, 1e300, 5e-324, math.inf, -math.inf, math.nan]
SIGMA = "\N{GREEK SMALL LETTER SIGMA}"
TEXTS = [
    "", "a", "A", "abc", "ABC", "b", "c", "%", "_", "\\", "a\\b", "a%b", "a_b", "a'b", 'a"b', "a\nb", "a\tb", "a b ",
    "ß", "ẞ", "\N{LATIN SMALL LETTER LONG S}", "s", "S", "İ", "i", "I", "\N{LATIN SMALL LETTER DOTLESS I}",
    "ς", SIGMA, "Σ", "ΑΣ", "É", "é", "e\u0301", "😀", "a😀b", "Ǆ", "ǅ", "1", "07",
    "-1.5", "+2", "1e3", "1.", ".5", " 1", "NaN", "\N{ARABIC-INDIC DIGIT ONE}", "0.0000000000000000005",
    "1e-30", "99999999999999999999", "1e400",
    "2024-02-29", "null",
]  # fmt: skip
DAY = 86_400_000
INSTANTS = [
    0, -1, 1, 951_782_400_000, 951_782_399_999, 1_709_164_800_123, 1_706_659_200_000, 1_735_603_199_999,
    -62_135_596_800_000, 253_402_300_799_999, -2_208_988_800_001,
]  # fmt: skip
LISTS = [[], [None], [1], [1, None], [2, 1, 2], [1, 2, 3], [3, None, 1, 3], [(1 << 63) - 1, (1 << 63) - 1], [-1, 0]]
TEXT_LISTS = [[], [None], ["a"], ["a", None], ["b", "a", "b"], ["A"], ["😀", "ß"], [""]]
PATTERNS = ["", "%", "_", "a%", "%b", "a_b", "a\\%b", "a\\_b", "a\\\\b", "\\\\", "__", "a%b%"]

COMPILED = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
"""What Spark does of itself, and large tables need: the constructs are tried as code, all else is interpreted."""
CODES = [code for code in range(1, 0x1F000) if not 0xD800 <= code <= 0xDFFF]
WIDEST = ["0", "1", "-3", "9" * 19, "9" * 38, "-" + "9" * 38, None]
MOMENTS = [
    None, "", "2024-02-29", "2023-02-29", "2024-2-9", "2024-13-01", "0000-01-01", "0001-01-01", "9999-12-31",
    "2024-02-29T", "2024-02-29T10:00", "2024-02-29 10:00", "2024-02-29T10:00:00", "2024-02-29T10:00:00Z",
    "2024-02-29T10:00:00.1Z", "2024-02-29T10:00:00.123456789Z", "2024-02-29T10:00:00,5+02:00",
    "2024-02-29T10:00:00+02", "2024-02-29T10:00:00-0530", "2024-02-29T10:00Z", "2024-02-29T25:00:00Z",
    "2024-02-29T10:60:00Z", "2024-02-29T10:00:60Z", "1969-12-31T23:59:59.9995Z", "2024-02-29T10:00:00z",
    " 2024-02-29", "2024-02-29 ", "2024-02-29T10:00:00.Z", "2024-02-29T10:00:00+14:00", "20240229",
    "2024-02-29T10:00:00 Z", "+2024-02-29", "2024-02-29T10:00:00UTC", "2024-02-29T23:59:59.999999-12:00", "infinity",
    "epoch",
]  # fmt: skip
NEW_LETTERS = {0x1C89, 0x1C8A, *range(0xA7CB, 0xA7DD), *range(0x10D50, 0x10D86), *range(0x16EA0, 0x16ED4)}
"""Letters of Unicode 16 and 17 that have both cases."""
CHANGES = [
    1_711_846_800_000,
    1_730_012_400_000,
    1_710_054_000_000,
    1_730_613_600_000,
    1_712_415_600_000,
    1_325_239_200_000,
]
"""Instants at which clocks of some of the time zones are set, and the day that Apia left out."""
TABLES = {
    "whole": ("a BIGINT, b BIGINT", [(a, b) for a in [*EDGES, None] for b in [*EDGES, None]]),
    "exact": ("a DECIMAL(18, 2), b DECIMAL(18, 2)", [(a, b) for a in [*NUMBERS, None] for b in [*NUMBERS, None]]),
    "real": ("a DOUBLE, b DOUBLE", [(a, b) for a in [*DOUBLES, None] for b in [*DOUBLES, None]]),
    "texts": ("a VARCHAR, b VARCHAR", [(a, b) for a in [*TEXTS, None] for b in [*TEXTS, None]]),
    "truths": ("a BOOLEAN, b BOOLEAN", [(a, b) for a in (True, False, None) for b in (True, False, None)]),
    "times": ("t BIGINT, n BIGINT", [(t, n) for t in [*INSTANTS, None] for n in (0, 1, -1, 12, -12, 13, 25, None)]),
    "clocks": (
        "t BIGINT",
        [(at + step * 1_800_000 + more,) for at in CHANGES for step in range(-60, 61) for more in (0, -1)],
    ),
    "dates": (
        "y BIGINT, m BIGINT, d BIGINT",
        [
            (y, m, d)
            for y in (None, -1, 0, 1, 1582, 1900, 2000, 2023, 2024, 9999, 10_000, 1 << 40)
            for m in (None, 0, 2, 10, 12, 13, 1 << 40)
            for d in (None, 0, 1, 5, 29, 30, 31, 32, -1, 1 << 40)
        ],
    ),
    "lists": (
        "a BIGINT[], b BIGINT[], v BIGINT, n BIGINT",
        [
            (a, b, v, n)
            for a in [*LISTS, None]
            for b in [*LISTS, None]
            for v, n in ((1, 1), (None, None), (2, 0), (9, 3), (3, 7))
        ],
    ),
    "words": (
        "a VARCHAR[], b VARCHAR[], v VARCHAR",
        [(a, b, v) for a in [*TEXT_LISTS, None] for b in [*TEXT_LISTS, None] for v in ("a", "A", "", "ß", None)],
    ),
    "nested": ("a BIGINT[][]", [([],), (None,), ([[1], None, [2, None]],), ([[]],), ([None],), ([[3, 1], [2]],)]),
    "sums": ("a DECIMAL(18, 2)[]", [([],), (None,), ([None],), (["1.10", None, "2.25"],), (["9" * 16] * 3,)]),
    "doubles": (
        "a DOUBLE[]",
        [
            (values,)
            for values in (
                [], [1.5], [None, 0.1], [0.1] * 10, [1e16, 1.0, -1e16], [1e308, 1e308, -1e308], [0.1, 0.2, 0.3, None],
                [1e16, 1.0, 1e-16], [1e16, 1.0, -1e-16], [2.0**53, 1.0, 2.0**-53],
                [2.0**53, -0.5, -(2.0**-54)],
                [math.inf, 1.0], [math.inf, -math.inf], [math.nan, 1.0], [-0.0], [5e-324, 5e-324],
                [1e100, 1.0, -1e100, 1.0],
                [2.0**53, 1.0, 2.0**-60], [-(2.0**53), -1.0, -(2.0**-60)], [3.3, -3.3], [1.1, 2.2, 3.3, -6.6, 1e-17],
            )
        ],
    ),
    "widest": (
        "a DECIMAL(38, 0), b DECIMAL(38, 0)",
        [(a, b) for a in WIDEST for b in WIDEST],
    ),
    "huge": ("a DECIMAL(38, 0)[]", [(["9" * 38, "1"],), (["9" * 38, "-1"],), (["9" * 38, "9" * 38, "5"],), ([None],)]),
    "moments": ("a VARCHAR", [(moment,) for moment in MOMENTS]),
    "groups": (
        "g INTEGER, i BIGINT, d DECIMAL(18, 2), x DOUBLE, s VARCHAR",
        [
            (1, 5, "1.10", 0.5, "a"), (1, 5, "2.20", 0.25, "A"), (1, None, None, None, None),
            (1, 3, "-0.05", -1.5, "a"),
            (2, None, None, None, None), (3, (1 << 63) - 1, "9999999999999999.99", 1e300, "ß"),
            (3, (1 << 63) - 1, "9999999999999999.99", 1e300, "ẞ"), (4, 0, "0", 0.0, ""), (4, -7, "7", 2.0, "b"),
        ],
    ),
}  # fmt: skip


def of(table, *names):
    return [column(table, name) for name in names]


def lists(table):
    return of(table, "a", "b")


def taken(name, body):
    return function(name, body(variable(name)))


COMPARED = {
    (op, table): build(op, *of(table, "a", "b"))
    for op in ("=", "!=", "<", "<=", ">", ">=")
    for table in ("whole", "exact", "real")
} | {
    (op, table): build(op, *of(table, "a", "b"))
    for op in ("=", "!=")
    for table in ("texts", "truths", "lists", "words")
}


def exactly(op, table, scale, result):
    sides = [cast(side, f"DECIMAL(38, {scale})") for side in of(table, "a", "b")]
    if op == "%":
        sides[1] = or_null(sides[1], whole(0))
    return cast(build(op, *sides), f"DECIMAL(38, {result})")


CALCULATED = {
    (op, table, scale): exactly(op, table, scale, scale + scale if op == "*" else scale)
    for op, table, scale in [
        *((op, "whole", 0) for op in "+-%"),
        *((op, "exact", scale) for op in "+-%" for scale in (2, 6)),
        ("*", "whole", 0),
        ("*", "exact", 2),
    ]
    if not (op == "*" and table == "whole")
} | {
    ("/", "real", 0): build("/", column("real", "a"), or_null(column("real", "b"), whole(0))),
    ("%", "real", 0): build("%", column("real", "a"), or_null(column("real", "b"), whole(0))),
    ("+", "real", 0): build("+", *of("real", "a", "b")),
    ("-", "real", 0): build("-", *of("real", "a", "b")),
    ("*", "real", 0): build("*", *of("real", "a", "b")),
    ("/", "whole", 0): build(
        "/", cast(column("whole", "a"), "DOUBLE"), or_null(cast(column("whole", "b"), "DOUBLE"), whole(0))
    ),
    ("/", "exact", 0): build(
        "/", cast(column("exact", "a"), "DOUBLE"), or_null(cast(column("exact", "b"), "DOUBLE"), whole(0))
    ),
}

OF_TEXT = {
    ("lower",): build("lower", column("texts", "a")),
    ("contains",): build("contains", *of("texts", "a", "b")),
    ("starts_with",): build("starts_with", *of("texts", "a", "b")),
    ("ends_with",): build("ends_with", *of("texts", "a", "b")),
} | {("like", pattern): build("like", column("texts", "a"), text(pattern)) for pattern in PATTERNS}

OF_TIME = (
    {
        ("year",): build("year", column("times", "t")),
        ("month",): build("month", column("times", "t")),
        ("day_of_month",): build("day_of_month", column("times", "t")),
        ("date",): build("date", *of("dates", "y", "m", "d")),
    }
    | {
        ("add_months", months): build("add_months", column("times", "t"), whole(months))
        for months in (0, 1, -1, 12, -12, 13, -25)
    }
    | {
        (name, zone): build(name, column("clocks", "t"), text(zone))
        for name in ("local_time", "instant_of_local")
        for zone in ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata")
    }
)

OF_LISTS = {
    ("element",): build("element", *of("lists", "a", "n")),
    ("size",): build("size", column("lists", "a")),
    ("count_present",): build("count_present", column("lists", "a")),
    ("greatest",): build("greatest", build("size", column("lists", "a")), build("size", column("lists", "b"))),
    ("up_to",): build("up_to", build("size", column("lists", "a"))),
    ("joined_items",): build("joined_items", column("nested", "a")),
    ("keep",): build("keep", column("lists", "a"), taken("x", lambda x: build(">", x, column("lists", "v")))),
    ("each",): build("each", column("lists", "a"), taken("x", lambda x: or_null(x, column("lists", "v")))),
    ("min_items",): build("min_items", column("lists", "a")),
    ("max_items",): build("max_items", column("lists", "a")),
    ("has_item",): build("has_item", *of("lists", "a", "v")),
    ("has_item", "words"): build("has_item", *of("words", "a", "v")),
    ("first_items",): build("first_items", *of("lists", "a", "n")),
    ("sorted_items",): build(
        "each",
        build(
            "sorted_items",
            build(
                "each",
                build("keep", column("lists", "a"), taken("x", present)),
                taken("x", lambda x: pairs(k=build("-", whole(0), x), p=whole(1))),
            ),
        ),
        taken("y", lambda y: part(y, "k")),
    ),
    ("sum_items",): build("sum_items", column("lists", "a"), whole(0)),
    ("sum_items", 2): build("sum_items", column("sums", "a"), whole(2)),
    ("position",): build(
        "position", build("keep", column("lists", "a"), taken("x", present)), column("lists", "v")
    ),
    ("sorted_down",): build(
        "each",
        build(
            "sorted_down",
            build(
                "each",
                build("keep", column("lists", "a"), taken("x", present)),
                taken("x", lambda x: pairs(k=x, p=whole(1))),
            ),
        ),
        taken("y", lambda y: part(y, "k")),
    ),
    ("distinct_in_order", "lists"): build("distinct_in_order", column("lists", "a")),
    ("distinct_in_order", "words"): build("distinct_in_order", column("words", "a")),
    ("sum_doubles",): build("sum_doubles", column("doubles", "a")),
    ("attempt", "+"): build("attempt", exactly("+", "widest", 0, 0)),
    ("attempt", "*"): build("attempt", exactly("*", "widest", 0, 0)),
    ("attempt", "-"): build("attempt", exactly("-", "widest", 2, 2)),
    ("attempt", "cast"): build("attempt", cast(column("widest", "a"), "DECIMAL(38, 18)")),
    ("attempt", "sum"): build("attempt", build("sum_items", column("huge", "a"), whole(0))),
    ("escaped_pattern",): build("escaped_pattern", column("texts", "a")),
    ("like", "column"): build("like", column("texts", "a"), build("escaped_pattern", column("texts", "b"))),
    ("read_instant",): build("read_instant", column("moments", "a")),
    ("read_instant", "texts"): build("read_instant", column("texts", "a")),
} | {
    (name, table): build(name, *lists(table))
    for name in ("has_any", "has_all")
    for table in ("lists", "words")
}  # fmt: skip
OF_SETS = {("distinct_items", table): build("distinct_items", column(table, "a")) for table in ("lists", "words")} | {
    ("common_items", table): choose(
        build(">", build("size", build("common_items", *lists(table))), whole(0)),
        build("common_items", *lists(table)),
        NULL,
    )
    for table in ("lists", "words")
}
"""Constructs that promise no order of their items."""

GROUPED = (
    {
        (name, of_): build(name, column("groups", of_))
        for name in ("count", "count_distinct", "sum", "min", "max")
        for of_ in "idxs"
        if not (name == "sum" and of_ in "xs")
    }
    | {
        ("listed", *of_): build("listed", *(column("groups", name) for name in of_))
        for of_ in ("isx", "dsx", "ix", "xis")
    }
    | {("smallest", of_, n): build("smallest", column("groups", of_), whole(n)) for of_ in "id" for n in (1, 2, 9)}
)

NUMERIC = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
TREES = {
    "read": choose(
        build("matches", column("texts", "a"), text(NUMERIC)), read(column("texts", "a"), "DECIMAL(38, 18)"), NULL
    ),
    "escaped": build("=", column("texts", "a"), text("a\\b")),
    "quoted": build("=", column("texts", "a"), text("a'b")),
    "newline": build("=", column("texts", "a"), text("a\nb")),
    "emoji": build("=", column("texts", "a"), text("😀")),
    "among": among(column("texts", "a"), [text("ß"), text("%"), text('a"b')]),
    "not among": no(among(column("texts", "a"), [text("ß")])),
    "or null": or_null(column("texts", "a"), text("a")),
    "chosen": choose(build("=", *of("texts", "a", "b")), whole(1), whole(-1)),
    "nearest double": build("=", column("real", "a"), binary(Decimal("0.1"))),
    "decimal": build("<", column("exact", "a"), decimal(Decimal("7.50"), 2)),
    "wide": build("<", cast(column("whole", "a"), "DECIMAL(38, 2)"), decimal(Decimal("-123456789012345678901.25"), 2)),
    "unlike scales": build(
        "=",
        cast(column("exact", "a"), "DECIMAL(38, 6)"),
        cast(decimal(Decimal("0.0"), 1), "DECIMAL(38, 1)"),
    ),
    "rounded": cast(cast(column("whole", "a"), "DECIMAL(38, 0)"), "DOUBLE"),
    "struct": part(pairs(outer=column("whole", "a"), inner=column("whole", "b")), "inner"),
}

COLUMNS = {**COMPARED, **CALCULATED, **OF_TEXT, **OF_TIME, **OF_LISTS, **OF_SETS}
EXPRESSIONS = [
    NUMERIC, "", "^$", "a", "^a$", "(?i)a", "(?i)^ABC$", "(?i)s", "(?i)ß", f"(?i){SIGMA}", "(?i)i", "(?i)[^a-z]",
    r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", r"\b", r"\B", r"^\w+$", ".", "^.$", "(?s)^.$", "a.b", "(?s)a.b",
    "(?m)^b", "(?m)a$", "(?m)^$", r"\Aa", r"b\z", "[[:alpha:]]", "[[:^alpha:]]", "[^a]", "[]a]", "[a-c]+", r"[\d_-]",
    r"\p{L}", r"\pN", r"\P{L}", r"\p{Greek}", r"\p{^Greek}", r"[^\p{L}\d]", r"\x{1F600}", r"\xdf", r"\Q%_\E|\\", "a|b|",
    "(a|b)+", "(?:a|ab)c", "a{2}|b{1,}|c{0,1}d", "{", "a{,2}", "(?U)a+", "(?i:A)B", "(?-i)a", r"\t|\n", r"\\", r"\.",
]  # fmt: skip
CAPTURED = [
    ("(a)", 1), ("(a)|(b)", 1), ("(a)|(b)", 2), ("^(.)(.)?", 2), ("(?P<x>[0-9]+)", 1), ("a(x?)", 1), ("(?i)(b)", 0),
    ("^", 0), ("([a-z])*", 1), ("(?:(a)|b)+", 1), ("", 0), (r"(\W)", 1), ("(a+?)(b*)", 2), ("b|(a)b", 1),
]  # fmt: skip


def tables_of(tree):
    return {found.table for found in tree.find_all(type(column("t", "c"))) if found.table}


def plain(value):
    match value:
        case float() if math.isnan(value):
            return "not a number"
        case Decimal() | float() | int() if not isinstance(value, bool):
            return value if isinstance(value, float) else Decimal(value)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case _:
            return value


@pytest.fixture(scope="module")
def both(spark, tmp_path_factory):
    """Return a function that runs a query in both dialects and returns the two lists of rows, as lists of columns."""
    folder = tmp_path_factory.mktemp("tables")
    con = duckdb.connect()
    session = spark.newSession()
    for name, value in (SETTINGS | COMPILED).items():
        session.conf.set(name, value)
    con.execute(
        "CREATE TABLE characters AS SELECT code AS row, chr(code) AS a FROM (SELECT unnest($1) AS code)", [CODES]
    )
    known_to(con)
    for name, (columns, rows) in TABLES.items():
        con.execute(f'CREATE TABLE "{name}" (row INTEGER, {columns})')
        marks = f"({', '.join('?' * (len(rows[0]) + 1))})"
        values = [value for place, row in enumerate(rows) for value in (place, *row)]
        con.execute(f'INSERT INTO "{name}" VALUES {", ".join([marks] * len(rows))}', values)
    for name in (*TABLES, "characters"):
        con.execute(f"COPY \"{name}\" TO '{folder}/{name}.parquet' (FORMAT parquet)")
        session.read.parquet(f"{folder}/{name}.parquet").createOrReplaceTempView(name)

    def run(trees, table, key, tail=""):
        names = [f"c{place}" for place in range(len(trees))]
        found = []
        for dialect, ask in (
            ("duckdb", lambda sql: con.sql(sql).fetchall()),
            ("spark", lambda sql: _rows(session.sql(sql))),
        ):
            chosen = ", ".join(f"{render(tree, dialect)} AS {name}" for tree, name in zip(trees, names, strict=True))
            rows = sorted(ask(f"SELECT {key}, {chosen} FROM {table} {tail}"), key=itemgetter(0))
            found.append([[plain(value) for value in values] for values in zip(*rows, strict=True)][1:])
        return found

    return run


def _rows(answer):
    table = answer.toArrow()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def compared(both, trees, unordered=frozenset()):
    """Run trees by the table they read; return the names of those that differ, with the first difference."""
    wrong = {}
    for table in TABLES:
        mine = {name: tree for name, tree in trees.items() if tables_of(tree) == {table}}
        if not mine:
            continue
        duck, spark = both(list(mine.values()), table, "row")
        for name, ours, theirs in zip(mine, duck, spark, strict=True):
            if name in unordered:
                ours, theirs = ([value and sorted(value) for value in values] for values in (ours, theirs))
            differing = [
                (row, a, b) for row, a, b in zip(TABLES[table][1], ours, theirs, strict=True) if repr(a) != repr(b)
            ]
            if differing:
                wrong[name] = differing[:3]
    return wrong


def test_every_row_of_the_table_is_compared():
    patterns = {"matches", "regex_group"}
    assert {name[0] for name in (*COLUMNS, *GROUPED)} | patterns == set(CONSTRUCTS)


def test_constructs_over_columns(both):
    assert compared(both, COLUMNS, OF_SETS) == {}


def test_trees_that_sqlglot_writes(both):
    assert compared(both, TREES) == {}


def test_aggregates(both):
    duck, spark = both(list(GROUPED.values()), "groups", "g", "GROUP BY g")
    assert dict(zip(GROUPED, duck, strict=True)) == dict(zip(GROUPED, spark, strict=True))


def test_expressions_that_match(both):
    trees = {pattern: build("matches", column("texts", "a"), text(pattern)) for pattern in EXPRESSIONS}
    assert compared(both, trees) == {}


def test_groups_of_expressions(both):
    trees = {
        (pattern, number): build("regex_group", column("texts", "a"), text(pattern), whole(number))
        for pattern, number in CAPTURED
    }
    assert compared(both, trees) == {}


def test_every_character_has_one_lower_case_form(both):
    """Letters of a Unicode version that one of the two does not know yet are no part of this."""
    patterns = (r"\w", r"\s", "(?i)^[a-z]$", f"(?i)^[µß{SIGMA}]$", ".")
    characters = column("characters", "a")
    trees = [build("lower", characters), *(build("matches", characters, text(pattern)) for pattern in patterns)]
    duck, spark = both(trees, "characters", "row")
    differing = {
        code
        for ours, theirs in zip(duck, spark, strict=True)
        for code, a, b in zip(CODES, ours, theirs, strict=True)
        if a != b
    }
    assert differing <= NEW_LETTERS
