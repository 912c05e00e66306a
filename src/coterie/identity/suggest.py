"""Pairs of people who are perhaps one, scored by Fellegi and Sunter's model of splink (an extra).

Only pairs that agree in what blocks are compared, so that the work grows with them and not with the square of people.
The model learns from the data itself how much agreement in each field says. It suggests; a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from itertools import combinations
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from coterie.core.errors import Invalid, Unsupported
from coterie.core.ids import Identity, person_id, xid
from coterie.core.schema import FieldType, Leaf
from coterie.identity import graph
from coterie.identity.cluster import components
from coterie.store.history import quote

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

LEAST = 0.5
"""Pairs that are less probable are not kept."""
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99)
MOST_PAIRS = 20_000_000
"""So many pairs are compared at most by one block."""
FEW_PAIRS = 20
"""Fewer pairs teach the model nothing."""
SELECTIVE = 10
"""Blocks with more pairs than this for each person hold too few matches to teach it anything."""
SAMPLE = 1_000_000
SEED = 84

_CONVERGENCE = 0.01
"""A finer one drives what no match shows to zero."""
_QUIET = "ERROR"
_RARE = 0.001
"""Nothing is taken for rarer than this among pairs that match: what the data did not show may still happen."""
_SIMILAR = (0.92, 0.8)
"""Thresholds of the Jaro-Winkler similarity of texts."""

Block = tuple[str, ...]


class Agreement(msgspec.Struct, frozen=True):
    """What two people have in a field, and what that adds to the match weight."""

    field: str
    left: str | None
    right: str | None
    weight: float


class Suggestion(msgspec.Struct, frozen=True):
    """Two people who are perhaps one.

    `pair` names the suggestion; `a` and `b` are an identity of each, which a merge would join. `weight` is the match
    weight: the binary logarithm of the odds that the agreements make, and `probability` what follows.
    """

    pair: str
    a: Identity
    b: Identity
    probability: float
    weight: float
    agreements: tuple[Agreement, ...]


class Threshold(msgspec.Struct, frozen=True):
    """What accepting all pairs from a probability on would do: how many people would merge, and how many be left."""

    probability: float
    pairs: int
    merging: int
    people: int


class Suggestions(msgspec.Struct, frozen=True):
    """Scored pairs.

    Parameters
    ----------
    people : int
        People with a value in one of the fields.
    compared : int
        Pairs that the blocks gave.
    fields : tuple of str
        What was compared.
    blocks : tuple of tuples of str
        Pairs agree in all fields of one of these.
    forbidden : int
        Pairs probable enough that cannot be merged: a unique namespace or a decision forbids it.
    thresholds : tuple of Threshold
        What accepting would do, by probability.
    pairs : tuple of Suggestion
        Those from the threshold on, the surest first.
    """

    people: int
    compared: int
    fields: tuple[str, ...]
    blocks: tuple[Block, ...]
    forbidden: int
    thresholds: tuple[Threshold, ...]
    pairs: tuple[Suggestion, ...]


class Terms(msgspec.Struct, frozen=True):
    """Who cannot be merged: codes of unique namespaces, and of those never linked."""

    unique: tuple[str, ...]
    unlinked: tuple[str, ...]


def suggest(
    con: DuckDBPyConnection, view: str, leaves: Sequence[Leaf], blocks: Sequence[Block], terms: Terms, threshold: float
) -> Suggestions:
    """Score pairs of people.

    Parameters
    ----------
    con : DuckDBPyConnection
        Connection to the history.
    view : str
        Whose profiles; one that follows the identity graph.
    leaves : sequence of Leaf
        The attributes to compare, two or more single values.
    blocks : sequence of tuples of str
        Paths that a pair must have in common to be compared; chosen by counting when empty.
    terms : Terms
        Who cannot be merged.
    threshold : float
        Pairs from this probability on are returned, at least `LEAST`.

    Raises
    ------
    Unsupported
        ``suggest.extra`` when splink is not installed.
    Invalid
        ``suggest.block`` when a block gives too many pairs, or none is found that does not.
    """
    paths = tuple(leaf.path for leaf in leaves)
    people = _people(con, view, leaves)
    sized = _sized(con, view, leaves, blocks)
    if not any(sized.values()):
        nothing = tuple(Threshold(at, 0, 0, people.num_rows) for at in THRESHOLDS)
        return Suggestions(people.num_rows, 0, paths, tuple(sized), 0, nothing, ())
    scored = _score(people, leaves, list(sized))
    left, right = (scored[f"unique_id_{side}"].to_numpy().astype(np.int32) for side in "lr")
    kept = ~_forbidden(con, view, left, right, terms)
    named = _linkable(con, np.unique(np.concatenate([left[kept], right[kept]])), terms)
    kept &= np.isin(left, list(named)) & np.isin(right, list(named))
    left, right, rows = left[kept], right[kept], scored.take(np.flatnonzero(kept))
    probability = rows["match_probability"].to_numpy()
    chosen = np.flatnonzero(probability >= threshold)
    order = chosen[np.lexsort((right[chosen], left[chosen], -rows["match_weight"].to_numpy()[chosen]))]
    return Suggestions(
        people.num_rows,
        sum(sized.values()),
        paths,
        tuple(sized),
        int((~kept).sum()),
        tuple(_threshold(at, left, right, probability, people.num_rows) for at in THRESHOLDS),
        tuple(
            _suggestion(row, named[int(left[place])], named[int(right[place])], paths)
            for place, row in zip(order.tolist(), rows.take(order).to_pylist(), strict=True)
        ),
    )


def _people(con: DuckDBPyConnection, view: str, leaves: Sequence[Leaf]) -> pa.Table:
    columns = ", ".join(f"{_value(leaf)} AS f{place}" for place, leaf in enumerate(leaves))
    given = " OR ".join(f"{quote(leaf.path)} IS NOT NULL" for leaf in leaves)
    # splink keeps tables of its own, so it works on a database of its own
    query = f'SELECT person AS unique_id, {columns} FROM "profile_{view}" WHERE {given} ORDER BY person'
    people: pa.Table = con.sql(query).to_arrow_table()
    return people


def _value(leaf: Leaf) -> str:
    text = f"CAST({quote(leaf.path)} AS VARCHAR)"
    return f"nullif(lower(trim({text})), '')" if _is_text(leaf) else text


def _is_text(leaf: Leaf) -> bool:
    return leaf.field.type is FieldType.STRING and not leaf.field.enum


# -- blocks -----------------------------------------------------------------------------------------------------------


def _sized(con: DuckDBPyConnection, view: str, leaves: Sequence[Leaf], asked: Sequence[Block]) -> dict[Block, int]:
    """Return the blocks to use with the number of pairs that each gives."""
    by_path = {leaf.path: leaf for leaf in leaves}

    def pairs(block: Block) -> int:
        columns = ", ".join(_value(by_path[path]) for path in block)
        given = " AND ".join(f"{_value(by_path[path])} IS NOT NULL" for path in block)
        ((count,),) = con.execute(
            f"SELECT coalesce(sum(n * (n - 1) // 2), 0)::BIGINT FROM "
            f'(SELECT count(*)::HUGEINT AS n FROM "profile_{view}" WHERE {given} GROUP BY {columns})'
        ).fetchall()
        return int(count)

    if asked:
        found = {block: pairs(block) for block in asked}
        for block, count in found.items():
            if count > MOST_PAIRS:
                raise Invalid(
                    "suggest.block",
                    f"{count:,} pairs of people agree in {' and '.join(block)}, more than the {MOST_PAIRS:,} that can"
                    " be compared.",
                    hint="Add a field to that block.",
                    where={"block": "+".join(block)},
                )
        return found
    chosen: dict[Block, int] = {(path,): count for path in by_path if (count := pairs((path,))) <= MOST_PAIRS}
    coarse = [path for path in by_path if (path,) not in chosen]
    chosen |= {block: count for block in combinations(coarse, 2) if (count := pairs(block)) <= MOST_PAIRS}
    if not chosen:
        raise Invalid(
            "suggest.block",
            f"too many people agree in {', '.join(by_path)} to compare them all.",
            hint="Compare fields with more values, or name blocks of several fields.",
        )
    return chosen


# -- the model --------------------------------------------------------------------------------------------------------


def _score(people: pa.Table, leaves: Sequence[Leaf], blocks: Sequence[Block]) -> pa.Table:
    """Let splink learn from the people and score their pairs."""
    try:
        import splink.comparison_library as compare
        from splink import DuckDBAPI, Linker, SettingsCreator, block_on
    except ImportError as error:
        raise Unsupported(
            "suggest.extra",
            "suggestions need the package splink, which is not installed.",
            hint="Install Coterie with its extra: pip install 'coterie[splink]'.",
        ) from error
    column = {leaf.path: f"f{place}" for place, leaf in enumerate(leaves)}
    rules = {block: block_on(*(column[path] for path in block)) for block in blocks}
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            compare.JaroWinklerAtThresholds(column[leaf.path], list(_SIMILAR))
            if _is_text(leaf)
            else compare.ExactMatch(column[leaf.path])
            for leaf in leaves
        ],
        blocking_rules_to_generate_predictions=list(rules.values()),
        retain_intermediate_calculation_columns=True,
        # before anything is learnt: one pair for each person
        probability_two_random_records_match=2 / max(people.num_rows, 3),
        em_convergence=_CONVERGENCE,
    )
    lent = DuckDBAPI().register(people)
    linker = Linker(lent, settings, log_level=_QUIET)
    if _pairs(people, list(column.values())):
        linker.training.estimate_probability_two_random_records_match([block_on(*column.values())], recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=SAMPLE, seed=SEED)
    model = linker.misc.save_model_to_json()
    lessons = []
    for block, rule in rules.items():
        pairs = _pairs(people, [column[path] for path in block])
        if FEW_PAIRS <= pairs <= SELECTIVE * people.num_rows and len(block) < len(leaves):
            pupil = Linker(lent, deepcopy(model), log_level=_QUIET)
            # splink gives up where agreement is never, or always, found among the matches of a block
            with suppress(ValueError):
                pupil.training.estimate_parameters_using_expectation_maximisation(rule, record_sample_proportion=1.0)
                lessons.append(pupil.misc.save_model_to_json())
    _learn(model, lessons)
    trained = Linker(lent, model, log_level=_QUIET)
    predicted: Any = trained.inference.predict(threshold_match_probability=LEAST)
    scored: pa.Table = predicted.as_pyarrow_table()
    return scored


def _learn(model: dict[str, Any], lessons: Sequence[dict[str, Any]]) -> None:
    """Give every level of a model the mean of what the lessons say of pairs that match."""
    for comparison in model["comparisons"]:
        for place, level in enumerate(comparison["comparison_levels"]):
            said = [
                taught["comparison_levels"][place]["m_probability"]
                for lesson in lessons
                for taught in lesson["comparisons"]
                if taught["output_column_name"] == comparison["output_column_name"]
                and "m_probability" in taught["comparison_levels"][place]
            ]
            if said:
                level["m_probability"] = max(sum(said) / len(said), _RARE)


def _pairs(people: pa.Table, columns: list[str]) -> int:
    """Return how many pairs of people agree in all of some columns."""
    sizes = people.select(columns).drop_null().group_by(columns).aggregate([([], "count_all")])["count_all"].to_numpy()
    return int((sizes * (sizes - 1) // 2).sum())


# -- who may be merged ------------------------------------------------------------------------------------------------


def _forbidden(
    con: DuckDBPyConnection, view: str, left: np.ndarray[Any, Any], right: np.ndarray[Any, Any], terms: Terms
) -> np.ndarray[Any, Any]:
    """Tell which pairs would put two values of a unique namespace in one graph, or join what a decision keeps apart."""
    persons = f'"person_of_{view}"'
    rows = con.execute(
        f"""
        SELECT DISTINCT p.person, i.namespace FROM {persons} p JOIN identity i ON i.identity = p.identity
        JOIN namespace n ON n.namespace = i.namespace
        WHERE n.code IN (SELECT unnest($codes::VARCHAR[])) AND p.person IN (SELECT unnest($persons::INTEGER[]))
        """,
        {"codes": list(terms.unique), "persons": np.unique(np.concatenate([left, right])).tolist()},
    ).fetchall()
    found = np.zeros(len(left), np.bool_)
    for namespace in {namespace for _, namespace in rows}:
        holders = [person for person, mine in rows if mine == namespace]
        found |= np.isin(left, holders) & np.isin(right, holders)
    apart = con.execute(
        f"""
        SELECT a.person, b.person FROM decision d
        JOIN {persons} a ON a.identity = d.identities[1] JOIN {persons} b ON b.identity = d.identities[2]
        WHERE d.kind = 'split' AND d.withdrawn_at IS NULL
        """
    ).fetchall()
    if apart:
        kept = {frozenset(pair) for pair in apart}
        found |= np.array([frozenset(pair) in kept for pair in zip(left.tolist(), right.tolist(), strict=True)])
    return found


def _linkable(con: DuckDBPyConnection, persons: np.ndarray[Any, Any], terms: Terms) -> dict[int, Identity]:
    """Return an identity of each person that may be linked: the one that gives the person its name, if it may."""
    rows = con.execute(
        """
        SELECT p.person, arg_min(p.identity, (p.identity <> p.person, p.identity))
        FROM person_of p JOIN identity i ON i.identity = p.identity JOIN namespace n ON n.namespace = i.namespace
        WHERE p.person IN (SELECT unnest($persons::INTEGER[])) AND n.code NOT IN (SELECT unnest($unlinked::VARCHAR[]))
        AND p.identity NOT IN (
            SELECT unnest(identities) FROM decision WHERE kind = 'never' AND withdrawn_at IS NULL
        )
        GROUP BY p.person
        """,
        {"persons": persons.tolist(), "unlinked": list(terms.unlinked)},
    ).fetchall()
    names = graph.named(con, (identity for _, identity in rows))
    return {person: names[identity] for person, identity in rows}


# -- what is told -----------------------------------------------------------------------------------------------------


def _threshold(
    at: float, left: np.ndarray[Any, Any], right: np.ndarray[Any, Any], probability: np.ndarray[Any, Any], people: int
) -> Threshold:
    mine = probability >= at
    members, places = np.unique(np.concatenate([left[mine], right[mine]]), return_inverse=True)
    ends = places.astype(np.int32)
    founders = components(len(members), ends[: int(mine.sum())], ends[int(mine.sum()) :])
    merged = len(np.unique(founders))
    return Threshold(at, int(mine.sum()), len(members), people - len(members) + merged)


def _suggestion(row: Mapping[str, Any], a: Identity, b: Identity, paths: Iterable[str]) -> Suggestion:
    return Suggestion(
        pair_name(a, b),
        a,
        b,
        row["match_probability"],
        row["match_weight"],
        tuple(
            Agreement(path, row[f"f{place}_l"], row[f"f{place}_r"], row[f"mw_f{place}"])
            for place, path in enumerate(paths)
        ),
    )


def pair_name(a: Identity, b: Identity) -> str:
    """Return the name of a suggestion, the same whenever it comes up again."""
    return xid(*sorted((person_id(*a), person_id(*b))))[:8]
