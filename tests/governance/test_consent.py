"""Consent as rules: what each of them means, asked of the engine and of the interpreter."""

from __future__ import annotations

import pytest

from coterie import testing
from coterie.core.errors import NotFound
from coterie.core.schema import Schema, SchemaClass, read_fields, union_of
from coterie.governance import consent
from coterie.governance.consent import Consent
from coterie.governance.fields import CHOICES, GROUPS

NOW = "2026-06-15T12:00:00Z"


def fields(*groups, **more):
    found = dict(more)
    for name in groups:
        found |= GROUPS[name].fields
    return union_of([Schema("people", SchemaClass.PROFILE, found)])


ALL = fields(*GROUPS)


def person(id_, email=None, general=None, old=None, **more):
    found = {"id": id_, **more}
    marketing = {name: {"val": value} for name, value in (("email", email), ("any", general)) if value}
    if marketing:
        found["consents"] = {"marketing": marketing}
    if old:
        found["optInOut"] = {"_channels": {"email": old}}
    return found


def opted(type_, value):
    return {"privacyOptOuts": [{"optOutType": type_, "optOutValue": value, "timestamp": "2026-05-01T00:00:00Z"}]}


def withheld(rule, people, union=ALL):
    """The persons whom a rule withholds, by both the interpreter and the engine."""
    assert testing.check(rule, schema=union) == []
    with testing.people(people, NOW, union) as group:
        found = group.members(rule)
        assert group.members(rule, "interpreter") == found
    return found


def test_a_general_opt_out_withholds_and_nothing_else_does():
    people = [
        {"id": "none"},
        {"id": "out", **opted("general_opt_out", "out")},
        {"id": "in", **opted("general_opt_out", "in")},
        {"id": "pending", **opted("general_opt_out", "pending")},
        {"id": "sales", **opted("sales_sharing_opt_out", "out")},
        {"id": "mixed", "privacyOptOuts": [*opted("sales_sharing_opt_out", "out")["privacyOptOuts"],
                                           *opted("general_opt_out", "in")["privacyOptOuts"]]},
        {"id": "global", "optInOut": {"globalOptout": True}},
        {"id": "not global", "optInOut": {"globalOptout": False}},
    ]  # fmt: skip
    reason = consent.opt_out(ALL)
    assert (reason.cause, reason.fields) == ("opt-out", ("privacyOptOuts", "optInOut.globalOptout"))
    assert withheld(reason.rule, people) == {"out", "global"}
    part = fields("privacy-opt-outs")
    assert withheld(consent.opt_out(part).rule, people[:6], part) == {"out"}


def test_without_fields_there_is_no_opt_out():
    assert consent.opt_out(fields("consents")) is None
    assert consent.opt_out(union_of([])) is None


@pytest.mark.parametrize(("unknown", "also"), [("no", {"none", "p", "u"}), ("yes", set())])
def test_each_choice_of_a_channel(unknown, also):
    people = [{"id": "none"}, *(person(value, value) for value in CHOICES)]
    (reason,) = consent.required(Consent(("email",), unknown=unknown), fields("consents"))
    assert withheld(reason.rule, people, fields("consents")) == {"n", "dn"} | also


def test_the_choice_for_all_marketing():
    """A no goes before that of the channel; a yes stands for a missing one, and a default gives way."""
    people = [person(f"{own}/{general}", own, general) for own in ("y", "n", "u", "") for general in ("y", "n", "dn")]
    (reason,) = consent.required(Consent(("email",)), ALL)
    assert withheld(reason.rule, people) == {"y/n", "n/y", "n/n", "n/dn", "u/n", "u/dn", "/n", "/dn"}


def test_both_generations_must_not_refuse():
    people = [
        person("old in", old="in"),
        person("old out", old="out"),
        person("old pending", old="pending"),
        person("both", "y", old="in"),
        person("new only", "y", old="out"),
        person("old only", "n", old="in"),
    ]
    (strict,) = consent.required(Consent(("email",)), ALL)
    assert strict.fields == ("consents.marketing.email.val", "consents.marketing.any.val", "optInOut._channels.email")
    assert withheld(strict.rule, people) == {"old out", "old pending", "new only", "old only"}
    (lenient,) = consent.required(Consent(("email",), unknown="yes"), ALL)
    assert withheld(lenient.rule, people) == {"old out", "new only", "old only"}


def test_purposes_and_the_sale_of_data():
    people = [
        {"id": "none"},
        {"id": "yes", "consents": {"share": {"val": "y"}, "collect": {"val": "y"}}},
        {"id": "sold", "consents": {"share": {"val": "y"}}, **opted("sales_sharing_opt_out", "out")},
        {"id": "in", **opted("sales_sharing_opt_out", "in")},
        {"id": "one", "consents": {"share": {"val": "n"}, "collect": {"val": "y"}}},
    ]
    share, collect = consent.required(Consent(purposes=("share", "collect", "share"), unknown="yes"), ALL)
    assert withheld(share.rule, people) == {"sold", "one"}
    assert withheld(collect.rule, people) == set()
    share, collect = consent.required(Consent(purposes=("share", "collect")), ALL)
    assert withheld(share.rule, people) == {"none", "sold", "one"}
    assert withheld(collect.rule, people) == {"none", "sold", "in"}


def test_an_unknown_channel_or_purpose_names_those_there_are():
    for asked, word in ((Consent(("emial",)), "email"), (Consent(purposes=("shared",)), "share")):
        with pytest.raises(NotFound) as caught:
            consent.required(asked, fields("consents"))
        assert caught.value.code == "consent.not-found"
        assert word in caught.value.hint
    with pytest.raises(NotFound):
        consent.required(Consent(("email",)), union_of([]))


def test_channels_and_purposes_need_not_be_plain_words():
    written = {
        "consents.marketing.e-mail.val": "string",
        "consents.2nd.val": "string",
        "optInOut._channels.e-mail": "string",
    }
    union = fields(**read_fields(written, "test"))
    people = [
        {"id": "none"},
        {"id": "yes", "consents": {"marketing": {"e-mail": {"val": "y"}}, "2nd": {"val": "y"}}},
        {"id": "out", "optInOut": {"_channels": {"e-mail": "out"}}},
    ]
    channel, purpose = consent.required(Consent(("e-mail",), ("2nd",)), union)
    assert withheld(channel.rule, people, union) == {"none", "out"}
    assert withheld(purpose.rule, people, union) == {"none", "out"}
