from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coterie.core.errors import Busy, Conflict, Damaged, Invalid, NotFound, Unsupported
from coterie.store.catalog import Batch, BatchStatus, Catalog, Definition
from coterie.store.catalog import engine as engines
from coterie.store.catalog.tables import metadata
from coterie.store.log import Entry

NewPlace = Callable[[], tuple[str, str]]


@pytest.fixture
def place(new_place: NewPlace) -> tuple[str, str]:
    return new_place()


@pytest.fixture
def catalog(place: tuple[str, str]) -> Iterator[Catalog]:
    catalog = Catalog.open(*place)
    yield catalog
    catalog.close()


def put(position: int, kind: str, name: str, body: dict[str, Any]) -> Entry:
    return Entry(position, position * 10, "definition.put", {"kind": kind, "id": name, "body": body})


def delete(position: int, kind: str, name: str) -> Entry:
    return Entry(position, position * 10, "definition.delete", {"kind": kind, "id": name})


def test_versions_are_kept_and_the_last_is_in_force(catalog: Catalog) -> None:
    catalog.apply(put(1, "schema", "a", {"v": 1}))
    catalog.apply(put(2, "schema", "b", {"v": "ß\0\U0001f600"}))
    catalog.apply(put(3, "schema", "a", {"v": 2}))
    catalog.apply(put(4, "dataset", "a", {}))
    assert catalog.definition("schema", "a") == Definition("schema", "a", 2, {"v": 2}, 30)
    assert [found.id for found in catalog.definitions("schema")] == ["a", "b"]
    assert catalog.definitions("schema")[1].body == {"v": "ß\0\U0001f600"}
    assert [(found.version, found.recorded_at) for found in catalog.versions("schema", "a")] == [(1, 10), (2, 30)]
    assert catalog.position == 4


def test_a_deleted_definition_is_gone_and_may_come_back(catalog: Catalog) -> None:
    catalog.apply(put(1, "audience", "a", {"v": 1}))
    catalog.apply(delete(2, "audience", "a"))
    assert catalog.find("audience", "a") is None
    assert catalog.definitions("audience") == []
    assert [found.deleted for found in catalog.versions("audience", "a")] == [False, True]
    catalog.apply(put(3, "audience", "a", {"v": 3}))
    assert catalog.definition("audience", "a").version == 3


def test_the_definitions_of_an_instant_are_those_recorded_by_then(catalog: Catalog) -> None:
    for entry in (
        put(1, "audience", "a", {"v": 1}),
        put(2, "audience", "b", {"v": 2}),
        put(3, "audience", "a", {"v": 3}),
        delete(4, "audience", "b"),
    ):
        catalog.apply(entry)
    expected = {9: {}, 10: {"a": 1}, 29: {"a": 1, "b": 2}, 30: {"a": 3, "b": 2}, 40: {"a": 3}, None: {"a": 3}}
    for known, bodies in expected.items():
        assert {item.id: item.body["v"] for item in catalog.definitions("audience", known)} == bodies
        for name in ("a", "b"):
            found = catalog.find("audience", name, known)
            assert (found and found.body["v"]) == bodies.get(name)


def test_a_missing_definition_is_named(catalog: Catalog) -> None:
    catalog.apply(put(1, "field_group", "loyalty", {}))
    with pytest.raises(NotFound, match="Did you mean loyalty") as caught:
        catalog.definition("field_group", "loyalti")
    assert caught.value.code == "field-group.not-found"


def test_the_order_of_keys_survives(catalog: Catalog) -> None:
    body = {"fields": {name: {"type": "string"} for name in ("z", "a", "m", "b")}}
    catalog.apply(put(1, "schema", "a", body))
    assert list(catalog.definition("schema", "a").body["fields"]) == ["z", "a", "m", "b"]


def test_applying_again_changes_nothing(catalog: Catalog) -> None:
    entries = [put(1, "schema", "a", {"v": 1}), put(2, "schema", "a", {"v": 2}), Entry(3, 30, "audience.evaluated", {})]
    for entry in [*entries, *entries]:
        catalog.apply(entry)
    assert [found.version for found in catalog.versions("schema", "a")] == [1, 2]
    assert catalog.position == 3


def test_an_entry_left_out_is_noticed(catalog: Catalog) -> None:
    catalog.apply(put(1, "schema", "a", {}))
    with pytest.raises(Damaged) as caught:
        catalog.apply(put(3, "schema", "b", {}))
    assert caught.value.code == "catalog.gap"
    assert catalog.position == 1


def test_a_failed_entry_leaves_nothing(catalog: Catalog) -> None:
    with pytest.raises(KeyError):
        catalog.apply(Entry(1, 10, "batch.accepted", {"batch": "b-1"}))  # no dataset
    assert catalog.position == 0
    assert catalog.batches() == []


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.sampled_from("ab"), st.sampled_from(["schema", "dataset"]), st.integers()),
        max_size=12,
    ),
    again=st.lists(st.integers(0, 11), max_size=8),
)
def test_the_projection_is_that_of_a_dictionary(
    new_place: NewPlace, steps: list[tuple[bool, str, str, int]], again: list[int]
) -> None:
    catalog = Catalog.open(*new_place())
    expected: dict[tuple[str, str], dict[str, int]] = {}
    entries: list[Entry] = []
    for position, (putting, name, kind, value) in enumerate(steps, 1):
        if putting:
            expected[kind, name] = {"v": value}
            entries.append(put(position, kind, name, {"v": value}))
        else:
            expected.pop((kind, name), None)
            entries.append(delete(position, kind, name))
    for entry in entries:
        catalog.apply(entry)
        for earlier in again:
            if earlier < entry.position:
                catalog.apply(entries[earlier])
    for kind in ("schema", "dataset"):
        found = {found.id: found.body for found in catalog.definitions(kind)}
        assert found == {name: body for (its, name), body in expected.items() if its == kind}
    catalog.close()


# -- batches ----------------------------------------------------------------------------------------------------------


def test_a_batch_lives(catalog: Catalog) -> None:
    assert catalog.next_batch_number() == 1
    catalog.put_batch(Batch("b-1", 1, "web", BatchStatus.LOADING, 5))
    assert catalog.next_batch_number() == 2
    assert catalog.batch("b-1").status is BatchStatus.LOADING
    body = {"batch": "b-1", "dataset": "web", "metrics": {"rows": 7}}
    catalog.apply(Entry(1, 60, "batch.accepted", body))
    assert catalog.batch("b-1") == Batch("b-1", 1, "web", BatchStatus.ACTIVE, 5, 60, {"rows": 7})
    catalog.apply(Entry(2, 70, "batch.reverted", {"batch": "b-1", "reason": "wrong file"}))
    assert catalog.batch("b-1") == Batch("b-1", 1, "web", BatchStatus.INACTIVE, 5, 70, {"rows": 7}, "wrong file")


def test_batches_of_a_log_alone(catalog: Catalog) -> None:
    body = {"dataset": "web", "metrics": {}}
    catalog.apply(Entry(1, 10, "batch.accepted", {"batch": "b-1", "number": 4, **body}))
    catalog.apply(Entry(2, 20, "batch.refused", {"batch": "b-2", "reason": "too many bad rows", **body}))
    assert catalog.batch("b-1") == Batch("b-1", 4, "web", BatchStatus.ACTIVE, 10, 10)
    assert catalog.batch("b-2") == Batch("b-2", 5, "web", BatchStatus.FAILED, 20, 20, {}, "too many bad rows")
    assert catalog.next_batch_number() == 6


def test_batches_of_a_dataset(catalog: Catalog) -> None:
    for number, dataset in enumerate(["web", "shop", "web"], 1):
        catalog.put_batch(Batch(f"b-{number}", number, dataset, BatchStatus.LOADING, 5))
    assert [batch.id for batch in catalog.batches()] == ["b-1", "b-2", "b-3"]
    assert [batch.id for batch in catalog.batches("web")] == ["b-1", "b-3"]
    with pytest.raises(NotFound) as caught:
        catalog.batch("b-9")
    assert caught.value.code == "batch.not-found"


def test_numbers_are_unique(catalog: Catalog) -> None:
    catalog.put_batch(Batch("b-1", 1, "web", BatchStatus.LOADING, 5))
    with pytest.raises(Conflict) as caught:
        catalog.put_batch(Batch("b-2", 1, "web", BatchStatus.LOADING, 5))
    assert caught.value.code == "batch.number"


def test_batches_of_a_dead_process_are_abandoned(catalog: Catalog) -> None:
    for number, status in enumerate(BatchStatus, 1):
        catalog.put_batch(Batch(f"b-{status}", number, "web", status, 5))
    left = catalog.abandon_unfinished(99)
    assert {batch.status for batch in left} == {
        "loading", "loaded", "queued", "processing", "staging", "staged", "retrying", "stalled",
    }  # fmt: skip
    assert catalog.batch("b-loading").status is BatchStatus.ABANDONED
    assert catalog.batch("b-loading").finished_at == 99
    assert catalog.batch("b-active").status is BatchStatus.ACTIVE
    assert catalog.abandon_unfinished(100) == []


# -- formats and places -----------------------------------------------------------------------------------------------


def at_revision(place: tuple[str, str], revision: str) -> sa.Engine:
    """Leave a catalog as the program of an earlier revision left it."""
    engine = engines.make_engine(*place)
    with engine.execution_options(**{engines.WRITES: True}).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.schema.CreateSchema(place[1]))
        engines.upgrade(connection, revision)
    return engine


def indexes(bind: sa.Engine | sa.Connection) -> set[str | None]:
    return {index["name"] for index in sa.inspect(bind).get_indexes("batch")}


def test_an_older_format_is_upgraded(place: tuple[str, str]) -> None:
    engine = at_revision(place, "0001")
    with engine.execution_options(**{engines.WRITES: True}).begin() as connection:
        assert "batch_dataset" not in indexes(connection)
        connection.execute(
            sa.text(
                "INSERT INTO batch (id, number, dataset, status, created_at, metrics)"
                " VALUES ('b-1', 1, 'web', 'active', 5, '{}')"
            )
        )
        connection.execute(sa.text("UPDATE meta SET value = 3 WHERE key = 'position'"))
    engine.dispose()
    for _ in range(2):
        catalog = Catalog.open(*place)
        assert catalog.position == 3
        assert catalog.batches("web") == [Batch("b-1", 1, "web", BatchStatus.ACTIVE, 5)]
        catalog.close()
    engine = engines.make_engine(*place)
    assert "batch_dataset" in indexes(engine)
    engine.dispose()


def test_the_migrations_make_the_tables(place: tuple[str, str]) -> None:
    Catalog.open(*place).close()
    engine = engines.make_engine(*place)
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() == engines.HEAD
    engine.dispose()


def test_a_newer_format_is_refused_by_name(place: tuple[str, str]) -> None:
    engine = at_revision(place, "head")
    with engine.execution_options(**{engines.WRITES: True}).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0042'"))
    engine.dispose()
    with pytest.raises(Unsupported, match=r"catalog at .* has format 0042.*up to 0002") as caught:
        Catalog.open(*place)
    assert caught.value.code == "store.format"
    assert caught.value.where["store"] == "catalog"


def test_two_catalogs_are_apart(new_place: NewPlace) -> None:
    first, second = Catalog.open(*new_place()), Catalog.open(*new_place())
    first.apply(put(1, "schema", "a", {}))
    assert second.position == 0
    assert second.find("schema", "a") is None
    first.close()
    second.close()


def test_a_damaged_file_is_named(tmp_path: Any) -> None:
    (tmp_path / "catalog.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(Damaged) as caught:
        Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    assert caught.value.code == "catalog.damaged"
    assert str(tmp_path) in caught.value.message


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(Busy) as caught:
        Catalog.open("postgresql://someone:secret@127.0.0.1:1/nowhere", "prod")
    assert caught.value.code == "catalog.unreachable"
    assert "secret" not in str(caught.value) + str(caught.value.where)


@pytest.mark.parametrize(("url", "error"), [("mysql://host/db", Unsupported), ("no url", Invalid)])
def test_other_addresses_are_refused(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Catalog.open(url)
