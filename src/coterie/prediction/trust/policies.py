"""Data usage policies: which labels of the fields that a model reads speak against learning from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from coterie.core.errors import Conflict
from coterie.governance.labels import DOCUMENTED
from coterie.prediction.problems import Problem, problem

FORBIDDING: Mapping[str, str] = {
    "C9": "no data science",
    "RHD": "no health data",
}
"""Labels that forbid to learn from a field, with the name of the policy."""
CAUTIONING: Mapping[str, str] = {
    "I1": "no direct identifiers",
    "PSPD": "sensitive data with care",
    "S1": "precise places with care",
}
"""Labels that ask for a look, with the name of the policy."""


class Objection(Struct, frozen=True):
    """A data usage policy that speaks against a model.

    Parameters
    ----------
    policy : str
        Its name.
    label : str
        The label by which it does.
    fields : tuple of str
        The fields that carry it.
    meaning : str
        What the label says.
    blocking : bool
        Whether the model must not be run.
    """

    policy: str
    label: str
    fields: tuple[str, ...]
    meaning: str
    blocking: bool


def objections(carried: Mapping[str, Iterable[str]]) -> tuple[Objection, ...]:
    """Return what policies object to fields by the labels they carry, the blocking ones first.

    Parameters
    ----------
    carried : mapping of str to str
        The fields that carry each label.
    """
    return tuple(
        Objection(policy, label, tuple(sorted(carried[label])), DOCUMENTED[label], blocking)
        for policies, blocking in ((FORBIDDING, True), (CAUTIONING, False))
        for label, policy in policies.items()
        if label in carried
    )


def problems_of(found: Iterable[Objection]) -> tuple[Problem, ...]:
    """Return objections as problems of a model."""
    return tuple(
        problem(
            "model.policy",
            None,
            f"the policy {each.policy!r} objects to {', '.join(each.fields)}: the label {each.label} says that it"
            f" {each.meaning}.",
            "Leave the field out of the model, or have the label looked at by whoever set it."
            if each.blocking
            else "Make sure that you may use it so; scores carry the label on.",
            warning=not each.blocking,
            policy=each.policy,
            label=each.label,
            fields=list(each.fields),
        )
        for each in found
    )


def require_allowed(model: str, found: Iterable[Objection]) -> None:
    """Raise ``model.policy`` when a data usage policy forbids to learn from fields that a model names."""
    blocking = [each for each in found if each.blocking]
    if blocking:
        listed = "; ".join(f"{', '.join(each.fields)} ({each.label}: {each.meaning})" for each in blocking)
        raise Conflict(
            "model.policy",
            f"model {model} reads fields that may not be learnt from: {listed}.",
            hint="Leave them out, or have the labels looked at by whoever set them.",
            where={"model": model, "policies": [each.policy for each in blocking]},
        )
