"""Rules of people by their scores: a bucket, a range, the likeliest, those with a reason."""

from __future__ import annotations

from coterie.core.errors import Invalid, suggestion
from coterie.core.schema import PREDICTED
from coterie.pipeline.definitions import Definitions
from coterie.pipeline.predictions import folders, models, reading, runs, versions
from coterie.pql.printer import quoted
from coterie.prediction.run import Run
from coterie.prediction.why.conditions import factor_rule
from coterie.prediction.why.explanation import BUCKETS
from coterie.prediction.why.insights import Insights
from coterie.store.sandbox import Sandbox


def rule(
    sandbox: Sandbox,
    key: str,
    bucket: str | None,
    bounds: tuple[int, ...] | None,
    top: float | None,
    reach: float | None,
    factor: str | None,
    values: str | None,
) -> str:
    """Return the rule of people by their scores; see `Predictions.audience_from`.

    Raises
    ------
    Invalid
        ``model.range`` for bounds, shares or words that say nobody or contradict each other; ``model.factor``.
    NotFound
        ``model.not-run`` before there are scores.
    Conflict
        ``model.unpublished`` when they do not stand on profiles.
    """
    models.model_named(Definitions(sandbox.catalog), key)
    if sum(item is not None for item in (bucket, bounds, top, reach)) > 1:
        raise _bad(key, "a bucket, a range, the likeliest and a reach were asked for at once", "Give one of them.")
    run = runs.named(sandbox, key, "latest")
    runs.batch_of(sandbox, run)
    if factor is not None:
        _require_factor(sandbox, key, run, factor)
    scores, parts = f"{PREDICTED}.{key}", list[str]()
    if values is not None:
        if bucket is None or factor is None:
            raise _bad(key, "a range of values goes with a bucket and a factor", "Give both.")
        return _of_values(sandbox, key, bucket, factor, values)
    if bucket is not None:
        if bucket not in BUCKETS:
            raise _bad(key, f"there is no bucket {bucket!r}", f"Buckets are {', '.join(BUCKETS)}.")
        if factor is not None:
            return factor_rule(key, bucket, factor)
        parts.append(f'{scores}.bucket = "{bucket}"')
    if bounds is not None:
        if len(bounds) != 2 or not 0 <= bounds[0] <= bounds[1] <= 100:
            raise _bad(
                key,
                f"{' to '.join(map(str, bounds))} is no range of scores",
                "Give the least and the greatest, from 0 to 100.",
            )
        parts.append(f"{scores}.score >= {bounds[0]} and {scores}.score <= {bounds[1]}")
    if reach is not None:
        if not 0 < reach <= 1:
            raise _bad(key, f"{reach} is no share", "Give a share such as 0.6: of those for whom it comes true.")
        evaluation = reading.evaluation(versions.named(sandbox, key, run.version))
        top = next((point.share for point in evaluation.gains if point.gain >= reach), 1.0)
        top = min(top, 0.99) if top < 1 else 1.0
    if top is not None:
        parts.append(_likeliest(key, scores, top))
    if factor is not None:
        name = quoted(factor)
        parts.append(f"({scores}.factors[code = {name}] or {scores}.factors_against[code = {name}])")
    if not parts:
        raise _bad(key, "it is not said which people are meant", "Give a bucket, a range, top, reach or a factor.")
    return " and ".join(parts)


def _require_factor(sandbox: Sandbox, key: str, run: Run, factor: str) -> None:
    """Raise when a factor is none of those that the version of a run can give as a reason."""
    assert run.version is not None
    scale = versions.scale(folders.version(sandbox.path, key, run.version))
    known = [item.code for item in scale.factors if not item.exposure]
    if factor not in known:
        raise Invalid(
            "model.factor",
            f"model {key}: {factor!r} is no factor of version {run.version}.",
            hint=suggestion(factor, known) or f"The weightiest are {', '.join(known[:5])}.",
            where={"model": key, "factor": factor},
        )


def _likeliest(key: str, scores: str, top: float) -> str:
    """Return the rule of the likeliest: a share of those scored, or so many of them, at any time."""
    if 0 < top < 1:
        return f"{scores}.percentile > {round(100 * (1 - top))}"
    if top == 1 and isinstance(top, float):
        return f"{scores}.score >= 0"
    if top < 1 or top != int(top):
        raise _bad(
            key, f"{top} is no share and no number of people", "Give a share such as 0.2, or a number such as 500."
        )
    return f"{scores}.rank <= {int(top)}"


def _of_values(sandbox: Sandbox, key: str, bucket: str, factor: str, values: str) -> str:
    """Return the rule that the insights of the last run have for a range of values."""
    insights = reading.kept(sandbox, key, "latest", Insights)
    found = next((item for item in insights.buckets if item.bucket == bucket), None)
    shown = [item for item in (() if found is None else found.factors) if item.code == factor]
    if not shown:
        raise _bad(key, f"{factor!r} is no factor of the bucket {bucket}", f"See `coterie ai insights {key}`.")
    ranges = {item.label: item.pql for item in shown[0].ranges}
    pql = ranges.get(values)
    if pql is None:
        known = ", ".join(label for label, text in ranges.items() if text is not None)
        what = "cannot be said as a rule" if values in ranges else "is no range of it"
        raise _bad(key, f"{values!r} {what}", f"Ranges that can: {known}." if known else "None of its ranges can.")
    return pql


def _bad(key: str, what: str, hint: str) -> Invalid:
    return Invalid("model.range", f"model {key}: {what}.", hint=hint, where={"model": key})
