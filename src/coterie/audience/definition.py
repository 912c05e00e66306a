"""What an audience is: a rule, the view of the profile it is asked of, and its words."""

from __future__ import annotations

import re

import msgspec

from coterie.core.errors import Invalid
from coterie.governance.consent import Consent

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")


class Audience(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A segment definition.

    `name` is the id by which other rules refer to it (``inSegment("name")``) and by which exports are named. `zone` is
    the IANA name of the time zone whose calendar the rule means. Who satisfies the rule is a member unless withheld:
    after a general opt-out when `exclude_opt_out` is true, and for want of the `consent` that is asked for, if any.
    """

    name: str
    pql: str
    title: str = ""
    description: str = ""
    view: str = "default"
    zone: str = "UTC"
    consent: Consent | None = None
    exclude_opt_out: bool = True

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise Invalid(
                "audience.name",
                f"audience name {self.name!r}: expected lower-case letters, digits, - and _, at most 128.",
                hint="Put the words for people into the title.",
                where={"audience": self.name},
            )
        if self.consent is not None and not (self.consent.channels or self.consent.purposes):
            raise Invalid(
                "audience.consent",
                f"audience {self.name}: consent to what?",
                hint="Name channels such as email, or purposes such as share.",
                where={"audience": self.name},
            )


class Withheld(msgspec.Struct, frozen=True):
    """How many people satisfy a rule and are withheld: by a general opt-out, and of the others for want of consent."""

    people: int = 0
    opted_out: int = 0
    no_consent: int = 0


class Evaluated(msgspec.Struct, frozen=True):
    """The outcome of one audience in an evaluation.

    Of those who satisfy the rule, `withheld` are left out and the rest are `members`. `seconds` is its share of the
    run.
    """

    audience: str
    version: int
    members: int
    entered: int
    exited: int
    seconds: float
    withheld: Withheld = Withheld()


class Evaluation(msgspec.Struct, frozen=True):
    """One run: the instant all rules were asked at, the people there were, and what became of each audience."""

    at: int
    people: int
    conditions: int
    seconds: float
    audiences: tuple[Evaluated, ...]
