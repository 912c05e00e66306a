"""How plots look, and how they become files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from coterie.core.errors import Invalid, Unsupported

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY, INK, FAINT = "#0072B2", "#E69F00", "#8A8F98", "#22262B", "#E4E7EB"
GOOD, MIDDLE, BAD = "#009E73", "#F0C419", "#D55E00"
"""Green, yellow and red that stay apart for colour-blind eyes (after Okabe and Ito 2008)."""
FORMATS = (".png", ".svg")

_SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.fonttype": "none",  # words stay words: they can be searched and read aloud
    "svg.hashsalt": "coterie",  # the same data gives the same file
    "savefig.dpi": 160,
}


def polarity(propensity: Literal["conversion", "churn"] | str) -> dict[str, str]:
    """Return the colour of each bucket: high is green where it is good, red where people would leave."""
    low, high = (GOOD, BAD) if propensity == "churn" else (BAD, GOOD)
    return {"low": low, "medium": MIDDLE, "high": high}


def check(path: Path) -> None:
    """Refuse files that no plot can be written to, and say what is missing to draw; nothing is drawn yet."""
    if path.suffix.lower() not in FORMATS:
        raise Invalid(
            "plot.format",
            f"{path.name} is no name of a picture: expected one that ends in .png or .svg.",
            where={"file": str(path)},
        )
    try:
        import matplotlib as matplotlib
    except ImportError as error:
        raise Unsupported(
            "plot.not-installed",
            "plots need matplotlib, which is not installed.",
            hint="Install it with: pip install 'coterie[plots]'. The same figures as data: add --json to the verb.",
        ) from error


@contextmanager
def drawing(
    path: Path, title: str, note: str, *, width: float = 7.6, height: float = 5.2, across: int = 1
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give a figure under a title, and write it to a file at the end.

    Parameters
    ----------
    path : Path
        File, `.png` or `.svg`.
    title : str
        What is shown.
    note : str
        How to read it; it stands below the title.
    width, height : float
        Inches.
    across : int
        How many axes stand beside each other.

    Raises
    ------
    Invalid
        ``plot.format``, ``file.unwritable``.
    Unsupported
        ``plot.not-installed``.
    """
    check(path)
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        axes = list(figure.subplots(1, across, squeeze=False)[0])
        yield figure, axes
        at = 0.12
        for words, size, weight, colour, room in (
            (textwrap.wrap(title, int(width * 8.2)), 14, "bold", INK, 0.28),
            (textwrap.wrap(note, int(width * 13.2)), 9.5, "normal", "#5A6069", 0.21),
        ):
            for line in words:
                figure.text(
                    0.16 / width, 1 - at / height, line, fontsize=size, fontweight=weight, color=colour, va="top"
                )
                at += room
            at += 0.05
        figure.tight_layout(rect=(0, 0, 1, 1 - at / height))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
        except OSError as error:
            raise Invalid(
                "file.unwritable", f"cannot write {path}: {error.strerror}.", where={"file": str(path)}
            ) from error


def percent_axis(axis: object) -> None:
    """Write shares as percentages along an axis."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))  # type: ignore[attr-defined]
