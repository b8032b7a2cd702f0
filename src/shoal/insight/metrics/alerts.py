"""Alerts: raised once, told once, and kept until they are over.

They stand in the store's ``definitions``, of the kind ``alert``: each change is a version, so that nothing is overwritten and
a backup takes them along. ``alert check`` says up to which period what was looked at.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from shoal.clock import iso
from shoal.errors import Refused, UnknownName
from shoal.insight import calibration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shoal.insight.metrics.watching import Finding
    from shoal.sql.store import Store

KIND, CHECKED = "alert", "alert check"
OPEN, ACKNOWLEDGED, SNOOZED, RESOLVED = "open", "acknowledged", "snoozed", "resolved"
_LEAST = 4


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that was out of order, from when it was seen until it is over.

    Args:
        id: eight letters and digits.
        metric: the slug.
        segment: the slug; None is everyone.
        rule: what it broke: ``above``, ``below``, ``unusual``, ``silent`` or ``target``.
        each: the length of the period.
        period: the first day of the period in which it began.
        last: of the newest period in which it was still so.
        sentence: what is the matter, of the newest such period.
        worse: whether it is in the direction that isn't wanted.
        raised: the instant.
        state: ``open``, ``acknowledged`` (somebody is at it), ``snoozed`` (until a day) or ``resolved``.
        until: the first instant after a snooze.
        note: what was said of it.
        resolved: the instant; None while it goes on.
        told: whether mail said that it is open; ``told_end`` whether mail said that it is over.
        told_end: see ``told``.
    """

    id: str
    metric: str
    segment: str | None
    rule: str
    each: str
    period: date
    last: date
    sentence: str
    worse: bool | None
    raised: int
    state: str = OPEN
    until: int | None = None
    note: str = ""
    resolved: int | None = None
    told: bool = False
    told_end: bool = False

    @property
    def key(self) -> tuple[str, str | None, str]:
        """What it is about: there is one at a time of each."""
        return self.metric, self.segment, self.rule

    def quiet(self, now: int) -> bool:
        """Whether nobody needs to hear of it: it is over, somebody is at it, or it is snoozed still."""
        if self.state == SNOOZED:
            return self.until is not None and now < self.until
        return self.state in (ACKNOWLEDGED, RESOLVED)

    def news(self, now: int) -> bool:
        """Whether somebody should hear of it who hasn't: that it is open, or that what they heard of is over."""
        if self.resolved is not None:
            return self.told and not self.told_end
        return not self.told and not self.quiet(now)

    def document(self) -> dict[str, Any]:
        """The same as a JSON-ready document."""
        return {
            "id": self.id, "metric": self.metric, "segment": self.segment, "rule": self.rule, "each": self.each,
            "period": str(self.period), "last": str(self.last), "sentence": self.sentence, "worse": self.worse,
            "raised": iso(self.raised), "state": self.state, "until": None if self.until is None else iso(self.until),
            "note": self.note, "resolved": None if self.resolved is None else iso(self.resolved),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Followed:
    """What a check changed: alerts that are new, over, and going on."""

    raised: tuple[Alert, ...] = ()
    resolved: tuple[Alert, ...] = ()
    going_on: tuple[Alert, ...] = ()
    changed: tuple[Alert, ...] = field(default=(), repr=False)
    """All whose record isn't what it was; each to be kept in this order."""


def follow(
    open_: Iterable[Alert], findings: Sequence[Finding], watched: Iterable[tuple[str, str | None, str]], now: int
) -> Followed:
    """What findings make of the alerts that are open.

    Args:
        open_: alerts that aren't resolved.
        findings: in the order of time.
        watched: what still has a rule; an alert of anything else is over.
        now: the instant of the check.
    """
    current = {alert.key: alert for alert in open_}
    before = dict(current)
    raised: dict[str, Alert] = {}
    over: list[Alert] = []
    kept = set(watched)
    gone = [key for key in current if key not in kept]
    over += [_ended(current.pop(key), now, "It isn't watched any more.") for key in gone]
    for found in findings:
        alert = current.get(found.key)
        if found.out is False and alert is not None:
            over.append(_ended(current.pop(found.key), now))
        elif found.out and alert is None:
            current[found.key] = raised.setdefault(_id(found), _raised(found, now))
        elif found.out and alert is not None and found.period >= alert.last:
            current[found.key] = _again(alert, found, now)
    new = [current.get(alert.key, alert) for alert in raised.values()]
    new = [next((one for one in over if one.id == alert.id), alert) for alert in new]
    fresh = {alert.id for alert in new}
    going = [alert for alert in current.values() if alert.id not in fresh]
    ended = [alert for alert in over if alert.id not in fresh]
    changed = [alert for alert in (*over, *current.values()) if alert != before.get(alert.key) or alert.resolved]
    return Followed(tuple(new), tuple(ended), tuple(going), tuple(changed))


def _raised(found: Finding, now: int) -> Alert:
    return Alert(
        _id(found), found.metric, found.segment, found.rule, found.each, found.period, found.period, found.sentence,
        found.worse, now,
    )  # fmt: skip


def _id(found: Finding) -> str:
    return hashlib.sha256(repr((found.key, found.each, found.period)).encode()).hexdigest()[:8]


def _again(alert: Alert, found: Finding, now: int) -> Alert:
    """The same alert with what is so now; where a snooze is over, it is told anew."""
    alert = replace(alert, last=found.period, sentence=found.sentence, worse=found.worse)
    if alert.state == SNOOZED and not alert.quiet(now):
        return replace(alert, state=OPEN, until=None, told=False)
    return alert


def _ended(alert: Alert, now: int, note: str = "") -> Alert:
    return replace(alert, state=RESOLVED, until=None, resolved=now, note=note or alert.note)


# ------------------------------------------------------------ kept in the store


def kept(store: Store) -> list[Alert]:
    """All alerts that there ever were, the newest first."""
    rows = store.rows(
        "SELECT document FROM definitions d WHERE kind = ? AND version = (SELECT max(version) FROM definitions "
        "WHERE kind = d.kind AND slug = d.slug)",
        [KIND],
    )
    found = [_read(json.loads(document)) for (document,) in rows]
    return sorted(found, key=lambda alert: (-alert.raised, alert.metric, alert.segment or "", alert.rule))


def keep(store: Store, alert: Alert, now: int) -> None:
    """Record an alert as it is now."""
    document = {name: getattr(alert, name) for name in alert.__dataclass_fields__}
    document |= {"period": str(alert.period), "last": str(alert.last)}
    calibration.record(store, alert.id, document, now, kind=KIND)


def _read(document: Mapping[str, Any]) -> Alert:
    days = {key: date.fromisoformat(document[key]) for key in ("period", "last")}
    return Alert(**{**document, **days})


def find(alerts: Sequence[Alert], name: str) -> Alert:
    """The alert whose id begins with a text of four letters or more.

    Raises:
        UnknownName: there is none.
        Refused: there are several.
    """
    found = [alert for alert in alerts if len(name) >= _LEAST and alert.id.startswith(name.lower())]
    if not found:
        raise UnknownName("alert", name, [alert.id for alert in alerts])
    if len(found) > 1:
        raise Refused(f"{name!r} begins the ids of {len(found)} alerts.", fix="Write more of it.")
    return found[0]


def acknowledged(alert: Alert, note: str) -> Alert:
    """Somebody is at it: no more mail until it is over.

    Raises:
        Refused: it is over.
    """
    return replace(_going(alert), state=ACKNOWLEDGED, until=None, note=note or alert.note)


def snoozed(alert: Alert, until: int, note: str) -> Alert:
    """Nobody wants to hear of it until an instant.

    Raises:
        Refused: it is over.
    """
    return replace(_going(alert), state=SNOOZED, until=until, note=note or alert.note)


def _going(alert: Alert) -> Alert:
    if alert.resolved is not None:
        raise Refused(f"The alert {alert.id} is over.", fix="List those that are open: shoal kpi alerts")
    return alert


def checked(store: Store) -> dict[str, date]:
    """Up to which period each watched figure was looked at, by ``mark``."""
    rows = store.rows(
        "SELECT document FROM definitions WHERE kind = ? AND slug = 'all' ORDER BY version DESC LIMIT 1", [CHECKED]
    )
    told: dict[str, str] = json.loads(rows[0][0]) if rows else {}
    return {mark: date.fromisoformat(day) for mark, day in told.items()}


def note_checked(store: Store, marks: Mapping[str, date], now: int) -> None:
    """Remember up to which period each watched figure was looked at."""
    calibration.record(store, "all", {mark: str(day) for mark, day in marks.items()}, now, kind=CHECKED)


def mark(metric: str, segment: str | None, each: str) -> str:
    """What ``checked`` calls a watched figure."""
    return f"{metric}/{segment or ''}/{each}"
