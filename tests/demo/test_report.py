"""What is printed of the sample world says what it holds."""

from __future__ import annotations

import io
from decimal import Decimal

import msgspec
from rich.console import Console

from coterie.api.reading import encode
from coterie.demo import report, world
from coterie.workspace import Workspace


def test_it_shows_rows_people_audiences_a_profile_and_files(loaded: tuple[Workspace, world.DemoReport]) -> None:
    _, found = loaded
    out = io.StringIO()
    plain = msgspec.json.Decoder(float_hook=Decimal).decode(encode(found))
    report.show(Console(file=out, width=200, highlight=False), plain)
    lines = out.getvalue().splitlines()

    def cells(name: str) -> list[str]:
        (line,) = (line for line in lines if line.startswith(f"│ {name} "))
        return [cell.strip() for cell in line.strip("│").split("│")]

    assert cells("transactions") == ["transactions", "Basket lines", "1,469,307", "1,469,307", "0", "0"]
    assert cells("persons") == ["persons", f"{found.persons:,}"]
    for row in found.audiences:
        shown = cells(row.audience) if row.audience not in world.EXPORTS else None
        if shown is not None:
            assert shown[1] == f"{row.members:,}"
            assert " ".join(row.pql.split()).startswith(shown[3])
    assert cells("household.income")[1:4] == ["150-174K", "demographics", "HouseholdID:2421"]
    events = [line for line in lines if "commerce.purchases" in line and line.startswith("│ 2017-12-")]
    assert len(events) == sum(item.event["eventType"] == "commerce.purchases" for item in found.profile.events) > 0
    for export in found.exports:
        assert any(export.path in line for line in lines)
    assert found.profile.person in out.getvalue()
