"""Words for what rules speak of: fields, items of arrays, kinds of events, numbers and times."""

from __future__ import annotations

import re
from calendar import month_name
from datetime import date
from typing import NamedTuple

from coterie.core.errors import Invalid
from coterie.core.schema import COMPUTED, Field
from coterie.pql import ast
from coterie.pql.ast import Expr, Literal
from coterie.pql.words import PLURALS

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")


class Kind(NamedTuple):
    """A kind of thing a person may have had or done: the verb, and the noun for one and for many."""

    verb: str
    one: str
    many: str


EVENT = Kind("had", "event", "events")
SEARCH = Kind("made", "search", "searches")

_KINDS = {
    "search": SEARCH,
    "siteSearch": SEARCH,
    "web.search": SEARCH,
    "advertising.clicks": Kind("made", "click on an advertisement", "clicks on advertisements"),
    "advertising.impressions": Kind("had", "view of an advertisement", "views of advertisements"),
    "application.launch": Kind("had", "launch of the application", "launches of the application"),
    "campaign.sent": Kind("were sent", "campaign", "campaigns"),
    "commerce.checkouts": Kind("started", "checkout", "checkouts"),
    "commerce.productListAdds": Kind("made", "addition to the cart", "additions to the cart"),
    "commerce.productListOpens": Kind("opened", "cart", "carts"),
    "commerce.productListRemovals": Kind("made", "removal from the cart", "removals from the cart"),
    "commerce.productListReopens": Kind("reopened", "cart", "carts"),
    "commerce.productListViews": Kind("had", "view of the cart", "views of the cart"),
    "commerce.productViews": Kind("had", "product view", "product views"),
    "commerce.purchases": Kind("made", "purchase", "purchases"),
    "commerce.saveForLaters": Kind("saved", "product for later", "products for later"),
    "coupon.redeemed": Kind("redeemed", "coupon", "coupons"),
    "directMarketing.emailBounced": Kind("had", "bounced email", "bounced emails"),
    "directMarketing.emailClicked": Kind("made", "click in an email", "clicks in emails"),
    "directMarketing.emailDelivered": Kind("received", "email", "emails"),
    "directMarketing.emailOpened": Kind("opened", "email", "emails"),
    "directMarketing.emailSent": Kind("were sent", "email", "emails"),
    "directMarketing.emailUnsubscribed": Kind("made", "unsubscription from emails", "unsubscriptions from emails"),
    "userAccount.createProfile": Kind("created", "account", "accounts"),
    "userAccount.login": Kind("had", "login", "logins"),
    "userAccount.logout": Kind("had", "logout", "logouts"),
    "web.formFilledOut": Kind("filled out", "form", "forms"),
    "web.webinteraction.linkClicks": Kind("made", "click on a link", "clicks on links"),
    "web.webpagedetails.pageViews": Kind("had", "page view", "page views"),
}
_PREPOSITION = re.compile(r" (?:of|over|in|with|for|per) ")
_CONTROLS = {code: repr(chr(code))[1:-1] for code in range(32)}
_OWN = {"_id": "id", "timestamp": "time", "eventType": "type"}


def kind_of(event_type: str) -> Kind:
    """Return the words for events of a type; types that are not known are named."""
    named = f"“{event_type}”"
    return _KINDS.get(event_type) or Kind("had", f"event {named}", f"events {named}")


def words(name: str) -> str:
    """Return a name of a field as words.

    Examples
    --------
    >>> [words(name) for name in ("priceTotal", "SKU", "countryISO", "_repo", "first_name")]
    ['price total', 'SKU', 'country ISO', 'repo', 'first name']
    """
    parts = _WORDS.findall(name)
    return " ".join(part if len(part) > 1 and part.isupper() else part.lower() for part in parts) or name


def phrase(path: list[str], field: Field | None) -> str:
    """Return the words for a path of names: the title of the field, or its names without what they repeat.

    Examples
    --------
    >>> phrase(["person", "name", "firstName"], None)
    'first name'
    >>> phrase(["web", "webPageDetails", "name"], None)
    'web page details name'
    """
    if len(path) == 1 and path[0] in _OWN:
        return _OWN[path[0]]
    if field is not None and field.title:
        return lowered(field.title)
    if len(path) > 1 and path[0] in ("person", COMPUTED):
        path = path[1:]
    said = ""
    for name in map(words, path):
        repeats = f"{name} ".startswith(f"{said} ") or f" {name}".endswith(f" {said}")
        said = name if not said or repeats else f"{said} {name}"
    return said


def lowered(title: str) -> str:
    """Return a title for the middle of a sentence; words in capitals keep them."""
    first, _, rest = title.partition(" ")
    kept = first if first[1:] != first[1:].lower() else first.lower()
    return f"{kept} {rest}".rstrip()


def one_of(plural: str) -> str:
    """Return the singular of the last word.

    Examples
    --------
    >>> [one_of(word) for word in ("orders", "categories", "boxes", "purchases", "address", "list items")]
    ['order', 'category', 'box', 'purchase', 'address', 'list item']
    """
    for ending, instead in (("ies", "y"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("sses", "ss")):
        if plural.endswith(ending):
            return plural.removesuffix(ending) + instead
    return plural.removesuffix("s") if is_plural(plural) else plural


def is_plural(noun: str) -> bool:
    """Whether a noun looks like a plural; what follows a preposition does not count."""
    head = _PREPOSITION.split(noun, maxsplit=1)[0]
    return head.endswith("s") and not head.endswith(("ss", "us", "is"))


def many_of(noun: str) -> str:
    """Return the plural of a noun that may be one already."""
    if is_plural(noun):
        return noun
    return noun + "es" if noun.endswith(("s", "x", "ch", "sh")) else noun + "s"


def with_article(noun: str) -> str:
    """Return a singular noun with *a* or *an*."""
    spelled = noun.lstrip("“").lower()
    return f"{'an' if spelled[:1] in tuple('aeio') or spelled.startswith('un') else 'a'} {noun}"


def listed(items: list[str], last: str) -> str:
    """Return items with commas between, and a word before the last."""
    return f"{', '.join(items[:-1])} {last} {items[-1]}" if len(items) > 1 else "".join(items) or "nothing"


def value_of(literal: Literal) -> str:
    """Return a literal as it is spoken of."""
    match literal.kind:
        case "string":
            return f"“{str(literal.value).translate(_CONTROLS)}”"
        case "boolean":
            return "true" if literal.value else "false"
        case _:
            return "nothing" if literal.value is None else str(literal.value)


def day_of(args: tuple[Expr, ...]) -> str | None:
    """Return the day that the arguments of `date` write out, or None."""
    numbers = [arg.value for arg in args if isinstance(arg, Literal) and isinstance(arg.value, int)]
    try:
        year, month, day = numbers
        return spoken(date(year, month, day))
    except (ValueError, OverflowError, Invalid):
        return None


def spoken(day: date) -> str:
    """Return a day as it is spoken of: 1 October 2017."""
    return f"{day.day} {month_name[day.month]} {day.year}"


def length(count: int, unit: ast.Unit) -> str:
    """Return a length of time."""
    return f"{count} {unit if count == 1 else PLURALS[unit]}"


_QUANTITIES = {">=": "at least", ">": "more than", "<": "fewer than", "<=": "at most", "=": "exactly"}


def quantity(op: str, count: int, kind: Kind) -> str:
    """Return how many, with the noun.

    Examples
    --------
    >>> order = Kind("have", "order", "orders")
    >>> [quantity(op, count, order) for op, count in ((">", 0), ("=", 0), (">=", 3), ("<", 2), ("!=", 1))]
    ['an order', 'no order', 'at least 3 orders', 'fewer than 2 orders', 'any number of orders but 1']
    """
    if (op, count) in ((">=", 1), (">", 0), ("!=", 0)):
        return with_article(kind.one)
    if (op, count) in (("=", 0), ("<", 1), ("<=", 0)):
        return f"no {kind.one}"
    if op == "!=" or (op, count) == (">=", 0):
        return f"any number of {kind.many}" + (f" but {count}" if op == "!=" else "")
    return f"{_QUANTITIES[op]} {count} {kind.one if count == 1 else kind.many}"


def amount(op: str, asked: object, *, counts: bool) -> str:
    """Return how many, or how much, is asked for, without a noun.

    Examples
    --------
    >>> [amount(op, n, counts=True) for op, n in ((">", 0), ("<", 1), ("<", 3), ("!=", 2))]
    ['at least 1', 'none', 'fewer than 3', 'any number but 2']
    """
    if counts:
        if (op, asked) in ((">", 0), ("!=", 0)):
            return "at least 1"
        if (op, asked) in (("=", 0), ("<", 1), ("<=", 0)):
            return "none"
        return f"any number but {asked}" if op == "!=" else f"{_QUANTITIES[op]} {asked}"
    words = {**_QUANTITIES, "<": "less than", "!=": "other than"}
    return f"{words[op]} {asked}"
