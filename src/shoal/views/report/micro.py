"""Micro-segments: how many groups the data support, what each is like and worth, how stable it is, and who moved."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.insight.discovery.projection import gaps, project
from shoal.insight.discovery.record import STANDING
from shoal.insight.discovery.stability import STABLE
from shoal.views import charts
from shoal.views import words as w
from shoal.views.report.page import Brief, Column, Figure, Head, Hint, Section, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.insight.discovery.keeping import Version
    from shoal.insight.discovery.projection import Gap
    from shoal.insight.discovery.record import Criterion, Event, Found, MicroSegment, Sentence
    from shoal.views.report.facts import Facts, Micro

_MARKS: Mapping[bool | None, str] = {True: "yes", False: "no", None: "not known"}
_MOST_MOVES = 8


def micro_segments(facts: Facts) -> Section | None:
    """The micro-segments in force; None where none were discovered."""
    micro = facts.micro
    if micro is None:
        return None
    found = micro.version.found
    blocks: list[Any] = [_table(facts, micro), *_evidence(found), _differences(micro.version), _map(micro.version)]
    blocks += list(_to_mend(micro))
    blocks += [Head("Who moved"), *_moves(facts, micro)]
    blocks += [Head("Personas"), tuple(brief(segment) for segment in found.segments)]
    return Section("micro-segments", "Micro-segments", _lead(facts, found), tuple(blocks))


def _lead(facts: Facts, found: Found) -> str:
    """First how many groups the data support, and what those are that are shown."""
    supported = (
        f"The data support no groups of their own among {w.many(found.customers, 'customer')}"
        if found.supported_k <= 1
        else f"The data support {found.supported_k} groups among {w.many(found.customers, 'customer')}"
    )
    counts: Counter[str] = Counter(segment.standing for segment in found.segments)
    kinds = w.listed([f"{counts[kind]} {kind}" for kind in STANDING if counts[kind]])
    tested = (
        f" {len(found.distinct)} of them did something else than every other in the {found.held_out} days that were held out."
        if found.held_out
        else " The history is too short to hold out what came after, so nothing says whether they act differently."
    )
    return (
        f"{supported}. The {found.k} below are {kinds}; as a whole the partition is {found.verdict}.{tested}{_explained(found)} "
        f"Found on {w.day(found.at, facts.zone)} from {found.window} days of behaviour."
    )


def _explained(found: Found) -> str:
    """How much of what customers did afterwards lies between the segments; empty where nothing was held out."""
    told = [f"{w.share(share)} of the differences in {name}" for name, share in found.explained.items()]
    return f" Between the segments lie {w.listed(told)}." if told else ""


def _table(facts: Facts, micro: Micro) -> Table:
    found = micro.version.found
    when = w.day(found.at, facts.zone)
    columns = [
        Column("name", "Segment", note="standing"),
        Column("size", "Customers", "count", f"When they were found, {when}."),
    ]
    if not micro.expected:
        columns.append(Column("share", "Share", "share", "Of all customers that were looked at."))
    if any(segment.revenue is not None for segment in found.segments):
        said = f"Net, in the {found.window} days up to {when}."
        columns += [
            Column("revenue", f"Revenue, {facts.currency}", "money", said),
            Column("revenue_share", "Of revenue", "bar"),
        ]
    if micro.expected:
        said = f"Mean of {micro.expected_as} over those who are in it now."
        columns.append(Column("expected", f"Expected each, mean, {facts.currency}", "money", said))
    columns += [
        Column(
            "jaccard", "Comes back", "decimal", "Mean Jaccard with other samples' nearest group; stable from 0.75 on."
        ),
        Column(
            "distinct", "Acts differently", hint="Did something else than every other in the time that was held out."
        ),
        Column("fidelity", "Rule", "decimal", "F1 of the rule in the segment language: 1 names exactly its members."),
    ]
    rows = [
        {"name": f"{s.id}  {s.name}", "standing": s.standing, "size": s.size, "share": s.share, "revenue": s.revenue,
         "revenue_share": s.revenue_share, "expected": micro.expected.get(s.id), "jaccard": s.jaccard,
         "distinct": _MARKS[s.distinct], "fidelity": s.rule.fidelity}
        for s in found.segments
    ]  # fmt: skip
    return Table("micro-table", tuple(columns), rows, note=_standings(found))


def _standings(found: Found) -> str:
    """What the words of the table mean, as far as they stand in it."""
    seen = {segment.standing for segment in found.segments}
    said = ". ".join(f"{kind.capitalize()}: {meaning}" for kind, meaning in STANDING.items() if kind in seen)
    far = (
        f" {w.many(found.outliers, 'customer')} are far from every group and count to the nearest."
        if found.outliers
        else ""
    )
    return f"{said}.{far}"


# ------------------------------------------------------------ evidence


def _evidence(found: Found) -> Iterator[Figure]:
    rows = [
        {"k": e.k, "silhouette": e.silhouette, "null_silhouette": e.without_groups, "verdict": e.verdict,
         "adjusted rand": e.rand, "p": e.p}
        for e in found.looked
    ]  # fmt: skip
    if len(rows) > 1:
        taken = next(e for e in found.looked if e.k == found.k)
        title = (
            f"Cut into {found.k}, these customers part with a silhouette of {taken.silhouette:.2f}; a cloud without groups "
            f"has {taken.without_groups:.2f}"
        )
        subtitle = "Mean silhouette by number of groups: 1 is far apart, 0 is no border"
        yield Figure(
            "micro-evidence",
            lambda width: charts.groups_evidence(rows, title=title, subtitle=subtitle, chosen=found.k, width=width),
            rows, f"{title}. {subtitle}", f"{found.reason} Groups must also come back, and have gaps between them.", half=True,
        )  # fmt: skip
    yield _stability(found)


def _stability(found: Found) -> Figure:
    rows = [
        {"id": s.id, "segment": s.name, "jaccard": s.jaccard, "kind": s.standing, "band": s.band}
        for s in found.segments
    ]
    stable = sum(segment.jaccard >= STABLE for segment in found.segments)
    title = f"{stable or 'None'} of {len(rows)} segments {'comes' if stable == 1 else 'come'} back in other samples"
    subtitle = "Mean Jaccard with the nearest group of other samples of the same customers; hollow: made, not found"
    return Figure(
        "micro-stability", lambda width: charts.stability_dots(rows, title=title, subtitle=subtitle, width=width),
        rows, f"{title}. {subtitle}", f"{w.many(found.customers, 'customer')}; the bands are Hennig's (2007)", half=True,
    )  # fmt: skip


def _sizes(version: Version) -> Any:
    size = {segment.id: segment.size for segment in version.found.segments}
    return np.array([size.get(one, 0) for one in version.model.segments])


def _differences(version: Version) -> Figure:
    found = gaps(version.model, _sizes(version))
    names = {segment.id: segment.name for segment in version.found.segments}
    ids, traits = version.model.segments, _traits(found)
    rows = [
        {"id": ids[g.place], "segment": names[ids[g.place]], "trait": traits[g.column, g.level], "effect": round(g.effect, 3),
         "said": _said(g.level, g.segment, g.others)}
        for g in found if (g.column, g.level) in traits
    ]  # fmt: skip
    top = max((g for g in found if (g.column, g.level) in traits), key=lambda g: abs(g.effect))
    way, trait = "more" if top.effect > 0 else "less", traits[top.column, top.level]
    title = f"{ids[top.place]} stands out most: {way} {trait} than all others"
    subtitle = (
        "More (green) or less (red) than all other customers, in standard deviations; of shares, Cohen's h. The traits in "
        "which segments differ most"
    )
    note = (
        f"{w.many(version.found.customers, 'customer')}; means of the segments as they were found. 0.2 is little, 0.8 is "
        "much. The CSV holds all traits."
    )
    return Figure(
        "micro-differences", lambda width: charts.difference_grid(rows, title=title, subtitle=subtitle, width=width),
        rows, f"{title}. {subtitle}", note,
    )  # fmt: skip


def _traits(found: Sequence[Gap]) -> dict[tuple[str, str | None], str]:
    """The name of each trait; of those that say the same of every segment, as columns that are missing together, one."""
    effects: dict[tuple[str, str | None], list[float]] = {}
    for gap in found:
        effects.setdefault((gap.column, gap.level), []).append(round(gap.effect, 2))
    alike: dict[tuple[float, ...], list[tuple[str, str | None]]] = {}
    for trait, values in effects.items():
        alike.setdefault(tuple(values), []).append(trait)
    return {
        same[0]: f"{_trait(*same[0])}{f' and {len(same) - 1} more' if len(same) > 1 else ''}" for same in alike.values()
    }


def _trait(column: str, level: str | None) -> str:
    return column if level is None else f"{column}: {level}"


def _said(level: str | None, segment: float, others: float) -> str:
    if level is None:
        return f"{segment:+.2f} standard deviations from the middle, the others {others:+.2f}".replace("-", "−")
    return f"{w.share(max(segment, 0.0))} of them, {w.share(max(others, 0.0))} of the others"


def _map(version: Version) -> Figure:
    sizes = _sizes(version)
    plane = project(version.model, sizes)
    names = {segment.id: segment.name for segment in version.found.segments}
    rows = [
        {"id": one, "segment": names[one], "x": float(x), "y": float(y), "customers": int(size)}
        for one, (x, y), size in zip(version.model.segments, plane.places, sizes, strict=True)
    ]
    axes = (" and ".join(plane.axes[0]), " and ".join(plane.axes[1]))
    title = f"The segments differ most in {plane.axes[0][0]}, then in {plane.axes[1][0]}"
    subtitle = (
        "Centres of the segments on their first two principal components; the area is the number of customers. "
        f"The plane shows {w.share(plane.shown)} of how segments differ"
    )
    return Figure(
        "micro-map", lambda width: charts.segment_map(rows, title=title, subtitle=subtitle, axes=axes, width=width),
        rows, f"{title}. {subtitle}", "Segments that touch here may lie apart in what the plane doesn't show.",
    )  # fmt: skip


def _to_mend(micro: Micro) -> Iterator[str]:
    names = {segment.id: segment.name for segment in micro.version.found.segments}
    for ids, _ in micro.version.found.merges:
        which = w.listed([f"{one} ({names[one]})" for one in ids if one in names])
        yield f"To merge: no outcome that was held out tells {which} apart."
    if micro.proposal:
        yield f"To refit: customers have changed since. {' '.join(micro.proposal)} Look again with: shoal discover"


# ------------------------------------------------------------ movement


def _moves(facts: Facts, micro: Micro) -> Iterator[Any]:
    """Who went from which segment to which, between two looks, and what became of the segments."""
    changed = _changes(micro.version.found.events)
    if changed:
        yield changed
    if micro.moves is None or micro.since is None:
        yield Hint("Customers were put into segments once so far. After the next look, their moves show here.")
        return
    rows = [
        {"before": _named(micro, r["source"]), "after": _named(micro, r["target"]), "customers": r["customers"],
         "revenue": r["revenue"]}
        for r in micro.moves.to_pylist()
    ]  # fmt: skip
    since, until = _dates(facts, micro.since)
    title, total = _moved(micro, rows, since), sum(row["customers"] for row in rows)
    subtitle = f"Customers by micro-segment on {since} and on {until}; the height of a ribbon is their number"
    order = [_named(micro, segment.id) for segment in micro.version.found.segments]
    yield Figure(
        "micro-moves",
        lambda width: charts.migration_flows(
            rows, title=title, subtitle=subtitle, order=order, dates=(since, until), width=width
        ),
        rows, f"{title}. {subtitle}", f"{w.many(total, 'customer')}. Who stands near a border crosses it by chance.",
    )  # fmt: skip
    columns = (
        Column("before", "From"), Column("after", "To"), Column("customers", "Customers", "count"),
        Column("revenue", f"Revenue since, {facts.currency}", "money", f"Net, since {since}."),
    )  # fmt: skip
    largest = sorted((row for row in rows if row["before"] != row["after"]), key=lambda row: -row["customers"])
    yield Table("micro-moves-table", columns, largest[:_MOST_MOVES], "Nobody moved.")


def _named(micro: Micro, one: str) -> str:
    """An id with its name; the word for customers without a segment stays as it is."""
    return f"{one} {micro.names[one]}" if one in micro.names else one


def _dates(facts: Facts, since: int) -> tuple[str, str]:
    """Both dates; their times where they fall on one day."""
    days = tuple(w.day(at, facts.zone) for at in (since, facts.at))
    return (days[0], days[1]) if days[0] != days[1] else (w.time(since, facts.zone), w.time(facts.at, facts.zone))


def _moved(micro: Micro, rows: Sequence[Mapping[str, Any]], since: str) -> str:
    """The share of customers who are elsewhere; after a refit that made new segments, that these are new."""
    held = {row["before"] for row in rows}
    segments = [_named(micro, segment.id) for segment in micro.version.found.segments]
    new = sum(name not in held for name in segments)
    if new:
        return f"{new} of {len(segments)} segments are new since {since}, so most moves are theirs"
    many = sum(row["customers"] for row in rows if row["before"] != row["after"])
    return f"{w.share(many / sum(row['customers'] for row in rows))} of customers are in another micro-segment than on {since}"


def _changes(events: Sequence[Event]) -> str:
    """What became of the segments at the last refresh, in a sentence; empty for the first fit."""
    counts = Counter(event.kind for event in events)
    if not counts["kept"] and not counts["died"]:
        return ""
    said = [f"{counts['kept']} segments kept their id" if counts["kept"] != 1 else "1 segment kept its id"]
    said += [f"{counts['died']} ended"] if counts["died"] else []
    said += [f"{counts['born']} are new" if counts["born"] > 1 else "1 is new"] if counts["born"] else []
    for event in events:
        if event.kind in ("merged", "split"):
            way = "went into" if event.kind == "merged" else "became"
            said.append(f"{w.listed(event.before)} {way} {w.listed(event.after)}")
    return f"At the last refresh {w.listed(said)}."


# ------------------------------------------------------------ personas


def brief(segment: MicroSegment) -> Brief:
    """The persona: each sentence with the figure behind it, the quality card, and the rule."""
    persona = segment.persona
    parts = (*persona.portrait, *persona.different, *persona.buys, *persona.reach)
    return Brief(
        segment.name,
        f"{segment.id}, {segment.standing}",
        tuple((c.name.capitalize(), _MARKS[c.met]) for c in segment.card),
        tuple((sentence.text, behind(sentence)) for sentence in parts),
        segment.rule.where or "",
        tuple(_criterion(c) for c in segment.card),
    )


def behind(sentence: Sentence) -> str:
    """On how many a sentence rests, and what is true of the others where it doesn't say so itself."""
    figure = sentence.figure
    orders = figure.kind == "share of orders"
    n = f"n{w.HARD}={w.HARD}{w.many(figure.n, 'order') if orders else f'{figure.n:,}'}"
    if figure.kind in ("share", "share of orders") and figure.others is not None:
        return f"The others: {w.share(figure.others)}; {n}"
    return n


def _criterion(one: Criterion) -> str:
    return f"{one.name.capitalize()}: {_MARKS[one.met]}. {one.text}"
