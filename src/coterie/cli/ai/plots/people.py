"""Plots of the people scored: how scores are spread, and what goes with them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from coterie.cli.ai.plots.style import BLUE, GREY, ORANGE, drawing, polarity
from coterie.prediction.why.explanation import BUCKETS


def distribution(
    path: Path,
    model: str,
    propensity: str,
    counts: Sequence[tuple[float, float, int]],
    bounds: tuple[int, int],
    people: Mapping[str, int],
) -> None:
    """Draw how many people have which score, coloured by bucket.

    Parameters
    ----------
    path : Path
        File to write.
    model : str
        Name of the model.
    propensity : str
        ``conversion`` or ``churn``: which end is good.
    counts : sequence of (from, to, people)
        The histogram of scores.
    bounds : tuple of int
        The least scores of medium and high.
    people : mapping of str to int
        How many are in each bucket.
    """
    colours = polarity(propensity)
    everyone = sum(people.values())
    note = (
        f"How many of {everyone:,} people have which score. A score compares people with those the model was tested "
        "on; it is no percentage. Dotted: the bounds of the buckets."
    )
    with drawing(path, f"{model}: distribution of scores", note) as (_, (ax,)):
        for start, end, count in counts:
            bucket = "low" if start < bounds[0] else "medium" if start < bounds[1] else "high"
            ax.bar(start, count, width=(end - start) * 0.94, align="edge", color=colours[bucket])
        top = max((count for *_, count in counts), default=1)
        for bound in bounds:
            ax.axvline(bound, color=GREY, lw=1.1, ls=":")
        for bucket, left, right in zip(BUCKETS, (0, *bounds), (*bounds, 101), strict=True):
            number = people.get(bucket, 0)
            share = number / everyone if everyone else 0
            ax.text(
                (left + right) / 2,
                top * 1.07,
                f"{bucket}\n{number:,} ({share:.0%})",
                ha="center",
                va="bottom",
                fontsize=9.5,
                fontweight="bold" if bucket == "high" else None,
            )
        ax.set(xlabel="Score", ylabel="People", xlim=(0, 101), ylim=(0, top * 1.26))
        ax.grid(visible=False, axis="x")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def factors(path: Path, model: str, goal: str, buckets: Mapping[str, Sequence[tuple[str, float, float]]]) -> None:
    """Draw the factors of each bucket: which way they lean, and by how much.

    Parameters
    ----------
    path : Path
        File to write.
    model : str
        Name of the model.
    goal : str
        What is predicted, in words.
    buckets : mapping of str to sequence of (label, contribution, share)
        Factors by bucket, the strongest first: mean signed contribution to the log-odds, and for which share of
        people they are among the top five.
    """
    shown = {name: list(buckets[name])[:8] for name in reversed(BUCKETS) if buckets.get(name)}
    rows = max((len(items) for items in shown.values()), default=1)
    note = (
        f"What goes with the chance in each bucket ({goal}). To the right: raises it; to the left: lowers it; longer: "
        "more (in log-odds, the mean over the people of the bucket). Associated with it, not the cause of it."
    )
    across = max(1, len(shown))
    with drawing(path, f"{model}: factors", note, width=4.6 * across, height=2.1 + 0.46 * rows, across=across) as (
        _,
        axes,
    ):
        reach = max((abs(item[1]) for items in shown.values() for item in items), default=1.0) or 1.0
        for ax, (bucket, items) in zip(axes, shown.items(), strict=False):
            labels = [textwrap.fill(label, 26) for label, *_ in items]
            values = [value for _, value, _ in items]
            colours = [BLUE if value >= 0 else ORANGE for value in values]
            ax.barh(range(len(items)), values, color=colours, height=0.62)
            ax.axvline(0, color=GREY, lw=1)
            ax.set_yticks(range(len(items)), labels, fontsize=9)
            ax.set_ylim(rows - 0.4, -0.6)
            ax.set_xlim(-reach * 1.12, reach * 1.12)
            ax.set_title(bucket, loc="left", fontsize=11.5, fontweight="bold")
            ax.grid(visible=False, axis="y")
            ax.tick_params(axis="y", length=0)
            ax.set_xlabel("← lowers        raises →", fontsize=9)
