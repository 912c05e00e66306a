"""Many profiles at once: conflicts, two policies side by side, counts; each against what single look-ups say."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coterie.core.clock import DAY
from coterie.core.ids import person_id
from coterie.identity.graph import members
from coterie.identity.past import Moment
from coterie.profile.comparison import Comparison, compare
from coterie.profile.conflicts import Conflicts, Win, conflicts
from coterie.profile.fragments import folded, settled
from coterie.profile.merge import Merged, merge, path_text, paths, settle
from coterie.profile.policy import STITCHED, UNSTITCHED, AttributeMerge, MergePolicy, View
from coterie.profile.report import ProfileReport, Quiet, report
from coterie.profile.writes import writes

from .test_bulk import ATTRIBUTES, OPERATION
from .world import World

D2_FIRST = View("d2_first", MergePolicy(AttributeMerge.DATASET_PRECEDENCE, order=("d2", "d3")))
VIEWS = (STITCHED, UNSTITCHED, D2_FIRST)
PAIRS = st.tuples(st.sampled_from(["CRM", "Email"]), st.sampled_from(["1", "2", "3", "4"]))
ROW = st.tuples(st.lists(PAIRS, min_size=1, max_size=2), ATTRIBUTES, OPERATION)
BATCH = st.tuples(st.sampled_from(["d1", "d2", "d3"]), st.lists(ROW, min_size=1, max_size=5))


def merged(world: World, view: View) -> dict[int, Merged]:
    """Return every profile of a view that has attributes or fragments, by the pure merge of its writes."""
    found: dict[int, Merged] = {}
    for (person,) in world.con.execute(f'SELECT DISTINCT person FROM "person_of_{view.name}"').fetchall():
        mine = members(world.con, view.name, person)
        one = merge(settle(writes(world.con, mine, world.leaves, Moment())), view.policy)
        if one is not None:
            found[person] = one
    return found


def flat(one: Merged) -> dict[str, Any]:
    return {path_text(path): value for path, value in paths(one.attributes)}


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(BATCH, min_size=2, max_size=6))
def test_set_wise_answers_are_those_of_single_profiles(batches: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), views=VIEWS)
        for at, (dataset, rows) in enumerate(batches, start=1):
            world.load(dataset, [(pairs, value) for pairs, value, _ in rows], at, "record", [row[2] for row in rows])
        profiles = {view.name: merged(world, view) for view in VIEWS}
        for view in VIEWS:
            check_conflicts(conflicts(world.con, view, world.leaves), profiles[view.name])
        for left, right in ((STITCHED, D2_FIRST), (UNSTITCHED, D2_FIRST)):
            check_comparison(world, compare(world.con, left, right, world.leaves, 100), profiles)
        world.close()


def check_conflicts(found: Conflicts, profiles: dict[int, Merged]) -> None:
    several, conflicting, wins = Counter[str](), Counter[str](), Counter[tuple[str, str, str]]()
    torn = 0
    for one in profiles.values():
        values = flat(one)
        differing = 0
        for path, attribute in one.provenance.items():
            losers = [claim for claim in attribute.losers if claim.value != values[path]]
            several[path] += bool(attribute.losers)
            conflicting[path] += bool(losers)
            differing += bool(losers)
            for dataset in {claim.source.dataset for claim in losers}:
                wins[path, attribute.winner.dataset, dataset] += 1
        torn += bool(differing)
    assert found.people == len(profiles)
    assert found.conflicting == torn
    assert {item.path: item.several for item in found.attributes} == +several
    assert {item.path: item.conflicting for item in found.attributes if item.conflicting} == +conflicting
    assert {(item.path, win.winner, win.loser): win.people for item in found.attributes for win in item.wins} == +wins
    for item in found.attributes:
        assert len(item.samples) == min(3, item.conflicting)
        for sample in item.samples:
            (one,) = (one for one in profiles.values() if _is_of(one, sample.claims[0], item.path))
            assert len(sample.claims) == 1 + len(one.provenance[item.path].losers)
            assert sample.claims[0].claim == flat(one)[item.path]


def _is_of(one: Merged, claim: Any, path: str) -> bool:
    winner = one.provenance[path].winner if path in one.provenance else None
    return winner is not None and (winner.dataset, winner.namespace, winner.value) == (
        claim.dataset,
        claim.namespace,
        claim.value,
    )


def check_comparison(world: World, found: Comparison, profiles: dict[str, dict[int, Merged]]) -> None:
    sides = []
    for name in (found.left_view, found.right_view):
        persons = dict(world.con.execute(f'SELECT identity, person FROM "person_of_{name}"').fetchall())
        if found.by == "person":
            sides.append({person: flat(one) for person, one in profiles[name].items()})
        else:
            sides.append({i: flat(profiles[name][p]) for i, p in persons.items() if p in profiles[name]})
    left, right = sides
    different = {key for key in left.keys() & right.keys() if left[key] != right[key]}
    assert found.by == ("person" if found.left_view == "default" else "identity")
    assert (found.left, found.right) == (len(profiles[found.left_view]), len(profiles[found.right_view]))
    assert (found.only_left, found.only_right) == (len(left.keys() - right.keys()), len(right.keys() - left.keys()))
    assert (found.different, found.same) == (len(different), len(left.keys() & right.keys()) - len(different))
    attributes = Counter[str]()
    for key in different:
        attributes.update(
            {_whole(p) for p in left[key].keys() | right[key].keys() if left[key].get(p) != right[key].get(p)}
        )
    assert {item.path: item.profiles for item in found.attributes} == attributes
    shown = {world.numbers[item.namespace, item.value]: item.differences for item in found.samples}
    assert shown.keys() == different
    for key, differences in shown.items():
        assert {item.path: (item.left, item.right) for item in differences} == {
            path: (left[key].get(path), right[key].get(path))
            for path in left[key].keys() | right[key].keys()
            if left[key].get(path) != right[key].get(path)
        }


def _whole(path: str) -> str:
    """Return the attribute that counts a path: a map is one."""
    top = path.split(".")[0].split("[")[0]
    return top if top in ("consents", "prices", "shops") else path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Any:
    world = World(tmp_path_factory.mktemp("shop"), views=VIEWS)
    crm, mail, web, other = ("CRM", "1"), ("Email", "a"), ("ECID", "7"), ("ECID", "8")
    world.load("d1", [([crm, mail], {"age": 30, "consents": {"post": True, "sms": True}})], 1, "record")
    world.load("d2", [([mail], {"age": 31, "consents": {"post": False, "sms": True}})], 2, "record")
    events = [("a", web, 10 * DAY), ("b", web, 40 * DAY), ("c", other, 95 * DAY)]
    rows = [([pair], {"_id": id_, "timestamp": at}) for id_, pair, at in events]
    world.load("clicks", [*rows, ([web, crm], {"_id": "d", "timestamp": 20 * DAY})], 3, "event")
    yield world
    world.close()


def test_a_map_conflicts_key_by_key(shop: World) -> None:
    found = conflicts(shop.con, STITCHED, shop.leaves)
    assert (found.people, found.several, found.conflicting) == (2, 1, 1)
    assert [(item.path, item.several, item.conflicting) for item in found.attributes] == [
        ("age", 1, 1),
        ("consents.post", 1, 1),
        ("consents.sms", 1, 0),
    ]
    assert found.attributes[0].wins == (Win("d2", "d1", 1),)
    (sample,) = found.attributes[0].samples
    assert sample.person == person_id("CRM", "1")
    assert [(claim.dataset, claim.claim) for claim in sample.claims] == [("d2", 31), ("d1", 30)]


def test_conflicts_of_some_people(shop: World) -> None:
    someone = f"(SELECT {shop.numbers['ECID', '8']}::INTEGER AS person)"
    found = conflicts(shop.con, STITCHED, shop.leaves, someone)
    assert (found.people, found.several, found.attributes) == (1, 0, ())


def counted(world: World, view: View, at: int) -> ProfileReport:
    return report(world.con, view, settled("live_record", [], folded(world.con)), at)


def test_profiles_are_counted_by_what_is_known_of_them(shop: World) -> None:
    found = counted(shop, STITCHED, 100 * DAY)
    assert (found.profiles, found.identities, found.fragments, found.single) == (2, 4, 4, 1)
    assert [(item.namespace, item.identities, item.profiles, item.fragments) for item in found.namespaces] == [
        ("ECID", 2, 2, 2),
        ("CRM", 1, 1, 1),
        ("Email", 1, 1, 1),
    ]
    assert [(item.dataset, item.profiles, item.fragments) for item in found.datasets] == [
        ("clicks", 2, 2),
        ("d1", 1, 1),
        ("d2", 1, 1),
    ]
    assert {item.names: item.profiles for item in found.namespace_overlap} == {
        ("ECID",): 1,
        ("CRM", "ECID", "Email"): 1,
    }
    assert sum(item.profiles for item in found.dataset_overlap) == found.profiles
    assert found.quiet == ()
    assert counted(shop, STITCHED, 103 * DAY).quiet == (Quiet(7, 1, 1),)
    unstitched = counted(shop, UNSTITCHED, 100 * DAY)
    assert (unstitched.profiles, unstitched.single) == (4, 4)
    assert unstitched.quiet[0] == Quiet(7, 3, 3)
