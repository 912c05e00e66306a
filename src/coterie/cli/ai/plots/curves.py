"""Plots of how good a model is: lift, gains, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coterie.cli.ai.plots.style import BLUE, GREY, INK, ORANGE, drawing, percent_axis

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """A line with its 95 % interval, as points of x, y, low and high."""

    name: str
    points: Sequence[tuple[float, float, float, float]]


def lift(path: Path, model: str, pooled: Sequence[tuple[float, float, float]], tests: Mapping[str, Points]) -> None:
    """Draw the lift of each tenth of people, the likeliest first.

    Parameters
    ----------
    path : Path
        File to write.
    model : str
        Name of the model.
    pooled : sequence of (value, low, high)
        Of all back-tests together, with its 95 % interval, for each tenth.
    tests : mapping of str to points
        Of each back-test by its date: tenth (1 to 10) and lift.
    """
    note = (
        "How many times as often the goal was met as on average, for each tenth of people, the likeliest first. "
        "A good model starts high and falls. Lines at the bars: 95 % intervals."
    )
    with drawing(path, f"{model}: lift by tenth of people", note) as (_, (ax,)):
        tenths = range(1, len(pooled) + 1)
        values = [value for value, _, _ in pooled]
        bars = ax.bar(tenths, values, width=0.72, color=BLUE, alpha=0.85, label="All back-tests")
        below = [max(0.0, value - low) for value, low, _ in pooled]
        above = [max(0.0, high - value) for value, _, high in pooled]
        ax.errorbar(tenths, values, yerr=[below, above], fmt="none", ecolor=INK, elinewidth=1.1, capsize=3)
        for number, points in enumerate(tests.values()):
            ax.plot(
                [x + 0.18 for x, _ in points],
                [y for _, y in points],
                "o",
                ms=4,
                mfc="white",
                mec=ORANGE,
                mew=1.3,
                label="Each back-test" if number == 0 else None,
            )
        top = max([high for _, _, high in pooled] + [y for points in tests.values() for _, y in points] + [1.0])
        for number, (bar, value, (_, _, high)) in enumerate(zip(bars, values, pooled, strict=True), start=1):
            reached = [y for points in tests.values() for x, y in points if x == number]
            ax.text(
                bar.get_x() + bar.get_width() / 2,
                max([value, high, *reached]) + top * 0.02,
                f"{value:.1f}",
                ha="center",
                va="bottom",
                fontsize=9,
            )
        ax.axhline(1, color=GREY, lw=1.2, ls="--")
        ax.text(len(pooled) + 0.45, 1, "average ", va="bottom", ha="right", color=GREY, fontsize=9)
        ax.set(xlabel="Tenth of people, likeliest first", ylabel="Times the average rate", ylim=(0, top * 1.12))
        ax.set_xticks(list(tenths))
        ax.grid(visible=False, axis="x")
        ax.legend(loc="upper right")


def gains(path: Path, model: str, curve: Curve, naive: Mapping[str, Points], rate: float) -> None:
    """Draw which share of those who meet the goal is reached by taking the likeliest people first.

    Parameters
    ----------
    path : Path
        File to write.
    model : str
        Name of the model.
    curve : Curve
        Of the model.
    naive : mapping of str to points
        Of rules that anybody could follow, by their names.
    rate : float
        The share of people who meet the goal: the best that is possible is reached there.
    """
    note = (
        "If you take the likeliest people first, this share of all for whom it came true is among them. The nearer to "
        "the upper left corner the better; the dashed line is taking people at random. Shaded: the 95 % interval."
    )
    with drawing(path, f"{model}: gains", note) as (_, (ax,)):
        x = [point[0] for point in curve.points]
        if 0 < rate < 1:
            ax.plot([0, rate, 1], [0, 1, 1], color=GREY, lw=1, ls=":", label="Best possible")
        ax.fill_between(x, [p[2] for p in curve.points], [p[3] for p in curve.points], color=BLUE, alpha=0.18, lw=0)
        ax.plot(x, [point[1] for point in curve.points], color=BLUE, lw=2.4, label=curve.name)
        for (name, points), style in zip(naive.items(), ("-.", (0, (5, 1.5)), (0, (3, 1, 1, 1, 1, 1))), strict=False):
            ax.plot([a for a, _ in points], [b for _, b in points], color=ORANGE, lw=1.6, ls=style, label=name)
        ax.plot([0, 1], [0, 1], color=GREY, lw=1.2, ls="--", label="At random")
        ax.set(
            xlabel="Share of people taken, likeliest first", ylabel="Share of all for whom it came true", xlim=(0, 1)
        )
        ax.set_ylim(0, 1.01)
        percent_axis(ax.xaxis)
        percent_axis(ax.yaxis)
        ax.legend(loc="lower right")


def reliability(path: Path, model: str, bins: Sequence[tuple[float, float, float, float, int]]) -> None:
    """Draw what was predicted against what came of it.

    Parameters
    ----------
    path : Path
        File to write.
    model : str
        Name of the model.
    bins : sequence of (predicted, observed, low, high, people)
        Groups of people of about the same probability.
    """
    note = (
        "Of people given about the same probability, for how many it came true. On the dashed line the model says "
        "exactly what comes; above it, it says too little; below it, too much. Lines at the dots: 95 % intervals."
    )
    with drawing(path, f"{model}: reliability", note, width=6.6, height=6.4) as (_, (ax,)):
        most = max((people for *_, people in bins), default=1)
        top = min(1.0, 1.08 * max([max(a, high) for a, _, _, high, _ in bins] + [0.05]))
        ax.plot([0, top], [0, top], color=GREY, lw=1.2, ls="--", label="Exactly as said")
        for predicted, observed, low, high, people in bins:
            ax.plot([predicted, predicted], [low, high], color=BLUE, lw=1.4, alpha=0.75)
            ax.plot(
                predicted,
                observed,
                "o",
                ms=4 + 9 * (people / most) ** 0.5,
                color=BLUE,
                mec="white",
                mew=1,
                clip_on=False,
            )
        ax.plot([], [], "o", color=BLUE, mec="white", label="People of one probability (larger: more people)")
        ax.set(xlabel="Probability given", ylabel="Share for whom it came true", xlim=(0, top), ylim=(0, top))
        ax.set_aspect("equal")
        percent_axis(ax.xaxis)
        percent_axis(ax.yaxis)
        ax.legend(loc="lower right")
