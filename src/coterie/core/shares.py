"""Parts of a whole, as shares and as percentages."""

from __future__ import annotations

from decimal import Decimal


def share(part: int, whole: int) -> float:
    """Return a part as a share of a whole; of nothing it is 0.

    Examples
    --------
    >>> share(1, 4), share(0, 0)
    (0.25, 0.0)
    """
    return part / whole if whole else 0.0


def percent(part: float | Decimal) -> str:
    """Return a share as a percentage: only all is 100 %, and only nothing is 0 %.

    Examples
    --------
    >>> percent(0.25), percent(0.1234), percent(0.99999), percent(0.00001), percent(1)
    ('25 %', '12.3 %', '> 99.9 %', '< 0.1 %', '100 %')
    """
    of_hundred = 100 * float(part)
    if 0 < of_hundred < 0.1:
        return "< 0.1 %"
    if 99.9 < of_hundred < 100:
        return "> 99.9 %"
    return f"{of_hundred:.1f}".removesuffix(".0") + " %"
