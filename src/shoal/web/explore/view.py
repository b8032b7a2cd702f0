"""What an explorable page is made of: the fields of its question, what it asks, and what it shows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode

from shoal.clock import to_instant
from shoal.errors import ShoalError
from shoal.lang.schema import Kind
from shoal.server.api.app import live_of
from shoal.web.explore.dimensions import dimensions
from shoal.web.people import service_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fastapi import Request, Response

    from shoal.lang.nodes import Definition
    from shoal.lang.schema import Schema
    from shoal.server.service import Service
    from shoal.web.people import Person
    from shoal.web.tables import Listing
    from shoal.workspace.live import Live

    Told = dict[str, Any]

GRAINS = (("day", "Day"), ("week", "Week"), ("month", "Month"), ("quarter", "Quarter"), ("year", "Year"))
NEW = "/segments/new"


class Given:
    """The question as the address has it.

    Args:
        pairs: the parameters, in their order.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self.pairs = [(name, value.strip()) for name, value in pairs]

    def text(self, name: str, otherwise: str = "") -> str:
        """A parameter; the usual where it is left out or empty."""
        return next((value for key, value in self.pairs if key == name and value), otherwise)

    def many(self, name: str) -> list[str]:
        """All values of a parameter that say something, each once."""
        return list(dict.fromkeys(value for key, value in self.pairs if key == name and value))

    def each(self, name: str) -> list[str]:
        """All values of a parameter, empty ones and repeated ones too."""
        return [value for key, value in self.pairs if key == name]

    def one(self, name: str, options: Sequence[str]) -> str:
        """A parameter that is one of a few; else the first of them."""
        given = self.text(name)
        return given if given in options else options[0]

    def without(self, *names: str) -> list[tuple[str, str]]:
        """The parameters that say something, without some."""
        return [(key, value) for key, value in self.pairs if value and key not in names]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a page's question, as ``ui.field`` shows it.

    Args:
        name: of the parameter.
        label: above it.
        value: that it has.
        kind: of ``ui.field``.
        options: of a select: pairs of value and words.
        known: the id of the list of names that completes what is typed.
        hint: below it.
        placeholder: what counts where it is empty.
        submits: whether a change asks anew at once.
        id: of the element, where the name alone isn't one.
    """

    name: str
    label: str
    value: str = ""
    kind: Literal["text", "select", "date"] = "text"
    options: Sequence[tuple[str, str]] = ()
    known: str = ""
    hint: str = ""
    placeholder: str = ""
    submits: bool = False
    id: str = ""

    @property
    def attributes(self) -> dict[str, str | bool]:
        """More of the element."""
        found: dict[str, str | bool] = {"autocomplete": "off"}
        if self.known:
            found["list"] = self.known
        if self.submits:
            found["data-submits"] = True
        return found


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure above the chart: as ``ui.figure`` has it."""

    label: str
    value: str
    note: str = ""
    term: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of the page: its name in the address, the height of its place, and its heading where the chart has none."""

    name: str
    height: int
    title: str = ""
    sub: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table below the charts."""

    title: str
    listing: Listing
    sub: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows of its answer.

    Args:
        figures: above the charts.
        charts: in their order.
        tables: the same as tables.
        notes: what has to be known when they are read.
        as_of: the instant, ISO.
        n: how many customers they are of, in words.
        half: whether charts stand two in a row.
        names: further names that complete what is typed, by the id of their list.
    """

    figures: Sequence[Figure] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    as_of: str = ""
    n: str = ""
    half: bool = False
    names: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)


class Ground:
    """What a page's functions work with.

    Args:
        request: who asks, and what for.
        page: the name of the page.
        person: signed in.
        given: the question.
    """

    def __init__(self, request: Request, page: str, person: Person, given: Given) -> None:
        self.request, self.page, self.person, self.given = request, page, person, given
        self.live: Live = live_of(request)
        self.service: Service = service_of(request)

    @property
    def schema(self) -> Schema:
        """What the data has."""
        return self.live.core.schema_with(self.live.definitions)

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """The segments in force, by slug."""
        return self.live.definitions

    @property
    def order(self) -> str:
        """The event that is an order."""
        return self.service.workspace.config.revenue.orders

    def segment(self, name: str) -> Definition:
        """A segment by its slug or name.

        Raises:
            UnknownName: there is none.
        """
        return self.live.catalogue.find(name)

    def ask(self, asked: Mapping[str, Any]) -> Told:
        """What the page's question answers."""
        return self.told("explored", page=self.page, asked=dict(asked))

    def told(self, question: str, **asked: Any) -> Told:
        """The answer to a question of the workspace."""
        asking = self.service.asking
        if asking is None:
            raise ShoalError("The workspace isn't ready.", fix="Ask again in a moment.")
        return asking.ask(question, asked)

    # ------------------------------------------------------------ words

    def money(self, value: float | None) -> str:
        """An amount, in words."""
        from shoal.views import words

        return words.money(value, self.service.workspace.config.currency)

    def day(self, at: str) -> str:
        """The local date of an ISO instant, in words."""
        from shoal.views import words

        return words.day(instant(at), self.service.workspace.config.zone)

    # ------------------------------------------------------------ where marks lead

    def lead(self, row: Mapping[str, Any], where: str = "where", mark: str = "mark") -> str:
        """Where the customers of a row are: a new segment of its text, else the page that keeps them as a list; or nowhere."""
        if not self.person.may("edit"):
            return ""
        if row.get(where):
            return f"{NEW}?where={quote(row[where])}"
        return self.keep(row[mark]) if row.get(mark) else ""

    def keep(self, mark: str) -> str:
        """The page that tells of a mark which the segment language can't say."""
        if not self.person.may("edit"):
            return ""
        return f"/explore/{self.page}/keep?{urlencode([*self.given.without('mark'), ('mark', mark)])}"

    def leads(self, rows: Sequence[Told], **names: str) -> list[Told]:
        """Rows with ``href``, those that lead anywhere."""
        return [row | ({"href": href} if (href := self.lead(row, **names)) else {}) for row in rows]

    # ------------------------------------------------------------ what is offered

    def names(self) -> dict[str, list[tuple[str, str]]]:
        """The names that complete what is typed, by the id of their list: each with what it means."""
        schema = self.schema
        return {
            "segments": sorted((slug, one.name) for slug, one in self.definitions.items()),
            "events": [(name, "") for name in sorted(schema.events)],
            "starts": [
                *((name, "") for name in sorted(schema.events)),
                *(
                    (name, "a date")
                    for name, kind in sorted(schema.traits.items())
                    if kind in (Kind.DATE, Kind.INSTANT)
                ),
            ],
            "dimensions": [(name, "") for name in dimensions(schema)],
        }

    def segment_field(self, name: str = "segment", label: str = "Only members of") -> Field:
        """A field for one segment."""
        return Field(name, label, self.given.text(name), known="segments", placeholder="everyone")


class View(ABC):
    """An explorable page."""

    name: str
    title: str
    sub: str
    needs: str
    """What has to be there for it, in words: shown where nothing is."""
    list_label = ""
    """What the segments are that it is asked for, where it is asked for several."""
    most = 0
    """So many of them at most."""

    @abstractmethod
    def fields(self, ground: Ground) -> list[Field]:
        """The fields of its question."""

    @abstractmethod
    def asked(self, given: Given) -> Told:
        """The question's arguments."""

    def question(self, ground: Ground) -> Told:
        """The question's arguments, with what counts where nothing is said."""
        return self.asked(ground.given)

    def usual(self, ground: Ground) -> list[str]:
        """The segments that it is about where none is named, by slug."""
        return []

    @abstractmethod
    def shown(self, ground: Ground) -> Shown:
        """What it shows.

        Raises:
            ShoalError: as the question raises it.
        """

    @abstractmethod
    def chart(self, ground: Ground, name: str, width: int) -> Response:
        """One of its charts.

        Raises:
            ShoalError: as the question raises it.
        """


def label(first: str, grain: str) -> str:
    """A period by its first date, as short as it can be; in the order of time where it is sorted as text.

    >>> [label("2017-04-01", grain) for grain in ("month", "quarter", "year", "day")]
    ['2017-04', '2017 Q2', '2017', '2017-04-01']
    """
    if grain == "quarter":
        return f"{first[:4]} Q{(int(first[5:7]) + 2) // 3}"
    return first[: {"month": 7, "year": 4}.get(grain, 10)]


def in_words(first: str, grain: str) -> str:
    """A period by its first date, in words.

    >>> [in_words("2017-04-03", grain) for grain in ("month", "quarter", "week", "year")]
    ['April 2017', '2017 Q2', 'week of 3 April 2017', '2017']
    """
    from shoal.views import words

    begun = date.fromisoformat(first)
    if grain == "month":
        return words.month(begun).replace(words.HARD, " ")
    if grain in ("quarter", "year"):
        return label(first, grain)
    told = words.day(begun).replace(words.HARD, " ")
    return f"week of {told}" if grain == "week" else told


def picked(rows: Sequence[Told], *keys: str) -> list[Told]:
    """Rows with some of their columns alone, and ``href`` where they lead anywhere."""
    return [{key: row[key] for key in (*keys, "href") if key in row} for row in rows]


def instant(text: str) -> int:
    """The instant of an ISO text, in microseconds.

    >>> instant("1970-01-01T00:00:01+00:00")
    1000000
    """
    return to_instant(datetime.fromisoformat(text))


def period_fields(given: Given, *, until: bool = True) -> list[Field]:
    """The first and the last date of a period."""
    found = [Field("from", "From", given.text("from"), "date")]
    return [*found, Field("to", "To", given.text("to"), "date")] if until else found


def asked_of(**arguments: Any) -> Told:
    """Arguments without those that say nothing."""
    return {name: value for name, value in arguments.items() if value not in (None, "", [])}


@dataclass(slots=True)
class Checked:
    """What is wrong with a question, by field."""

    errors: dict[str, str] = field(default_factory=dict)

    def hold(self, name: str, check: Callable[[str], Any], value: str) -> None:
        """Note the fault of a field, where its value has one."""
        if not value:
            return
        try:
            check(value)
        except ShoalError as error:
            self.errors[name] = " ".join(filter(None, (error.problem, error.fix)))
        except ValueError:
            self.errors[name] = "Write a date as 2024-03-31."


def checked(ground: Ground) -> dict[str, str]:
    """What is wrong with what was typed, by the id of its field: names that aren't there, times and dates that are none."""
    from shoal.insight.sessions import taught
    from shoal.workspace.journeys import micros, read_step

    given, found = ground.given, Checked()
    schema = taught(ground.schema)

    def step(text: str) -> None:
        read_step(text, schema)

    found.hold("segment", ground.segment, given.text("segment"))
    for name in ("from", "to"):
        found.hold(name, date.fromisoformat, given.text(name))
    found.hold("within", micros, given.text("within"))
    for name in ("active", "event"):
        found.hold(name, step, given.text(name))
    for many, check in (("step", step), ("segments", ground.segment)):
        for at, one in enumerate(given.each(many)):
            found.hold(f"{many}-{at}", check, one)
    return found.errors
