"""Segments: the table, what makes each different, overlap and reach."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY, from_instant
from shoal.insight.sales import NO_COST
from shoal.insight.segments import SUBSTANTIAL
from shoal.views import charts
from shoal.views import words as w
from shoal.views.report.page import Column, Figure, Hint, Section, Shown, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.distinct import Difference
    from shoal.views.report.facts import Facts

_NONE = "No segment is defined yet. See ready ones that fit this data with: shoal library"
_MOST_ROWS, _MOST_LINES, _NARROW_GRID, _WIDE_GRID = 40, 6, 12, 40
_LEAST_POINTS, _MOST_TWINS = 3, 5


def segments(facts: Facts) -> Section:
    """The table that people manage segments by, their sizes over time, and what sets each apart."""
    rows = sorted(facts.segments.to_pylist(), key=lambda row: -1 if row["size"] is None else -row["size"])
    if not rows:
        return Section("segments", "Segments", "", (Hint(_NONE),))
    blocks: list[Any] = [_table(facts, rows)]
    lines = _sizes(facts, rows)
    if lines is not None:
        blocks.append(lines)
    blocks += [f"To mend: {warning}" for warning in _shortened(facts)]
    return Section("segments", "Segments", _lead(facts, rows), tuple(blocks))


def _shortened(facts: Facts, most: int = 5) -> list[str]:
    """The first warnings; those of near-duplicates stand with the overlap."""
    twins = set(_twins(facts))
    warnings = [warning for warning in facts.quality.warnings if warning not in twins]
    if len(warnings) <= most:
        return warnings
    return [*warnings[:most], f"{len(warnings) - most} more warnings; see them all with: shoal overlap"]


def _lead(facts: Facts, rows: list[dict[str, Any]]) -> str:
    found, rows = facts.quality.overlaps, [row for row in rows if row["size"] is not None]
    if facts.has_orders and any(row["revenue"] > 0 for row in rows):
        top = max(rows, key=lambda row: row["revenue"])
        first = (
            f"Most revenue comes from {top['name']}: {w.share(top['revenue_share'])}, from {w.share(top['share'])} of "
            "customers. "
        )
    else:
        first = ""
    if not rows:
        return "What these segments rest on wasn't worked out by this date yet."
    return (
        f"{first}{w.share(found.coverage)} of {w.many(facts.customers, 'customer')} are in at least one segment, and a "
        "customer can be in several, so shares don't add up to 100."
    )


def _table(facts: Facts, rows: list[dict[str, Any]]) -> Table:
    trends: dict[str, list[float]] = {}
    for point in facts.sizes:
        trends.setdefault(point["slug"], []).append(point["size"])
    moves = {row["slug"]: row for row in facts.segment_flows.to_pylist()}
    margin = bool(facts.rule.cost)
    shown = [
        row
        | {
            "said": facts.sentences.get(row["slug"], ""),
            "trend": trend if len(trend := trends.get(row["slug"], [])) >= 3 else None,
            "margin": row["margin"] if margin else None,
            "entered": moves.get(row["slug"], {}).get("entered"),
            "left": moves.get(row["slug"], {}).get("left"),
        }
        for row in rows
    ]
    # Before a score or threshold was first computed, nobody was in its segments; that is no movement.
    for row in shown:
        if facts.known_since.get(row["slug"], facts.compare) > facts.compare:
            row |= {"entered": None, "left": None, "change": None}
    since = w.day(facts.compare, facts.zone)
    columns = [
        Column("name", "Segment", note="said"),
        Column("size", "Customers", "count"),
        Column("share", "Share", "share", "Of all customers."),
    ]
    if facts.has_orders:
        columns += _revenue_columns(facts)
    if margin:
        columns.append(
            Column("margin", f"Margin, {facts.currency}", "money", "Revenue less cost, where cost is known.")
        )
    columns += [
        Column("entered", "Entered", "count", f"Customers who came in since {since}."),
        Column("left", "Left", "count", f"Customers who went out since {since}."),
        Column("change", "Change", "change", f"Of the size since {since}."),
    ]
    if any(row["trend"] for row in shown):
        columns.append(Column("trend", "Size", "spark", "The size over the last year, by today's definition."))
    notes = list(_unscored(facts))
    if facts.has_orders and not margin:
        notes.append(f"Margin: {NO_COST}. Name the events that bear cost under revenue: cost: in shoal.yaml.")
    return Table("segment-table", tuple(columns), shown, _NONE, note=" ".join(notes))


def _unscored(facts: Facts) -> Iterator[str]:
    """Which segments the table has no figures of, and from when on it could."""
    unknown = facts.quality.unscored
    names = {row["slug"]: row["name"] for row in facts.segments.to_pylist() if row["slug"] in unknown}
    days = {slug: w.day(unknown[slug], facts.zone) for slug in names}
    for day in dict.fromkeys(days.values()):
        which = w.listed([name for slug, name in names.items() if days[slug] == day])
        yield f"{which}: not scored before {day}."


def _revenue_columns(facts: Facts) -> tuple[Column, Column]:
    return (
        Column("revenue", f"Revenue, {facts.currency}", "money", "Net of refunds, since each customer's first order."),
        Column("revenue_share", "Of revenue", "bar", "Of the revenue of all customers."),
    )


def _sizes(facts: Facts, rows: list[dict[str, Any]]) -> Figure | None:
    counts = Counter(point["slug"] for point in facts.sizes)
    names = {row["slug"]: row["name"] for row in rows if counts[row["slug"]] >= _LEAST_POINTS}
    if not names:
        return None
    every = [
        {"segment": names[p["slug"]], "at": f"{from_instant(p['at']):%Y-%m-%d}", "size": p["size"]}
        for p in facts.sizes
        if p["slug"] in names
    ]
    largest = list(names.values())[:_MOST_LINES]
    drawn = [row for row in every if row["segment"] in largest]
    title = _moved(facts, [row for row in rows if row["name"] in largest])
    which = f"The {len(largest)} largest segments" if len(names) > len(largest) else "Segments"
    subtitle = f"{which}, customers, at each date by today's definition"
    notes = ["The CSV holds all segments."] if len(names) > len(largest) else []
    if facts.span and min(p["at"] for p in facts.sizes) < facts.span[0] + 365 * DAY:
        notes.append("Early sizes can be too small: windows reach back to before the data begins.")
    return Figure(
        "segment-sizes", lambda width: charts.size_lines(drawn, title=title, subtitle=subtitle, width=width), every, title,
        " ".join(notes),
    )  # fmt: skip


def _moved(facts: Facts, rows: list[dict[str, Any]]) -> str:
    """Which segment changed most between the report's two dates."""
    since = w.day(facts.compare, facts.zone)
    moves = {}
    for row in rows:
        before = row["size"] - (row["change"] or 0)
        # A segment that was nearly empty would win with a percentage that means nothing.
        if (
            row["change"] is not None
            and before >= SUBSTANTIAL
            and facts.known_since.get(row["slug"], 0) <= facts.compare
        ):
            moves[row["name"]] = row["change"] / before
    if not moves:
        return "Sizes of the segments over time"
    name = max(moves, key=lambda n: abs(moves[n]))
    if abs(moves[name]) < w.STEADY:
        return f"No segment has moved by {w.share(w.STEADY)} or more since {since}"
    most = "most " if len(moves) > 1 else ""
    return f"{name} {'grew' if moves[name] > 0 else 'shrank'} {most}since {since}: {w.signed(moves[name])}"


# ------------------------------------------------------------ what sets them apart


def differences(facts: Facts) -> Section | None:
    """What makes each segment different, on variables not used to build it; None without segments."""
    title = "What makes each segment different"
    rows = [
        row
        for slug, found in facts.quality.differences.items()
        for row in _difference_rows(facts.quality.names[slug], found)
    ]
    if not facts.segments.num_rows:
        return None
    hint = (
        "Nothing sets these segments apart beyond chance, on the traits at hand. Load traits of customers, as country, "
        "age or sign-up date, to learn who they are."
    )
    if not rows:
        return Section("different", title, "", (Hint(hint),))
    columns = (
        Column("segment", "Segment"),
        Column("what", "What differs"),
        Column("inside", "In the segment", "figure", "The share of customers, or the mean."),
        Column("outside", "All others", "figure"),
        Column(
            "times", "Against others", "figure", "How many times as common, or the difference, with its 95 % interval."
        ),
        Column("n", "n", "count", "Customers of the segment whose value is known."),
    )
    lead = (
        "The largest differences from all other customers, on traits that the definition doesn't rest on, and that "
        "chance doesn't explain. They describe; they don't say why."
    )
    silent = [name for slug, name in facts.quality.names.items() if not facts.quality.differences.get(slug)]
    note = f"No difference beyond chance was found for {w.listed(silent[:8])}." if silent else ""
    return Section("different", title, lead, (Table("differences", columns, rows, note=note),))


def _difference_rows(name: str, found: list[Difference]) -> Iterator[dict[str, Any]]:
    for d in found:
        variable = d.label or d.variable.replace("_", " ")
        gap = d.lift if d.lift is not None else d.difference
        if d.level is None:
            inside, outside = w.plain(d.inside), w.plain(d.outside)
            shown = f"{'+' if gap.value > 0 else ''}{w.plain(gap.value)} ({w.plain(gap.low)} to {w.plain(gap.high)})"
        else:
            inside, outside = w.share(d.inside), w.share(d.outside)
            shown = f"{w.ratio(gap.value)} × ({w.ratio(gap.low)} to {w.ratio(gap.high)})"
        yield {
            "segment": name, "what": variable if d.level is None else f"{variable}: {d.level}",
            "inside": Shown(inside, d.inside), "outside": Shown(outside, d.outside), "times": Shown(shown, gap.value),
            "n": d.n,
        }  # fmt: skip


# ------------------------------------------------------------ overlap


def overlap(facts: Facts) -> Section | None:
    """Every pair, near-duplicates and coverage; None without segments."""
    found = facts.quality.overlaps
    if not found.sizes:
        return None
    if len(found.sizes) < 2:
        hint = "There is one segment, and nothing to compare it with. Add another: shoal library has ready ones."
        return Section("overlap", "Overlap", "", (Hint(hint),))
    names = facts.quality.names
    both = {(p.a, p.b): p for p in found.pairs}
    slugs = [slug for slug in found.sizes if found.sizes[slug]]
    rows = []
    for a, b in permutations(slugs, 2):
        pair = both.get((a, b)) or both[(b, a)]
        share = pair.share_of_a if pair.a == a else pair.share_of_b
        rows.append({"a": names[a], "b": names[b], "both": pair.both, "share": share})
    title = _overlap_title(facts)
    subtitle = "Of the customers in the row's segment, the share in the column's, per cent"
    grid = Figure(
        "overlap-grid",
        lambda width: charts.overlap_grid(_largest(facts, rows, width), title=title, subtitle=subtitle, width=width),
        rows, title, f"{_NARROW_GRID} largest segments on a phone" if len(slugs) > _NARROW_GRID else "",
    )  # fmt: skip
    twins = _twins(facts)
    blocks: list[Any] = [grid] if len(slugs) > 1 else []
    blocks += [*twins[:_MOST_TWINS], _pairs(facts)]
    if len(twins) > _MOST_TWINS:
        blocks.insert(-1, f"{w.many(len(twins) - _MOST_TWINS, 'more pair')} of near-duplicates: shoal overlap")
    many = {n: c for n, c in found.in_many.items() if n > 1}
    lead = (
        f"{w.share(found.in_none / found.base)} of customers are in no segment, {w.share(found.in_many.get(1, 0) / found.base)} "
        f"in exactly one, {w.share(sum(many.values()) / found.base)} in several."
        if found.base
        else ""
    )
    return Section("overlap", "Overlap", lead, tuple(blocks))


def _twins(facts: Facts) -> list[str]:
    names = facts.quality.names
    return [f"{names[d.a]} and {names[d.b]} are nearly the same: {d.reason}" for d in facts.quality.duplicates]


def _largest(facts: Facts, rows: list[dict[str, Any]], width: int) -> list[dict[str, Any]]:
    from shoal.views import theme

    most = _NARROW_GRID if width <= theme.NARROW else _WIDE_GRID
    sizes = facts.quality.overlaps.sizes
    kept = {facts.quality.names[slug] for slug in sorted(sizes, key=lambda s: -sizes[s])[:most]}
    return [row for row in rows if row["a"] in kept and row["b"] in kept]


def _overlap_title(facts: Facts) -> str:
    pairs = [p for p in facts.quality.overlaps.pairs if p.both]
    if not pairs:
        return "The segments share no customer"
    top, names = pairs[0], facts.quality.names
    return (
        f"{names[top.a]} and {names[top.b]} overlap most: {w.share(top.jaccard)} of the customers in either are in both"
    )


def _pairs(facts: Facts) -> Table:
    names = facts.quality.names
    columns = (
        Column("a", "Segment"), Column("b", "And"), Column("both", "In both", "count"),
        Column("of_a", "Of the first", "share"), Column("of_b", "Of the second", "share"),
        Column("lift", "Against chance", "times", "How many times as many as if the two had nothing to do with each other."),
    )  # fmt: skip
    rows = [
        {"a": names[p.a], "b": names[p.b], "both": p.both, "of_a": p.share_of_a, "of_b": p.share_of_b, "lift": p.lift}
        for p in facts.quality.overlaps.pairs
        if p.both
    ][:10]
    return Table("pairs", columns, rows, "No customer is in two segments.")


# ------------------------------------------------------------ reach


def reach(facts: Facts) -> Section | None:
    """How many of each segment can be written to, by channel and by consent; None without segments."""
    if not facts.segments.num_rows:
        return None
    title = "Reach and consent"
    ways = list(dict.fromkeys((r.by, r.name) for found in facts.quality.reach.values() for r in found))
    if not ways:
        hint = (
            "No address and no consent is known. In shoal.yaml, map an e-mail column as a trait and a file of consents "
            "as consent, and name the purpose that segments serve."
        )
        return Section("reach", title, "", (Hint(hint),))
    columns = [Column("name", "Segment"), Column("size", "Customers", "count")]
    columns += [
        Column(f"{by} {name}", name.replace("_", " ").capitalize() if by == "purpose" else f"{name.capitalize()} known", "bar",
               f"Consent allows {name} ({facts.purposes.get(name, '')})." if by == "purpose" else f"The {name} address is known.")
        for by, name in ways
    ]  # fmt: skip
    rows = [
        {"name": facts.quality.names[slug], "size": facts.quality.contributions[slug].size}
        | {f"{r.by} {r.name}": r.share for r in found}
        for slug, found in facts.quality.reach.items()
    ]
    lead = (
        "The share of each segment that an address or consent reaches. Consent is asked again at the moment that "
        "members are handed out."
    )
    return Section("reach", title, lead, (Table("reach-table", tuple(columns), rows, _NONE),))
