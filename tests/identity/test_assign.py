"""Identities of staged rows, links, persons and graphs, by the steps that a load takes."""

from __future__ import annotations

from typing import Any

from coterie.core.ids import person_id
from coterie.core.schema import IdentityDescriptor, SchemaClass
from coterie.identity import assign, graph
from coterie.identity.assign import Assigned

from .loading import NAMESPACES, Load, schema

WEB = schema(IdentityDescriptor("fpid", "FPID", True), IdentityDescriptor("crm", "CRMID"))
MAPPED = schema(identity_map=True)


def test_numbers_go_by_namespace_and_value_and_later_batches_come_after(load: Load) -> None:
    assigned, _ = load(WEB, [(1, ["w2", "c1"], []), (2, ["w1", None], []), (3, [None, "c1"], [])])
    assert assigned == Assigned(3, {})
    assert load.identities() == [(0, "FPID", "w1", 1), (1, "FPID", "w2", 1), (2, "CRMID", "c1", 1)]
    assigned, _ = load(WEB, [(4, ["w0", "c1"], []), (5, ["w2", "c0"], [])])
    assert assigned == Assigned(2, {})
    assert load.identities()[3:] == [(3, "FPID", "w0", 2), (4, "CRMID", "c0", 2)]
    assert load.rows() == [(1, [1, 2]), (0, None), (2, None), (3, [2, 3]), (1, [1, 4])]


def test_equal_values_of_two_namespaces_are_two_identities(load: Load) -> None:
    load(WEB, [(1, ["x", "x"], [])])
    assert load.identities() == [(0, "FPID", "x", 1), (1, "CRMID", "x", 1)]


def test_a_namespace_may_stand_in_two_columns(load: Load) -> None:
    twice = schema(IdentityDescriptor("a", "Email", True), IdentityDescriptor("b", "Email"))
    load(twice, [(1, ["x", "x"], []), (2, ["x", "y"], [])])
    assert load.identities() == [(0, "Email", "x", 1), (1, "Email", "y", 1)]
    assert load.rows() == [(0, None), (0, [0, 1])]


def test_a_thing_is_no_identity_of_a_person(load: Load) -> None:
    from coterie.identity.namespaces import Namespace, NamespaceType

    known = NAMESPACES | {"SKU": Namespace("SKU", NamespaceType.NON_PEOPLE)}
    with_sku = schema(IdentityDescriptor("fpid", "FPID", True), IdentityDescriptor("sku", "SKU"))
    load.history.ensure_leaves("event", with_sku.leaves().values())
    load._stage(with_sku, [(1, ["w", None], [])])
    assert assign.assign(load.con, with_sku, known, None, batch=1) == Assigned(1, {})
    assert load.con.execute('SELECT "$identity", "$identities" FROM identified').fetchall() == [(0, None)]


def test_identity_maps_join_descriptors_and_the_flag_decides(load: Load) -> None:
    both = schema(IdentityDescriptor("crm", "CRMID"), identity_map=True)
    rows: Any = [
        (1, ["c1"], [("Email", "a", False), ("FPID", "w", True), ("Email", "a", False)]),
        (2, [None], [("Email", "b", False), ("Email", "a", False)]),
        (3, ["c1"], []),
    ]
    load(both, rows)
    assert [row[1:3] for row in load.identities()] == [("CRMID", "c1"), ("Email", "a"), ("Email", "b"), ("FPID", "w")]
    assert load.rows() == [(3, [0, 1, 3]), (2, [1, 2]), (0, None)]


def test_the_marked_field_is_primary_before_the_map(load: Load) -> None:
    record = schema(IdentityDescriptor("crm", "CRMID", True), class_=SchemaClass.PROFILE, identity_map=True)
    load(record, [(0, ["c1"], [("Email", "a", True)])], dataset="crm")
    assert load.rows("record") == [(0, [0, 1])]
    link = load.con.execute("SELECT a, b, batch, first_at, last_at, records FROM link").fetchall()
    assert link == [(0, 1, 1, 1000, 1000, 1)]


def test_records_with_more_than_twenty_identities_are_kept_but_not_linked(load: Load) -> None:
    def crowd(size: int) -> Any:
        return [("Email", f"{n:02d}", False) for n in range(size)]

    assigned, _ = load(MAPPED, [(1, [], crowd(21)), (2, [], crowd(20)), (3, [], [*crowd(20), ("Email", "00", True)])])
    assert assigned.unlinked == {"identity.too-many": 1}
    assert [len(identities or []) for _, identities in load.rows()] == [0, 20, 20]
    assert len(set(load.persons().values())) == 1
    assert load.persons().keys() == set(range(20))


def test_priorities_decide_the_primary_identity_of_events(load: Load) -> None:
    rows: Any = [
        (1, ["w1", "c1"], []),
        (2, ["w1", None], []),
    ]
    load(WEB, rows, priorities=["CRMID", "FPID"])
    assert [load.identities()[row[0]][1] for row in load.rows()] == ["CRMID", "FPID"]


def test_records_with_two_values_of_a_unique_namespace_are_counted(load: Load) -> None:
    rows: Any = [
        (1, [], [("Email", "a", False), ("Phone", "1", False), ("Phone", "2", False)]),
        (2, [], [("Email", "a", False), ("Phone", "1", False), ("Phone", "1", False)]),
        (3, [], [("Email", "b", False), ("FPID", "1", False), ("FPID", "2", False)]),
    ]
    assigned, _ = load(MAPPED, rows, priorities=["Email", "Phone", "FPID"], unique=["Email", "Phone"])
    assert assigned.unlinked == {"identity.not-unique": 1}
    assigned, _ = load(WEB, [(1, ["w1", "c1"], [])], unique=["CRMID"])
    assert assigned.unlinked == {}


def test_links_are_every_pair_with_its_first_and_last_time(load: Load) -> None:
    triple = schema(
        *(
            IdentityDescriptor(path, code, path == "a")
            for path, code in (("a", "CRMID"), ("b", "Email"), ("c", "Phone"))
        )
    )
    load(triple, [(30, ["1", "e", "5"], []), (10, ["1", "e", None], []), (20, [None, "e", None], [])])
    found = load.con.execute("SELECT a, b, first_at, last_at, records FROM link ORDER BY a, b").fetchall()
    assert found == [(0, 1, 10, 30, 2), (0, 2, 30, 30, 1), (1, 2, 30, 30, 1)]


def test_persons_merge_and_split_with_their_lineage(load: Load) -> None:
    _, changes = load(WEB, [(1, ["w1", "c1"], []), (2, ["w2", "c2"], []), (3, ["w3", None], [])])
    # numbers: w1 0, w2 1, w3 2, c1 3, c2 4
    assert load.persons() == {0: 0, 1: 1, 2: 2, 3: 0, 4: 1}
    assert changes.touched.tolist() == [0, 1, 2]
    _, changes = load(WEB, [(4, ["w1", "c2"], [])])
    assert load.persons() == {0: 0, 1: 0, 2: 2, 3: 0, 4: 0}
    assert changes.touched.tolist() == [0, 1]
    assert changes.identities.tolist() == []
    changes = load.revert(2)
    assert load.persons() == {0: 0, 1: 1, 2: 2, 3: 0, 4: 1}
    assert (changes.merged, changes.split) == (0, 1)
    changes = load.revert(1)
    assert load.persons() == load.persons("unstitched") == {}
    assert changes.touched.tolist() == [0, 1, 2]
    lineage = load.con.execute('SELECT person, "into", batch, "at", kind FROM lineage_default').fetchall()
    assert lineage == [(1, 0, 2, 2000, "merged"), (0, 1, 2, 9000, "split")]
    assert load.con.execute("SELECT count(*) FROM lineage_unstitched").fetchall() == [(0,)]


def test_a_person_whose_founder_goes_is_named_after_the_next_identity(load: Load) -> None:
    load(WEB, [(1, ["w1", "c1"], [])])
    load(WEB, [(2, ["w2", "c1"], [])])
    changes = load.revert(1)
    assert load.persons() == {1: 1, 2: 1}
    assert changes.touched.tolist() == [0, 1]
    assert load.con.execute('SELECT person, "into", kind FROM lineage_default').fetchall() == [(0, 1, "split")]


def test_starting_from_nothing_gives_the_same_persons(load: Load) -> None:
    load(WEB, [(1, ["w1", "c1"], []), (2, ["w2", "c2"], [])])
    load(WEB, [(3, ["w2", "c1"], []), (4, ["w4", None], [])])
    kept = {view: load.persons(view) for view in ("default", "unstitched")}
    assert load.anew().touched.size == 0
    load.con.execute("DELETE FROM person_of")
    load.anew()
    assert {view: load.persons(view) for view in kept} == kept


def test_a_graph_tells_who_and_why(load: Load) -> None:
    load(WEB, [(10, ["w1", "c1"], []), (20, ["w1", None], [])])
    load(WEB, [(5, ["w1", "c1"], []), (7, ["w2", "c1"], [])], dataset="app")
    found = graph.graph(load.con, "default", "FPID", "w2")
    assert found is not None
    assert found.person == person_id("FPID", "w1")
    assert [(item.namespace, item.value, item.first_at, item.last_at) for item in found.identities] == [
        ("FPID", "w1", 5, 20),
        ("CRMID", "c1", 5, 10),
        ("FPID", "w2", 7, 7),
    ]
    assert found.links == (
        graph.GraphLink(0, 1, 5, 10, 2, ("app", "web"), ("b1", "b2")),
        graph.GraphLink(1, 2, 7, 7, 1, ("app",), ("b2",)),
    )
    alone = graph.graph(load.con, "unstitched", "FPID", "w2")
    assert alone is not None
    assert (len(alone.identities), alone.links) == (1, ())
    assert graph.graph(load.con, "default", "FPID", "w3") is None
    assert graph.graph(load.con, "default", "fpid", "w1") is None
    load.revert(2)
    assert graph.graph(load.con, "default", "FPID", "w2") is None


def test_a_record_is_seen_when_it_is_taken_in(load: Load) -> None:
    record = schema(IdentityDescriptor("crm", "CRMID", True), class_=SchemaClass.PROFILE)
    load(record, [(0, ["c1"], [])], dataset="crm")
    found = graph.graph(load.con, "default", "CRMID", "c1")
    assert found is not None
    assert found.identities == (graph.GraphIdentity("CRMID", "c1", 1000, 1000),)
