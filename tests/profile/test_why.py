"""One attribute looked at whole."""

from __future__ import annotations

import pytest

from coterie.core.errors import NotFound
from coterie.profile.merge import Claim, Fragment, Operation, Reason, Source, Write
from coterie.profile.policy import AttributeMerge, MergePolicy
from coterie.profile.why import AttributeView, Written, why

NEWEST = MergePolicy()
CRM_FIRST = MergePolicy(AttributeMerge.DATASET_PRECEDENCE, order=("crm", "mail"))
CRM_ONLY = MergePolicy(AttributeMerge.DATASET_PRECEDENCE, order=("crm",))


def write(
    dataset: str, at: int, operation: Operation = Operation.CREATE, *, unset: str = "", **attributes: object
) -> Write:
    source = Source(dataset, "Email", "a@x", at, f"b{at}")
    return Write(Fragment(source, attributes, (at, 0)), operation, unset=(unset,) if unset else ())


WRITES = [
    write("crm", 1, name={"first": "Ann"}, consents={"a.b": True}),
    write("mail", 2, name={"first": "Anna"}),
    write("mail", 3, Operation.MERGE, age=7),
    write("web", 4, name={"first": "Annie"}),
    write("mail", 5, Operation.MERGE, name={"first": "Anne"}),
    write("crm", 6, age=3, consents={"a.b": False}),
]


def ask(path: str, policy: MergePolicy = NEWEST, writes: list[Write] = WRITES) -> AttributeView:
    return why("p-1", "v", writes, policy, path)


def test_the_newest_record_wins_and_says_so() -> None:
    found = ask("name.first")
    assert (found.value, found.winner, found.reason) == ("Anne", WRITES[4].fragment.source, Reason.NEWEST)
    assert found.losers == (Claim(WRITES[3].fragment.source, "Annie", Reason.NEWEST),)
    assert [(item.source.dataset, item.source.recorded_at, item.value) for item in found.history] == [
        ("crm", 1, "Ann"),
        ("mail", 2, "Anna"),
        ("web", 4, "Annie"),
        ("mail", 5, "Anne"),
        ("crm", 6, None),
    ]


def test_a_write_that_changes_nothing_of_the_attribute_is_no_history() -> None:
    assert ask("age").history == (
        Written(WRITES[2].fragment.source, Operation.MERGE, 7),
        Written(WRITES[5].fragment.source, Operation.CREATE, 3),
    )


def test_the_order_of_datasets_wins_and_says_so() -> None:
    found = ask("age", CRM_FIRST)
    assert (found.value, found.reason, found.order) == (3, Reason.DATASET, ("crm", "mail"))
    assert [(claim.value, claim.reason) for claim in found.losers] == [(7, Reason.DATASET)]


def test_datasets_that_the_policy_leaves_out_are_shown_as_such() -> None:
    found = ask("name.first", CRM_ONLY)
    assert (found.value, found.winner, found.reason) == (None, None, None)
    assert [(claim.value, claim.reason) for claim in found.losers] == [
        ("Anne", Reason.UNLISTED),
        ("Annie", Reason.UNLISTED),
    ]


@pytest.mark.parametrize("path", ['consents["a.b"]'])
def test_a_key_of_a_map_is_an_attribute(path: str) -> None:
    assert (ask(path).value, ask(path).reason) == (False, Reason.ONLY)


def test_keys_may_be_written_in_brackets_though_they_need_none() -> None:
    assert ask('name["first"]').path == "name.first"


def test_a_value_taken_away_or_removed_with_its_record_is_history() -> None:
    writes = [write("crm", 1, age=1), write("crm", 2, Operation.MERGE, unset="age"), write("crm", 3, age=2)]
    assert [item.value for item in ask("age", NEWEST, writes).history] == [1, None, 2]
    gone = [*writes, write("crm", 4, Operation.DELETE)]
    found = ask("age", NEWEST, gone)
    assert (found.value, found.winner, found.reason, found.losers) == (None, None, None, ())
    assert [item.value for item in found.history] == [1, None, 2, None]


def test_every_write_that_appended_is_history() -> None:
    writes = [
        write("crm", 1, tags=["a"]),
        write("crm", 2, Operation.APPEND, tags=["b"], age=1),
        write("crm", 3, Operation.APPEND, age=2),
    ]
    found = ask("tags", NEWEST, writes)
    assert (found.value, found.writes, found.winner) == (["a", "b"], 2, writes[2].fragment.source)
    assert [(item.operation, item.value) for item in found.history] == [
        (Operation.CREATE, ["a"]),
        (Operation.APPEND, ["a", "b"]),
    ]
    assert ask("age", NEWEST, writes).writes == 1


def test_rows_that_were_passed_over_are_no_history() -> None:
    dated = [
        item._replace(time=time)
        for item, time in zip(
            [write("crm", 1, age=1), write("crm", 2, age=2), write("crm", 3, Operation.DELETE), write("crm", 4, age=4)],
            [5, 4, 6, 6],
            strict=True,
        )
    ]
    assert [(item.source.recorded_at, item.value) for item in ask("age", NEWEST, dated).history] == [(1, 1), (3, None)]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("name", "ask for one of name.first"),
        ("name.frist", "Did you mean name.first?"),
        ("zzz", "coterie profile show"),
    ],
)
def test_what_was_never_written_is_not_found(path: str, hint: str) -> None:
    with pytest.raises(NotFound) as caught:
        ask(path)
    assert caught.value.code == "profile.attribute"
    assert hint in (caught.value.hint or "")
