"""The public testing kit."""

from coterie.testing.identity import clusters as clusters
from coterie.testing.language import check as check
from coterie.testing.members import People as People
from coterie.testing.members import Plan as Plan
from coterie.testing.members import last_plan as last_plan
from coterie.testing.members import members as members
from coterie.testing.members import people as people
from coterie.testing.merge import merge as merge
from coterie.testing.sample import SAMPLE as SAMPLE
from coterie.testing.schema import schema as schema
