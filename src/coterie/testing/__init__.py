"""The public testing kit."""

from coterie.testing.language import check as check
from coterie.testing.sample import SAMPLE as SAMPLE
