"""Checking of queries, for tests of audiences."""

from __future__ import annotations

from coterie.core.schema import Union
from coterie.pql import Problem
from coterie.pql import check as check_query
from coterie.testing.sample import SAMPLE


def check(pql: str, schema: Union | None = None) -> list[Problem]:
    """Return the problems of a query; an empty list if it is fine.

    Parameters
    ----------
    pql : str
        The query.
    schema : Union, optional
        The fields of profiles and events; the sample schema if left out.

    Examples
    --------
    >>> [problem.code for problem in check('loyalty.tier = "gold"')]
    []
    >>> check('loyalty.teir = "gold"')[0].suggestion
    'tier'
    """
    return check_query(pql, schema or SAMPLE).problems
