"""Pilot files: ``pilots/SLUG.yaml`` read, each fault at its place in the file.

name: Win back lapsed customers
owner: crm@example.com
segments: [lapsed]
holdout: 20%
kpis:
  - {metric: orders, gain: 10%}
end: 2026-06-30
cost: {contact: 0.5, fixed: 1000}
margin: 40%
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from shoal.errors import DefinitionError, ShoalError, UnknownName, did_you_mean, nearest
from shoal.insight.experiments.definition import Amount
from shoal.insight.pilots.definition import FROM_DATA, Cost, Goal, Margin, Pilot
from shoal.lang.slug import hold_slug
from shoal.lang.yaml_tree import Sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from shoal.lang.yaml_tree import Entry

KEYS = (
    "name", "why", "owner", "segments", "experiment", "arm", "holdout", "kpis", "end", "cost", "margin",
)  # fmt: skip
"""The keys of a pilot file."""
FOLDER = "pilots"
NO_HOLDOUT = (
    "Add holdout: 20% to keep a fifth of its customers out by lot; or name under experiment: the one that drew arms."
)
_NEEDED = {
    "name": "…", "owner": "crm@example.com", "kpis": "[{metric: orders, gain: 5%}]", "end": "2026-06-30",
}  # fmt: skip
_GOAL_KEYS, _COST_KEYS = ("metric", "gain", "reach"), ("contact", "fixed")


@dataclass(frozen=True, slots=True)
class Pilots:
    """The pilots of a workspace.

    Args:
        definitions: by slug.
        faults: by path, what is wrong with files that can't be read.
    """

    definitions: Mapping[str, Pilot] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Pilot:
        """By slug or name.

        Raises:
            UnknownName: there is none; with the fault of its file, where that can't be read.
        """
        found = self.definitions.get(name) or next((p for p in self.definitions.values() if p.name == name), None)
        if found is not None:
            return found
        for path, fault in self.faults.items():
            if path.endswith(f"/{name}.yaml"):
                raise DefinitionError(f"The pilot {name!r} can't be read. {fault}", place=path)
        raise UnknownName("pilot", name, self.definitions)


def read_pilots(root: Path) -> Pilots:
    """All pilots of a workspace's folder; a file that can't be read is a fault, and the others are there all the same."""
    found: dict[str, Pilot] = {}
    faults: dict[str, str] = {}
    for path in sorted((root / FOLDER).glob("*.yaml")):
        place = f"{FOLDER}/{path.name}"
        try:
            found[path.stem] = read_pilot(path.read_text(encoding="utf-8"), slug=path.stem, place=place)
        except ShoalError as error:
            faults[place] = str(error)
        except (OSError, UnicodeDecodeError) as error:
            faults[place] = f"It can't be read: {error}."
    return Pilots(found, faults)


def read_pilot(text: str, *, slug: str, place: str) -> Pilot:
    """Read a pilot file.

    Args:
        text: what the file holds.
        slug: the file's name without its ending.
        place: the file's path, for messages.

    Raises:
        DefinitionError: with the file and the line of the fault; a pilot without a randomised holdout is one.
    """
    hold_slug(slug, place)
    sheet = Sheet(text, place)
    entries = sheet.entries(KEYS)
    for key, example in _NEEDED.items():
        if key not in entries:
            raise DefinitionError(f"The pilot has no '{key}'.", place=place, fix=f"Add: {key}: {example}")
    _hold_holdout(sheet, entries)
    texts = {key: sheet.text(entries[key]).strip() for key in ("why", "experiment", "arm") if key in entries}
    return Pilot(
        slug=slug,
        name=_said(sheet, entries["name"]),
        owner=_said(sheet, entries["owner"]),
        goals=_goals(sheet, entries["kpis"]),
        ends=_date(sheet, entries["end"]),
        segments=sheet.texts(entries["segments"]) if "segments" in entries else (),
        held_out=_share(sheet, entries["holdout"], "A holdout") if "holdout" in entries else 0.0,
        cost=_cost(sheet, entries["cost"]) if "cost" in entries else Cost(),
        margin=_margin(sheet, entries["margin"]) if "margin" in entries else None,
        **texts,
    )


def _hold_holdout(sheet: Sheet, entries: Mapping[str, Entry]) -> None:
    """A pilot rests on one thing that draws lots: an experiment, or a holdout of its own from some segments."""
    if "experiment" not in entries and "holdout" not in entries:
        raise DefinitionError(
            "The pilot holds nobody out by lot, so what would have come anyway can't be known.",
            place=sheet.place,
            fix=NO_HOLDOUT,
        )
    if "experiment" in entries and "holdout" in entries:
        raise sheet.fault("Its experiment says who is held out already.", entries["holdout"], "Take one of both away.")
    if "holdout" in entries and "arm" in entries:
        raise sheet.fault("Only a pilot that rests on an experiment has 'arm'.", entries["arm"], "Take it away.")
    if "holdout" in entries and "segments" not in entries:
        raise sheet.fault(
            "Nothing says for whom the pilot is.", entries["holdout"], "Add: segments: [lapsed], of the workspace's."
        )


def _said(sheet: Sheet, entry: Entry) -> str:
    text = sheet.text(entry).strip()
    if not text:
        raise sheet.fault("Nothing stands here.", entry, "Write a text.")
    return text


def _date(sheet: Sheet, entry: Entry) -> date:
    text = str(sheet.tree(entry))
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise sheet.fault(f"{text!r} is no date.", entry, "Write it as 2026-06-30.") from None


def _goals(sheet: Sheet, entry: Entry) -> tuple[Goal, ...]:
    said = sheet.tree(entry)
    if not isinstance(said, list) or not said:
        raise sheet.fault("Expected a list of KPIs.", entry, "Write [{metric: orders, gain: 5%}].")
    goals = tuple(_goal(sheet, entry, one) for one in said)
    named = [goal.metric for goal in goals]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise sheet.fault(f"The KPI {twice!r} stands twice.", entry, "Keep one of them.")
    return goals


def _goal(sheet: Sheet, entry: Entry, said: Any) -> Goal:
    if isinstance(said, str):
        return Goal(said)
    _hold_keys(sheet, entry, said, _GOAL_KEYS, "A KPI")
    if not said.get("metric"):
        raise sheet.fault("A KPI has no 'metric'.", entry, "Write {metric: orders, gain: 5%}.")
    if "gain" in said and "reach" in said:
        raise sheet.fault("A KPI gains something or reaches something.", entry, "Keep gain: or reach:.")
    reach = _number(sheet, entry, said["reach"])[0] if "reach" in said else None
    return Goal(str(said["metric"]), _amount(sheet, entry, said["gain"]) if "gain" in said else None, reach)


def _amount(sheet: Sheet, entry: Entry, said: object) -> Amount:
    value, percent = _number(sheet, entry, said)
    if value <= 0:
        raise sheet.fault(
            f"A gain of {said} is none.",
            entry,
            "Write how much better it is to be, above 0; the metric says which way.",
        )
    return Amount(value, percent)


def _number(sheet: Sheet, entry: Entry, said: object) -> tuple[float, bool]:
    """A number, and whether it was written in per cent."""
    text = str(said).strip()
    percent = text.endswith("%")
    try:
        value = Decimal(text.removesuffix("%").strip())
    except InvalidOperation:
        raise sheet.fault(f"{text!r} is no number.", entry, "Write 5% or 0.5.") from None
    if not value.is_finite():
        raise sheet.fault(f"{text!r} is no number.", entry, "Write 5% or 0.5.")
    return float(value / 100 if percent else value), percent


def _share(sheet: Sheet, entry: Entry, what: str) -> float:
    value, _ = _number(sheet, entry, sheet.tree(entry))
    if not 0 < value < 1:
        raise sheet.fault(f"{what} of {value:g} is no share.", entry, "Write it between 0 % and 100 %, as 20%.")
    return value


def _cost(sheet: Sheet, entry: Entry) -> Cost:
    said = sheet.tree(entry)
    _hold_keys(sheet, entry, said, _COST_KEYS, "A cost")
    found = {key: _number(sheet, entry, value)[0] for key, value in said.items()}
    if min(found.values(), default=0.0) < 0:
        raise sheet.fault("A cost is below 0.", entry, "Write what it costs as a number of 0 or more.")
    return Cost(**found)


def _margin(sheet: Sheet, entry: Entry) -> Margin:
    if str(sheet.tree(entry)) == FROM_DATA:
        return FROM_DATA
    value, _ = _number(sheet, entry, sheet.tree(entry))
    if not 0 < value <= 1:
        raise sheet.fault(
            f"A margin of {value:g} is no share of revenue.", entry, "Write 40%, or data for revenue less cost."
        )
    return value


def _hold_keys(sheet: Sheet, entry: Entry, said: Any, known: Iterable[str], what: str) -> None:
    if not isinstance(said, dict):
        raise sheet.fault(f"{what} is no text.", entry, f"Write {{{', '.join(f'{key}: …' for key in known)}}}.")
    for key in said:
        if key not in known:
            raise sheet.fault(
                f"{what} has no key {key!r}.", entry, did_you_mean(nearest(key, known)) or f"Keys: {', '.join(known)}."
            )
