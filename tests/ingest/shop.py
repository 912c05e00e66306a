"""A small shop's schema and mapping that the ingestion tests share."""

import duckdb

from coterie.core.schema import CLASS_FIELDS, IdentityDescriptor, Schema, SchemaClass, read_fields
from coterie.ingest.mapping import Mapping
from coterie.ingest.source import SourceFormat, resolve
from coterie.ingest.stage import stage

NAMESPACES = {
    "CRMID": "CROSS_DEVICE",
    "Email": "EMAIL",
    "Phone": "PHONE",
    "FPID": "COOKIE",
    "ECID": "COOKIE",
    "SKU": "NON_PEOPLE",
    "Partner": "PARTNER",
}


def schema(fields, class_="event", identities=(("crm", "CRMID", True),), identity_map=False):
    spec = read_fields(fields, "test")
    return Schema(
        "test",
        SchemaClass(class_),
        CLASS_FIELDS[SchemaClass(class_)] | spec,
        tuple(IdentityDescriptor(*identity) for identity in identities),
        identity_map,
    )


def connect():
    con = duckdb.connect()
    con.execute("SET threads = 2")
    return con


def run(
    paths,
    fields,
    mapping,
    *,
    con=None,
    class_="event",
    identities=(("crm", "CRMID", True),),
    identity_map=False,
    format=None,  # noqa: A002
    now=None,
):
    """Stage files and return the connection, what `stage` says, and the schema."""
    con = con or connect()
    made = schema(fields, class_, identities, identity_map)
    paths = paths if isinstance(paths, list) else [paths]
    source = resolve(paths, SourceFormat(**format) if format else None)
    staged = stage(con, source, Mapping.read(mapping), made, namespaces=NAMESPACES, now=now)
    return con, staged, made


def column(con, path):
    """Return the values of a leaf in row order."""
    return [row[0] for row in con.execute(f'SELECT "{path}" FROM stage ORDER BY "$row"').fetchall()]


def errors(con):
    """Return the faults as (line, field, code), by line."""
    return con.execute('SELECT "$line", field, code FROM stage_error ORDER BY "$row", field, code').fetchall()
