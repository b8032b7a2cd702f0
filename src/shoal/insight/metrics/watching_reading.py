"""``target:`` and ``alert:`` of a metric file, read strictly, each fault at its place.

target:
  value: 120000
  by: 2026-12-31
  since: 2026-01-01
alert:
  each: week
  below: 1000
  unusual: yes
  silent: 3 days
  segments: [lapsing-regulars]
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal, TypeAlias

import yaml

from shoal.clock import DAY, HOUR
from shoal.errors import did_you_mean, nearest
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.lang.yaml_tree import Entry, Sheet

Grain: TypeAlias = Literal["day", "week", "month", "quarter", "year"]
GRAINS: tuple[Grain, ...] = ("day", "week", "month", "quarter", "year")
PACES = ("seasonal", "linear")
ADDED = ("sum", "count")
"""How a metric is made whose figures of short periods may add up to that of a long one. Of these only sums do."""
_TARGET = ("value", "by", "since", "each", "pace")
_ALERT = ("each", "above", "below", "surely", "unusual", "silent", "segments", "mail")
_SPAN = re.compile(r"(\d{1,4}) (hour|day|week)s?")
_SPANS = {"hour": HOUR, "day": DAY, "week": 7 * DAY}
_NUMBER = re.compile(r"[+-]?(\d[\d_]*)?(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Target:
    """A value that is to be reached by a date.

    Args:
        value: what.
        by: the last day that counts.
        since: the first day that counts.
        each: the length of the period whose figure is to be at the value by then; None: what all days from ``since`` to
            ``by`` add up to.
        pace: what the way there is held against: the season of the year and of the week, or a straight line.
    """

    value: float
    by: date
    since: date
    each: Grain | None
    pace: str = "seasonal"


@dataclass(frozen=True, slots=True)
class AlertRule:
    """What is worth a word.

    Args:
        each: the length of the periods that are looked at.
        above: a figure beyond this is.
        below: a figure under this is.
        surely: only where the whole interval of a figure lies beyond.
        unusual: a figure that level, trend, season and noise don't explain is.
        silent: so many microseconds without a row are; None: nobody minds.
        segments: these are looked at beside everyone; slugs or names.
        mail: who is told, beside those that the job tells.
    """

    each: Grain = "week"
    above: float | None = None
    below: float | None = None
    surely: bool = False
    unusual: bool = False
    silent: int | None = None
    segments: tuple[str, ...] = ()
    mail: tuple[str, ...] = ()

    def silence(self) -> str:
        """How long without a row, in words."""
        span = self.silent or 0
        return counted(span // DAY, "day") if span % DAY == 0 else counted(span // HOUR, "hour")


def read_target(sheet: Sheet, entry: Entry, *, how: str) -> Target:
    """Read ``target:``.

    Args:
        sheet: the metric's file.
        entry: what stands at ``target``.
        how: how the metric is made, ``as:`` of the file.

    Raises:
        DefinitionError: with the line of the fault.
    """
    found = _pairs(sheet, entry, _TARGET, "value: 120000, by: 2026-12-31")
    for key, example in (("value", "120000"), ("by", "2026-12-31")):
        if key not in found:
            raise sheet.fault(f"The target has no '{key}'.", entry, f"Add: {key}: {example}")
    by = _date(sheet, found["by"])
    since = _date(sheet, found["since"]) if "since" in found else date(by.year, 1, 1)
    if since > by:
        raise sheet.fault(
            "The target ends before it begins.", found.get("since", found["by"]), "Exchange the two dates."
        )
    each = _grain(sheet, found["each"]) if "each" in found else None if how == "sum" else "month"
    pace = _one_of(sheet, found["pace"], PACES) if "pace" in found else PACES[0]
    return Target(_number(sheet, found["value"]), by, since, each, pace)


def read_alert(sheet: Sheet, entry: Entry, *, how: str) -> AlertRule:
    """Read ``alert:``.

    Args:
        sheet: the metric's file.
        entry: what stands at ``alert``.
        how: how the metric is made, ``as:`` of the file.

    Raises:
        DefinitionError: with the line of the fault.
    """
    found = _pairs(sheet, entry, _ALERT, "unusual: yes")
    if not any(key in found for key in ("above", "below", "unusual", "silent")):
        raise sheet.fault("Nothing says what is worth an alert.", entry, "Add above:, below:, unusual: or silent:.")
    above = _number(sheet, found["above"]) if "above" in found else None
    below = _number(sheet, found["below"]) if "below" in found else None
    if above is not None and below is not None and below > above:
        raise sheet.fault("Every value would be an alert.", found["below"], "Let below: be under above:.")
    surely = _yes(sheet, found["surely"]) if "surely" in found else False
    if surely and how in ADDED:
        raise sheet.fault(f"A {how} is no estimate: it has no interval.", found["surely"], "Take it away.")
    return AlertRule(
        each=_grain(sheet, found["each"]) if "each" in found else "week",
        above=above,
        below=below,
        surely=surely,
        unusual=_yes(sheet, found["unusual"]) if "unusual" in found else False,
        silent=_span(sheet, found["silent"]) if "silent" in found else None,
        segments=tuple(dict.fromkeys(sheet.texts(found["segments"]))) if "segments" in found else (),
        mail=_addresses(sheet, found["mail"]) if "mail" in found else (),
    )


def _pairs(sheet: Sheet, entry: Entry, known: Iterable[str], example: str) -> dict[str, Entry]:
    known = list(known)
    if not isinstance(entry, yaml.MappingNode) or not entry.value:
        raise sheet.fault("Expected 'key: value' lines here.", entry, f"Write {{{example}}}, or one a line.")
    found: dict[str, Entry] = {}
    for key, value in entry.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name not in known:
            fix = did_you_mean(nearest(name, known)) or f"The keys are {', '.join(known)}."
            raise sheet.fault(f"There is no {name!r} here.", key, fix)
        if name in found:
            raise sheet.fault(f"The key '{name}' stands twice.", key, "Keep one of them.")
        found[name] = value
    return found


def _written(entry: Entry) -> str:
    return str(entry.value).strip() if isinstance(entry, yaml.ScalarNode) else ""


def _number(sheet: Sheet, entry: Entry) -> float:
    """``1200``, ``1_200.5`` or ``5 %``."""
    text = _written(entry)
    share = text.endswith("%")
    digits = text.removesuffix("%").strip()
    if not any(c.isdigit() for c in digits) or not _NUMBER.fullmatch(digits):
        raise sheet.fault("Expected a number here.", entry, "Write digits with a point, as 1200.5, or a share as 5 %.")
    value = float(digits.replace("_", ""))
    if not math.isfinite(value):
        raise sheet.fault("The number is too large.", entry, "Write a smaller one.")
    return value / 100 if share else value


def _date(sheet: Sheet, entry: Entry) -> date:
    try:
        return date.fromisoformat(_written(entry))
    except ValueError:
        raise sheet.fault("Expected a date here.", entry, "Write it as 2026-12-31.") from None


def _yes(sheet: Sheet, entry: Entry) -> bool:
    text = _written(entry).lower()
    if text not in ("yes", "no", "true", "false"):
        raise sheet.fault("Expected yes or no here.", entry, "Write yes or no.")
    return text in ("yes", "true")


def _span(sheet: Sheet, entry: Entry) -> int:
    held = _SPAN.fullmatch(_written(entry))
    if held is None or not int(held[1]):
        raise sheet.fault("Expected a length of time here.", entry, "Write 36 hours, 3 days or 2 weeks.")
    return int(held[1]) * _SPANS[held[2]]


def _grain(sheet: Sheet, entry: Entry) -> Grain:
    text = _one_of(sheet, entry, GRAINS)
    return next(grain for grain in GRAINS if grain == text)


def _one_of(sheet: Sheet, entry: Entry, known: tuple[str, ...]) -> str:
    text = _written(entry)
    if text not in known:
        fix = did_you_mean(nearest(text, known)) or f"Write one of {', '.join(known)}."
        raise sheet.fault(f"{text!r} can't stand here.", entry, fix)
    return text


def _addresses(sheet: Sheet, entry: Entry) -> tuple[str, ...]:
    for address in (given := sheet.texts(entry)):
        if not re.fullmatch(r"[^\s@]+@[^\s@]+", address):
            raise sheet.fault(f"{address!r} is no mail address.", entry, "Write it as ann@shop.example.")
    return tuple(dict.fromkeys(given))
