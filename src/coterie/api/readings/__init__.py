"""What can be asked of a workspace, a module a subject. One table for the server and for the CLI.

A reading is a function of the workspace that changes nothing. The server makes a route of each; the CLI calls it
directly, or through the server that holds the workspace. So all three give the same answer by construction.
"""

from __future__ import annotations

from coterie.api.reading import READINGS as READINGS
from coterie.api.readings import audiences as audiences
from coterie.api.readings import batches as batches
from coterie.api.readings import computed as computed
from coterie.api.readings import definitions as definitions
from coterie.api.readings import identities as identities
from coterie.api.readings import policies as policies
from coterie.api.readings import predictions as predictions
from coterie.api.readings import privacy as privacy
from coterie.api.readings import profiles as profiles
from coterie.api.readings import retention as retention
