"""``sources:`` of ``shoal.yaml``: where data comes from and what its rows mean, as typed records.

Columns are named as in the file, whatever their case; expressions are DuckDB SQL over them. Where both a column and a
fixed text make sense (``currency``), the name of a column is the column and anything else the text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shoal.errors import ConfigError, did_you_mean, nearest
from shoal.lang.schema import Kind
from shoal.sources.encoding import is_encoding, near_encoding
from shoal.sources.reading import READERS, Format
from shoal.sources.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

How: TypeAlias = Literal["first", "sum", "min", "max", "count"]
Duplicates: TypeAlias = Literal["drop", "keep"]
Removed: TypeAlias = Literal["retire", "keep"]
Across: TypeAlias = Literal["replace", "join"]

AGGREGATES: tuple[How, ...] = ("first", "sum", "min", "max", "count")
TYPES = {"text": Kind.TEXT, "number": Kind.NUMBER, "yes/no": Kind.YESNO, "date": Kind.DATE, "instant": Kind.INSTANT}
"""The words of ``types:``."""

_SOURCE = {
    "from", "format", "types", "derive", "lookup", "where", "duplicates", "removed", "across_files", "events", "traits",
    "consent", "spend", "reference", "quality",
}  # fmt: skip
_FORMAT = {
    "type", "delimiter", "encoding", "quote", "header", "columns", "decimal", "thousands", "dates", "timezone",
    "missing", "yes", "no", "skip_initial_space", "table", "sheet", "query", "cell_limit",
}  # fmt: skip
_AS_COLUMN = "As revenue: Amount; or two of them for a place on earth, as location: [latitude, longitude]"
_EVENT = {
    "event", "when", "customer", "account", "at", "id", "group", "currency", "money", "properties", "items",
}  # fmt: skip
_TRAITS = {"customer", "account", "at", "when", "take"}
_CONSENT = {"customer", "purpose", "granted", "at", "when"}
_SPEND = {"day", "amount", "channel", "campaign", "impressions", "clicks", "currency", "when"}


@dataclass(frozen=True, slots=True)
class Take:
    """The column that a property comes from and, where rows are grouped, how one value is made of many."""

    column: str
    how: How = "first"


@dataclass(frozen=True, slots=True)
class EventMap:
    """How rows become events of one name.

    Args:
        event: the name of the events.
        customer: the column of the customer's id.
        at: the column of the time; a date stands for its first instant in the source's zone.
        when: an expression that says which rows; None takes all.
        account: the column of the account that the customer belongs to.
        id: the column of the message id, which becomes ``source:value``.
        group: rows of an equal value in this column become one event, at their earliest time.
        currency: the column, or the code, of the currency of ``money``.
        money: the properties that are amounts of money.
        properties: where each property comes from.
        items: lists of objects: for each property, the columns of its fields.
        place: where this stands in ``shoal.yaml``.
    """

    event: str
    customer: str
    at: str
    when: str | None = None
    account: str | None = None
    id: str | None = None
    group: str | None = None
    currency: str | None = None
    money: tuple[str, ...] = ()
    properties: Mapping[str, Take] = field(default_factory=dict)
    items: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True, slots=True)
class TraitMap:
    """How rows become traits of customers, or of accounts.

    Args:
        owner: the column of the customer's or account's id.
        scope: whose traits they are.
        take: the column of each trait.
        at: the column of the time of the change; None: first seen, and later changes when they are loaded.
        when: which rows.
        place: where this stands in ``shoal.yaml``.
    """

    owner: str
    scope: Literal["customer", "account"]
    take: Mapping[str, str]
    at: str | None = None
    when: str | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class ConsentMap:
    """How rows become consent; ``granted`` is a yes/no column. The purpose is one for all rows, or in a column."""

    customer: str
    purpose: str
    granted: str
    at: str | None = None
    when: str | None = None
    place: str = ""
    purpose_column: str | None = None


@dataclass(frozen=True, slots=True)
class SpendMap:
    """How rows become what was spent on a day; the columns other than day and amount may be None."""

    day: str
    amount: str
    channel: str | None = None
    campaign: str | None = None
    impressions: str | None = None
    clicks: str | None = None
    currency: str | None = None
    when: str | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Columns of another source, joined by a key that is unique there.

    Args:
        source: the other source.
        on: the column there for each column here.
        take: the column there for each new column here.
        place: where this stands in ``shoal.yaml``.
    """

    source: str
    on: Mapping[str, str]
    take: Mapping[str, str]
    place: str = ""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One source.

    Args:
        name: its name in ``shoal.yaml``.
        from_: a file, glob, folder, archive or address of a database.
        format: how values stand in its files.
        types: declared types of columns; the others are learned.
        derive: new columns by expression; one may use those before it.
        lookup: columns of other sources.
        points: new columns that are places on earth: the columns of latitude and longitude, and where that is asked for.
        where: which rows are used at all; the others are counted.
        duplicates: whether exactly repeated rows of a file are dropped.
        removed: whether a row that vanished from a file is retired or stays.
        across_files: what an id that stands in several files means: the newest file is a correction (``replace``), or
            its rows belong together, as the parts of one export do (``join``).
        events: its events.
        traits: its traits.
        consent: its consent.
        spend: its spend.
        reference: only there for lookups.
        quality: thresholds of its own, as written.
        place: where this stands in ``shoal.yaml``.
    """

    name: str
    from_: str
    format: Format = field(default_factory=Format)
    types: Mapping[str, Kind] = field(default_factory=dict)
    derive: Mapping[str, str] = field(default_factory=dict)
    lookup: tuple[Lookup, ...] = ()
    points: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    where: str | None = None
    duplicates: Duplicates = "drop"
    removed: Removed = "retire"
    across_files: Across = "replace"
    events: tuple[EventMap, ...] = ()
    traits: tuple[TraitMap, ...] = ()
    consent: tuple[ConsentMap, ...] = ()
    spend: tuple[SpendMap, ...] = ()
    reference: bool = False
    quality: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""


def parse_sources(document: Mapping[str, Any]) -> dict[str, SourceSpec]:
    """Read the value of ``sources:``.

    Args:
        document: the plain value, as a YAML reader gives it.

    Returns:
        The sources by name, in the order of the file.

    Raises:
        ConfigError: ``place`` is the path of the fault, as ``sources.orders.events[0].customer``.
    """
    found = {str(name): _source(str(name), value) for name, value in document.items()}
    for spec in found.values():
        _check_lookups(spec, found)
    used = {lookup.source for spec in found.values() for lookup in spec.lookup}
    for spec in found.values():
        if not (spec.events or spec.traits or spec.consent or spec.spend or spec.reference or spec.name in used):
            raise ConfigError(
                "This source is read but nothing is made of it.",
                place=spec.place,
                fix="Give it events:, traits:, consent: or spend:, or write reference: true.",
            )
    return found


def _source(name: str, value: object) -> SourceSpec:
    place = f"sources.{name}"
    if not name.strip() or ":" in name:
        raise ConfigError(f"{name!r} can't be the name of a source.", place=place, fix="Use a word, as orders.")
    if isinstance(value, dict):
        for key in value:
            if key in _FORMAT:
                fix = f"It belongs under format:, as format: {{{key}: …}}"
                raise ConfigError(f"{key!r} says how the data stands, not what it is.", place=f"{place}.{key}", fix=fix)
    part = Section.of(value, place, _SOURCE)
    points: dict[str, tuple[str, str, str]] = {}
    return SourceSpec(
        name=name,
        from_=part.needed("from", "Say where the data is: from: exports/orders.csv"),
        format=parse_format(part.values.get("format") or {}, part.at("format")),
        types=_types(part),
        derive=part.pairs("derive"),
        lookup=tuple(_lookup(p) for p in part.parts("lookup", {"from", "on", "take"})),
        where=part.text("where"),
        duplicates=part.choice("duplicates", ("drop", "keep"), "drop"),  # type: ignore[arg-type]
        removed=part.choice("removed", ("retire", "keep"), "retire"),  # type: ignore[arg-type]
        across_files=part.choice("across_files", ("replace", "join"), "replace"),  # type: ignore[arg-type]
        events=tuple(_event(p, points) for p in part.parts("events", _EVENT)),
        traits=tuple(_traits(p, points) for p in part.parts("traits", _TRAITS)),
        consent=tuple(_consent(p) for p in part.parts("consent", _CONSENT)),
        spend=tuple(_spend(p) for p in part.parts("spend", _SPEND)),
        points=points,
        reference=bool(part.flag("reference")),
        quality=part.names("quality"),
        place=place,
    )


def parse_format(value: object, place: str = "format") -> Format:
    """Read the value of ``format:``.

    Raises:
        ConfigError: for an unknown key or a value that makes no sense.
    """
    part = Section.of(value, place, _FORMAT)
    header = part.values.get("header")
    if header is not None and header is not False and (isinstance(header, bool) or not isinstance(header, int)):
        part.fail(
            "header", f"{header!r} is not a line.", "Write the number of the line that holds the names, or false."
        )
    if header is False and not part.has("columns"):
        part.fail(
            "header", "Without a header the columns have no names.", "Name them: columns: [customer, day, amount]"
        )
    texts = {k: part.texts(k) for k in ("columns", "missing", "yes", "no") if part.has(k)}
    plain = ("delimiter", "encoding", "quote", "decimal", "thousands", "dates", "timezone", "table", "sheet", "query")
    kind = part.choice("type", tuple(READERS), "") or None
    fmt = Format(
        type=kind,  # type: ignore[arg-type]
        header=header,
        skip_initial_space=part.flag("skip_initial_space"),
        **({"cell_limit": part.whole("cell_limit")} if part.has("cell_limit") else {}),  # type: ignore[arg-type]
        **{k: part.text(k) for k in plain if part.values.get(k) is not None},  # type: ignore[arg-type]
        **texts,  # type: ignore[arg-type]
    )
    _check_format(part, fmt)
    return fmt


def _check_format(part: Section, fmt: Format) -> None:
    if fmt.encoding is not None and not is_encoding(fmt.encoding):
        part.fail("encoding", f"There is no encoding {fmt.encoding!r}.", near_encoding(fmt.encoding))
    if fmt.decimal not in (None, ".", ","):
        part.fail("decimal", f"{fmt.decimal!r} is not a decimal sign.", 'Write "." or ",".')
    if fmt.thousands is not None and fmt.thousands == (fmt.decimal or "."):
        part.fail("thousands", "The same sign can't stand before decimals and between thousands.")
    if fmt.thousands is not None and len(fmt.thousands) > 1:
        part.fail("thousands", f"{fmt.thousands!r} is longer than one character.")
    if fmt.dates not in (None, "iso", "day-first", "month-first") and "%" not in str(fmt.dates):
        part.fail(
            "dates",
            f"{fmt.dates!r} is no order of dates.",
            "Write iso, day-first, month-first, or a pattern as %d.%m.%Y.",
        )
    if fmt.timezone is not None:
        from shoal.lang.calendar import zone

        try:
            zone(fmt.timezone)
        except ConfigError as error:
            part.fail("timezone", error.problem, error.fix)


def _types(part: Section) -> dict[str, Kind]:
    found = {}
    for column, word in part.names("types").items():
        word = "yes/no" if isinstance(word, bool) else str(word)
        if word not in TYPES:
            fix = did_you_mean(nearest(word, TYPES)) or f"Use one of: {', '.join(TYPES)}."
            raise ConfigError(f"{word!r} is not a type.", place=f"{part.at('types')}.{column}", fix=fix)
        found[column] = TYPES[word]
    return found


def _lookup(part: Section) -> Lookup:
    source = part.needed("from", "Name the other source, as from: products")
    pairs = part.columns("on")
    if not pairs:
        part.fail("", "`on` is missing.", "Name the column that both sources have, as on: product_id")
    taken = part.columns("take")
    if not taken:
        part.fail("", "`take` is missing.", "Name the columns to fetch, as take: [category, brand]")
    return Lookup(source, pairs, taken, part.path)


def _check_lookups(spec: SourceSpec, found: Mapping[str, SourceSpec], trail: tuple[str, ...] = ()) -> None:
    if spec.name in trail:
        circle = " -> ".join((*trail[trail.index(spec.name) :], spec.name))
        raise ConfigError(f"The lookups go in a circle: {circle}.", place=found[trail[-1]].place, fix="Break it.")
    for lookup in spec.lookup:
        other = found.get(lookup.source)
        if other is None:
            raise ConfigError(
                f"There is no source {lookup.source!r}.",
                place=f"{lookup.place}.from",
                fix=did_you_mean(nearest(lookup.source, found)) or f"There are: {', '.join(found)}.",
            )
        _check_lookups(other, found, (*trail, spec.name))


def _event(part: Section, points: dict[str, tuple[str, str, str]]) -> EventMap:
    group = part.text("group")
    given = _with_points(part.names("properties"), part.at("properties"), points)
    properties = {n: _take(v, f"{part.at('properties')}.{n}", group) for n, v in given.items()}
    items = part.names("items")
    inner = Section(items, part.at("items"))
    money = part.texts("money") or ()
    currency = part.text("currency")
    for index, name in enumerate(money):
        if name not in properties:
            raise ConfigError(
                f"There is no property {name!r} here.",
                place=f"{part.at('money')}[{index}]",
                fix=did_you_mean(nearest(name, properties)) or "Name it under properties: first.",
            )
    if currency and not money:
        part.fail("currency", "It isn't said what is money.", "Name the properties, as money: [revenue]")
    if clash := set(properties) & set(items):
        part.fail("items", f"{min(clash)!r} stands under properties: too.", "Give one of them another name.")
    return EventMap(
        event=part.needed("event", "Name it, as event: Order Completed"),
        customer=part.needed("customer", "Name the column of the customer's id, as customer: CustomerID"),
        at=part.needed("at", "Name the column of the time, as at: InvoiceDate"),
        when=part.text("when"),
        account=None if part.values.get("account") is False else part.text("account"),
        id=part.text("id"),
        group=group,
        currency=currency,
        money=money,
        properties=properties,
        items={name: inner.pairs(name) for name in items},
        place=part.path,
    )


def _with_points(given: Mapping[str, Any], place: str, points: dict[str, tuple[str, str, str]]) -> dict[str, Any]:
    """The same with a column in place of each ``[latitude, longitude]``, which is noted among the points."""
    found = dict(given)
    for name, value in given.items():
        if isinstance(value, list) and len(value) == 2 and all(isinstance(one, str) for one in value):
            found[name] = f"({value[0]}, {value[1]})"
            points.setdefault(found[name], (value[0], value[1], f"{place}.{name}"))
    return found


def _take(value: object, place: str, group: str | None) -> Take:
    if not isinstance(value, dict):
        if value is None or isinstance(value, list):
            raise ConfigError("Expected the name of a column.", place=place, fix=_AS_COLUMN)
        return Take(str(value))
    if len(value) != 1 or next(iter(value)) not in AGGREGATES:
        raise ConfigError(
            f"{value!r} is no way to make a value.", place=place, fix=f"Use one of: {', '.join(AGGREGATES)}."
        )
    if group is None:
        raise ConfigError(
            "Only grouped rows have several values.", place=place, fix="Add group:, or name the column alone."
        )
    how, column = next(iter(value.items()))
    return Take(str(column), how)


def _traits(part: Section, points: dict[str, tuple[str, str, str]]) -> TraitMap:
    customer, account = part.text("customer"), part.text("account")
    if (customer is None) == (account is None):
        part.fail("", "Traits belong to a customer or to an account.", "Write customer: COLUMN or account: COLUMN.")
    if isinstance(part.values.get("take"), dict):
        part.values["take"] = _with_points(part.names("take"), part.at("take"), points)
    take = part.columns("take")
    if not take:
        fix = "Name the traits and their columns, as take: {country: Country}, or only the columns: take: [country]"
        part.fail("", "`take` is missing.", fix)
    scope: Literal["customer", "account"] = "customer" if customer else "account"
    return TraitMap(customer or account or "", scope, take, part.text("at"), part.text("when"), part.path)


def _consent(part: Section) -> ConsentMap:
    purpose, column = part.values.get("purpose"), None
    if isinstance(purpose, dict):
        column = Section.of(purpose, part.at("purpose"), {"column"}).needed("column", "As purpose: {column: Purpose}")
    return ConsentMap(
        customer=part.needed("customer", "Name the column of the customer's id."),
        purpose="" if column else part.needed("purpose", "Name the purpose, as purpose: email_marketing"),
        granted=part.needed("granted", "Name the yes/no column, as granted: opted_in"),
        at=part.text("at"),
        when=part.text("when"),
        place=part.path,
        purpose_column=column,
    )


def _spend(part: Section) -> SpendMap:
    return SpendMap(
        day=part.needed("day", "Name the column of the date, as day: Date"),
        amount=part.needed("amount", "Name the column of the money spent, as amount: Cost"),
        **{k: part.text(k) for k in ("channel", "campaign", "impressions", "clicks", "currency", "when")},
        place=part.path,
    )
