"""The sample schema: the fields that the published examples of the language speak of."""

from __future__ import annotations

from coterie.core.schema import Schema, SchemaClass, Union, read_fields, union_of

_TEXT = "string"
_MONEY = {"type": "number", "decimals": 6}

PROFILE = Schema(
    "sample-profile",
    SchemaClass.PROFILE,
    read_fields(
        {
            "id": _TEXT,
            "person.name.firstName": _TEXT,
            "person.name.lastName": _TEXT,
            "person.birthDate": "date",
            "person.gender": _TEXT,
            "homeAddress.country": _TEXT,
            "homeAddress.city": _TEXT,
            "homeAddress.stateProvince": _TEXT,
            "homeAddress.postalCode": _TEXT,
            "personalEmail.address": _TEXT,
            "loyalty.tier": _TEXT,
            "loyalty.points": "integer",
            "favoriteColors[]": _TEXT,
            "orders[].orderId": _TEXT,
            "orders[].status": _TEXT,
            "orders[].total": _MONEY,
            "orders[].items[].sku": _TEXT,
            "orders[].items[].price": _MONEY,
            "orders[].items[].qty": "integer",
            "consents.marketing.email.val": _TEXT,
            "consents.marketing.email.subscriptions{}.val": _TEXT,
        },
        "the sample profile",
    ),
    identity_map=True,
    title="Sample profile",
)
EVENT = Schema(
    "sample-event",
    SchemaClass.EVENT,
    read_fields(
        {
            "web.webPageDetails.name": _TEXT,
            "web.webPageDetails.URL": _TEXT,
            "commerce.order.priceTotal": _MONEY,
            "commerce.order.purchaseID": _TEXT,
            "commerce.purchases.value": _MONEY,
            "productListItems[].SKU": _TEXT,
            "productListItems[].name": _TEXT,
            "productListItems[].quantity": "integer",
            "productListItems[].priceTotal": _MONEY,
            "search.query": _TEXT,
            "device.type": _TEXT,
            "placeContext.geo.city": _TEXT,
            "placeContext.geo.countryCode": _TEXT,
        },
        "the sample event",
    ),
    title="Sample event",
)
SAMPLE: Union = union_of([PROFILE, EVENT])
