"""What a metric's file says that it must come to: ``tests:``, a few events and traits each, and the figure they make.

tests:
  - name: A refund isn't an order
    events:
      - {customer: ann, event: Order Completed, at: 2025-01-05, revenue: 20}
      - {customer: ann, event: Order Refunded, at: 2025-01-09, revenue: -20}
    traits:
      - {customer: ann, plan: pro, since: 2024-06-01}
    period: 2025-01
    value: 1
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import yaml

from shoal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shoal.lang.nodes import CalendarUnit
    from shoal.lang.yaml_tree import Entry, Sheet

KEYS = ("name", "events", "traits", "period", "grain", "date", "value", "n", "within")
"""The keys of a case."""
GRAINS = ("day", "week", "month", "quarter", "year")
ALWAYS = date(1970, 1, 1)
"""Since when a trait has its value where nothing is said."""
_PERIODS: dict[str, CalendarUnit] = {
    r"(\d{4})": "year",
    r"(\d{4})-Q([1-4])": "quarter",
    r"(\d{4})-W(\d{2})": "week",
    r"(\d{4})-(\d{2})": "month",
    r"(\d{4})-(\d{2})-(\d{2})": "day",
}
_FORMS = "Write 2025, 2025-Q1, 2025-01, 2025-W03 or 2025-01-31."


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """An event of a case; ``at`` is a date, or a time which is local where it has no offset."""

    customer: str
    name: str
    at: date | datetime
    properties: Mapping[str, Any]
    line: int


@dataclass(frozen=True, slots=True)
class CaseTrait:
    """Values that a customer, or an account, has from ``since`` on."""

    owner: str
    scope: str
    values: Mapping[str, Any]
    since: date | datetime
    line: int


@dataclass(frozen=True, slots=True)
class Case:
    """A case: what happened, and the figure that it makes.

    Args:
        place: the file and the line where it begins.
        grain: the length of its period.
        day: a date in it.
        value: what the figure must be; None: nothing can be said.
        n: how many customers are behind it; None: nobody asks.
        within: by so much the figure may differ.
        name: for people.
    """

    place: str
    grain: CalendarUnit
    day: date
    value: float | None
    n: int | None = None
    within: float = 1e-9
    name: str = ""
    events: tuple[CaseEvent, ...] = ()
    traits: tuple[CaseTrait, ...] = field(default=())

    @property
    def file(self) -> str:
        """The file that it stands in."""
        return self.place.rpartition(":")[0]

    def fault(self, problem: str, line: int, fix: str | None = None) -> DefinitionError:
        """A fault of one of its lines."""
        return DefinitionError(problem, place=f"{self.file}:{line}", fix=fix)


def read_cases(sheet: Sheet, entry: Entry) -> tuple[Case, ...]:
    """The cases of a metric's file.

    Args:
        sheet: the file.
        entry: what stands at ``tests``.

    Raises:
        DefinitionError: with the file and the line of the fault.
    """
    return tuple(_case(sheet, one) for one in _items(sheet, entry))


def _case(sheet: Sheet, entry: Entry) -> Case:
    entries = sheet.entries(KEYS, entry)
    if "value" not in entries:
        raise sheet.fault("The case has no 'value'.", entry, "Add what the figure must be: value: 3")
    grain, day = _period(sheet, entry, entries)
    return Case(
        place=f"{sheet.place}:{_line(entry)}",
        grain=grain,
        day=day,
        value=_number(sheet, entries["value"]),
        n=_count(sheet, entries["n"]) if "n" in entries else None,
        within=_within(sheet, entries["within"]) if "within" in entries else 1e-9,
        name=sheet.text(entries["name"]) if "name" in entries else "",
        events=tuple(_event(sheet, one) for one in _items(sheet, entries.get("events"))),
        traits=tuple(_trait(sheet, one) for one in _items(sheet, entries.get("traits"))),
    )


def _items(sheet: Sheet, entry: Entry | None) -> Iterator[Entry]:
    if entry is None or sheet.is_null(entry):
        return
    if not isinstance(entry, yaml.SequenceNode):
        raise sheet.fault("Expected a list here.", entry, "Write one a line, each after a hyphen.")
    yield from entry.value


def _line(entry: Entry) -> int:
    return int(entry.start_mark.line) + 1


# --------------------------------------------------------------------------- when


def _period(sheet: Sheet, case: Entry, entries: dict[str, Entry]) -> tuple[CalendarUnit, date]:
    if "period" in entries:
        for key in ("grain", "date"):
            if key in entries:
                raise sheet.fault(f"'period' says it already, and '{key}' too.", entries[key], "Keep one of them.")
        return _named(sheet, entries["period"])
    if "grain" not in entries or "date" not in entries:
        raise sheet.fault(
            "The case has no 'period'.", case, "Add: period: 2025-01, or grain: week and date: 2025-01-06"
        )
    grain = sheet.text(entries["grain"])
    if grain not in GRAINS:
        raise sheet.fault(f"{grain!r} is no period.", entries["grain"], f"Take one of {', '.join(GRAINS)}.")
    day = _moment(sheet, entries["date"])
    return grain, day.date() if isinstance(day, datetime) else day  # type: ignore[return-value]


def _named(sheet: Sheet, entry: Entry) -> tuple[CalendarUnit, date]:
    text = str(getattr(entry, "value", ""))
    for pattern, grain in _PERIODS.items():
        found = re.fullmatch(pattern, text)
        if found is None:
            continue
        try:
            return grain, _first(grain, [int(part) for part in found.groups()])
        except ValueError:
            break
    raise sheet.fault(f"{text!r} is no period.", entry, _FORMS)


def _first(grain: str, parts: list[int]) -> date:
    year, *rest = parts
    if grain == "week":
        return date.fromisocalendar(year, rest[0], 1)
    month = {"year": 1, "quarter": 3 * (rest or [1])[0] - 2}.get(grain, (rest or [1])[0])
    return date(year, month, rest[1] if grain == "day" else 1)


def _moment(sheet: Sheet, entry: Entry) -> date | datetime:
    found = _value(sheet, entry)
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            found = None
    if isinstance(found, date):
        return found
    raise sheet.fault("Expected a date or a time here.", entry, "Write 2025-01-31, or 2025-01-31 10:00.")


# --------------------------------------------------------------------------- what happened


def _event(sheet: Sheet, entry: Entry) -> CaseEvent:
    entries = sheet.entries(None, entry)
    _hold(sheet, entry, entries, {"customer": "ann", "event": "Order Completed", "at": "2025-01-31"})
    properties = {key: _value(sheet, one) for key, one in entries.items() if key not in ("customer", "event", "at")}
    return CaseEvent(
        _id(sheet, entries["customer"]),
        sheet.text(entries["event"]),
        _moment(sheet, entries["at"]),
        properties,
        _line(entry),
    )


def _trait(sheet: Sheet, entry: Entry) -> CaseTrait:
    entries = sheet.entries(None, entry)
    scope = "account" if "account" in entries else "customer"
    _hold(sheet, entry, entries, {scope: "ann"})
    values = {key: _value(sheet, one) for key, one in entries.items() if key not in (scope, "since")}
    if not values:
        raise sheet.fault("This says no trait.", entry, "Write {customer: ann, plan: pro}.")
    since = _moment(sheet, entries["since"]) if "since" in entries else ALWAYS
    return CaseTrait(_id(sheet, entries[scope]), scope, values, since, _line(entry))


def _hold(sheet: Sheet, entry: Entry, entries: dict[str, Entry], needed: Mapping[str, str]) -> None:
    for key, example in needed.items():
        if key not in entries:
            raise sheet.fault(f"There is no '{key}' here.", entry, f"Add: {key}: {example}")


def _id(sheet: Sheet, entry: Entry) -> str:
    text = str(entry.value) if isinstance(entry, yaml.ScalarNode) else ""
    if not text.strip():
        raise sheet.fault("Expected an id here.", entry, "Write any name, as ann.")
    return text


# --------------------------------------------------------------------------- values


def _value(sheet: Sheet, entry: Entry) -> Any:
    try:
        return yaml.constructor.SafeConstructor().construct_object(entry, deep=True)
    except (yaml.YAMLError, ValueError):
        raise sheet.fault("This value can't be read.", entry, "Put a text in quotes.") from None


def _number(sheet: Sheet, entry: Entry) -> float | None:
    """A number, a fraction as ``2/9``, or nothing, where nothing can be said."""
    if sheet.is_null(entry):
        return None
    try:
        return float(Fraction(str(getattr(entry, "value", "")).replace("_", "").strip()))
    except (ValueError, ZeroDivisionError):
        raise sheet.fault(
            "Expected a number here.", entry, "Write 3, 0.25 or 2/9; nothing where nothing can be said."
        ) from None


def _count(sheet: Sheet, entry: Entry) -> int:
    found = _number(sheet, entry)
    if found is None or found != int(found) or found < 0:
        raise sheet.fault("Expected a number of customers here.", entry, "Write a whole number.")
    return int(found)


def _within(sheet: Sheet, entry: Entry) -> float:
    found = _number(sheet, entry)
    if found is None or found < 0:
        raise sheet.fault("Expected a number of 0 or more here.", entry, "Write by how much the figure may differ.")
    return found


__all__ = ["ALWAYS", "KEYS", "Case", "CaseEvent", "CaseTrait", "read_cases"]
