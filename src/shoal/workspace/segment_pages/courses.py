"""Sizes of segments day by day, and who entered and left: as it was published, and before that by today's definition."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from shoal.insight.definitions import KIND
from shoal.insight.standing import known_since, unscored
from shoal.lang.calendar import zone

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from shoal.lang.calendar import Zone
    from shoal.workspace.opening import Workspace

LATELY = 30
"""Days of the inventory's small lines."""
WEEKS_BACK = (7, 14, 21, 30)
"""Days back at which sizes are worked out where nothing was published yet, for all segments."""
FARTHER_BACK = (7, 14, 21, 30, 42, 56, 70, 84)
"""The same for one segment."""
OF_NOBODY = ("segment added", "definition changed", "threshold refreshed", "recalibrated")
"""Reasons of changes that customers did nothing for: they count for the size, and for nobody's coming or going."""
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Point:
    """A day of a segment.

    Args:
        day: the local date.
        size: at its end, or now where it isn't over; None where nothing is known.
        entered: who came in on it; None where that wasn't published.
        left: who went out.
        redefined: how many memberships a change of the definition, or of its cut points, moved.
        published: whether the size is of the published history, and not worked out by today's definition.
    """

    day: str
    size: int | None
    entered: int | None
    left: int | None
    redefined: int
    published: bool


@dataclass(frozen=True, slots=True)
class Course:
    """A segment over days, the oldest first.

    Args:
        since: the instant of the first change that was published; None where none was.
        points: the days.
    """

    since: int | None
    points: tuple[Point, ...]

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"since": self.since, "points": [asdict(one) for one in self.points]}


@dataclass(frozen=True, slots=True)
class _Days:
    """Local days up to an instant."""

    zone: Zone
    first: int
    last: int

    @classmethod
    def up_to(cls, name: str, at: int, many: int) -> _Days:
        rules = zone(name)
        return cls(rules, rules.day(at) - many, rules.day(at))

    def end(self, day: int) -> int:
        return self.zone.starts(day + 1)


def published(ws: Workspace, days: int, slug: str | None = None) -> dict[str, Course]:
    """The courses of segments by what was published; days before a segment's first change have no size.

    Args:
        ws: the workspace.
        days: how far back.
        slug: of one segment; all by default.
    """
    span = _Days.up_to(ws.config.zone, ws.now(), days)
    only, asked = ("WHERE segment = ?", [slug]) if slug else ("", [])
    totals = ws.store.rows(
        "SELECT segment, min(ts), sum(CASE change WHEN 'entered' THEN 1 ELSE -1 END) FROM membership_changes "
        f"{only} GROUP BY segment",
        asked,
    )
    by_day = _by_day(ws, span, only, asked)
    return {name: Course(first, _points(span, first, int(total), by_day[name])) for name, first, total in totals}


_Counts = tuple[int, int, int, int]


def _by_day(ws: Workspace, span: _Days, only: str, asked: Sequence[object]) -> dict[str, dict[int, _Counts]]:
    """By segment and day: how much larger it became, who entered, who left, and what a definition moved."""
    days = ", ".join(f"({day}, {span.zone.starts(day)}, {span.end(day)})" for day in range(span.first, span.last + 1))
    reasons = ", ".join(f"'{one}'" for one in OF_NOBODY)
    moved = f"m.because IN ({reasons})"
    # The first that is published of a segment is who was in already: nobody came in by that.
    own = f"m.ts > f.first AND NOT {moved}"
    rows = ws.store.rows(
        f"WITH days(day, begins, ends) AS (VALUES {days}), "
        f"f AS (SELECT segment, min(ts) AS first FROM membership_changes {only} GROUP BY segment) "
        "SELECT m.segment, d.day, sum(CASE m.change WHEN 'entered' THEN 1 ELSE -1 END), "
        f"count(CASE WHEN {own} AND m.change = 'entered' THEN 1 END), "
        f"count(CASE WHEN {own} AND m.change = 'left' THEN 1 END), "
        f"count(CASE WHEN m.ts > f.first AND {moved} THEN 1 END) "
        "FROM membership_changes m JOIN f ON f.segment = m.segment "
        "JOIN days d ON m.ts >= d.begins AND m.ts < d.ends GROUP BY m.segment, d.day",
        asked,
    )
    found: dict[str, dict[int, _Counts]] = defaultdict(dict)
    for segment, day, net, entered, left, redefined in rows:
        found[segment][day] = int(net), entered, left, redefined
    return found


def _points(span: _Days, first: int, total: int, by_day: Mapping[int, _Counts]) -> tuple[Point, ...]:
    points, size = [], total
    for day in range(span.last, span.first - 1, -1):
        net, entered, left, redefined = by_day.get(day, (0, 0, 0, 0))
        known = first < span.end(day)
        points.append(
            Point(_iso(day), size, entered, left, redefined, True)
            if known
            else Point(_iso(day), None, None, None, 0, False)
        )
        size -= net
    return tuple(reversed(points))


def _iso(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def _by_definition(ws: Workspace, slugs: Collection[str], back: Sequence[int]) -> dict[int, dict[str, int]]:
    """By local day the sizes of segments at its end, by today's definition over the data of then."""
    rules, now = zone(ws.config.zone), ws.now()
    today, found = rules.day(now), {}
    for days in back:
        at = rules.starts(today - days + 1) - 1
        evaluation = ws.segments.evaluate(list(slugs), as_of=at)
        try:
            # Before there was any customer, an empty segment says nothing.
            sizes = evaluation.sizes() if evaluation.base() else {}
        finally:
            evaluation.close()
        unknown = unscored(ws.store, {slug: ws.definitions[slug] for slug in slugs}, at)
        found[today - days] = {slug: size for slug, size in sizes.items() if slug not in unknown}
    return found


def course(ws: Workspace, segment: str, days: int = 84) -> Course:
    """A segment day by day: what was published, and before that its size each week or two by today's definition.

    Args:
        ws: the workspace.
        segment: name or slug.
        days: how far back.

    Raises:
        UnknownName: there is no such segment.
    """
    slug = ws.segments[segment].slug
    told = published(ws, days, slug).get(slug)
    span = _Days.up_to(ws.config.zone, ws.now(), days)
    points = told.points if told else _points(span, 1 << 62, 0, {})
    missing = [span.last - day for day, point in zip(range(span.first, span.last + 1), points, strict=True)
               if point.size is None]  # fmt: skip
    sizes = _by_definition(ws, [slug], [back for back in FARTHER_BACK if back in missing])
    filled = {_iso(day): of_it.get(slug) for day, of_it in sizes.items()}
    kept = tuple(
        point if point.size is not None else Point(point.day, filled[point.day], None, None, 0, False)
        for point in points
        if point.size is not None or filled.get(point.day) is not None
    )
    return Course(told.since if told else None, kept)


def histories(ws: Workspace) -> dict[str, Any]:
    """Of every segment in force its sizes of late, and when its definition changed last.

    Returns:
        By slug: ``since`` (the first published change), ``week`` and ``month`` (its size 7 and 30 days ago, None where
        nothing can be said), ``line`` (sizes over 30 days, the oldest first), ``by_definition`` (whether the sizes of then
        are by today's definition), ``changed`` (the instant of the newest version) and ``versions`` (how many).
    """
    told = published(ws, LATELY)
    lacking = [slug for slug in ws.definitions if slug not in told or told[slug].points[0].size is None]
    back = _by_definition(ws, lacking, WEEKS_BACK) if lacking else {}
    versions = {
        slug: (received, many)
        for slug, received, many in ws.store.rows(
            "SELECT slug, arg_max(received, version), count(*) FROM definitions WHERE kind = ? GROUP BY slug", [KIND]
        )
    }
    scored = known_since(ws.store, ws.definitions)
    return {
        slug: _history(ws, slug, told.get(slug), back, versions.get(slug)) | {"known_since": scored.get(slug)}
        for slug in ws.definitions
    }


def _history(
    ws: Workspace,
    slug: str,
    told: Course | None,
    back: Mapping[int, Mapping[str, int]],
    version: tuple[int, int] | None,
) -> dict[str, Any]:
    today = zone(ws.config.zone).day(ws.now())
    sizes = {point.day: point.size for point in told.points if point.size is not None} if told else {}
    then = {_iso(day): of_all[slug] for day, of_all in back.items() if slug in of_all}
    line = dict(sorted((then | sizes).items()))
    return {
        "since": told.since if told else None,
        "week": line.get(_iso(today - 7)),
        "month": line.get(_iso(today - LATELY)),
        "line": list(line.values()),
        "by_definition": _iso(today - LATELY) not in sizes,
        "changed": version[0] if version else None,
        "versions": version[1] if version else 0,
    }
