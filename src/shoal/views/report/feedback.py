"""Feedback: how content customers are by segment, what they write about, and the needs that are missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import charts, theme
from shoal.views import words as w
from shoal.views.report.page import Column, Figure, Head, Hint, Section, Shown, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shoal.insight.feedback.moods import Moods
    from shoal.insight.feedback.scores import Against, Scores
    from shoal.insight.feedback.themes import Theme, Themes
    from shoal.insight.texts.needs import Need
    from shoal.stats.intervals import Interval
    from shoal.views.report.facts import Facts

_TITLE = "Feedback"
_MOST_ROWS, _NARROW_ROWS = 16, 10
_MOST_NEEDS = 12
_MOST_NAMED = 3
_SHORT: Mapping[str, str] = {"nps": "NPS", "csat": "CSAT"}
_NOBODY = (
    "No survey and no text of a customer is known. Load answers as a number nps (0 to 10) or csat (1 to 5), or reviews and "
    "comments as text, and what customers say shows here by segment."
)


def feedback(facts: Facts) -> Section:
    """Scores with intervals, moods, topics and unmet needs."""
    heard = facts.heard
    if not heard.scores and heard.moods is None:
        # Answers of another scale are there, and can be mended: that is more use than the general word.
        wrong = [why for why in heard.missing.values() if "another scale" in why]
        return Section("feedback", _TITLE, "", (*(Hint(why) for why in wrong or [_NOBODY]),))
    lead = (
        "The newest answer and the newest text of each customer. A line is the 95 % interval: the fewer answered, the longer. "
        "A segment differs where chance doesn't explain it, with so many segments looked at."
    )
    return Section("feedback", _TITLE, lead, tuple(_blocks(facts)))


def _blocks(facts: Facts) -> Iterator[Any]:
    heard = facts.heard
    half = len(heard.scores) == 2
    yield from (_scores(facts, found, half) for found in heard.scores.values())
    for measure, found in heard.scores.items():
        yield _held_together(f"{_SHORT[measure]}: {' '.join(found.response.notes())}")
    if not heard.scores:
        yield Hint(f"{heard.missing['nps']} Load answers to a survey, and they show here by segment.")
    yield Head("What they write")
    if heard.moods is None:
        yield Hint(f"{heard.missing['sentiment']} Load reviews or comments, and what customers write about shows here.")
        return
    yield _moods(facts, heard.moods)
    yield _held_together(" ".join(heard.moods.notes()))
    if heard.themes is None:
        yield Hint(heard.missing["topics"])
        return
    yield _topics(heard.themes)
    yield Head("Needs that are missed")
    yield from _needs(facts, heard.themes)


def _held_together(text: str) -> str:
    """No line breaks before the sign of per cent."""
    return text.replace(" %", f"{w.HARD}%")


def _names(facts: Facts) -> Mapping[str | None, str]:
    names: dict[str | None, str] = {None: "Everyone"}
    names.update(facts.quality.names)
    return names


# ------------------------------------------------------------ scores and moods


def _scores(facts: Facts, found: Scores, half: bool) -> Figure:
    names, short = _names(facts), _SHORT[found.measure]
    rows = [_dot(names.get(s.slug, str(s.slug)), s.estimate, s.n, s.slug is None, s.against) for s in found.standings]
    nps = found.measure == "nps"
    value, _, _ = found.everyone.estimate
    title = f"{short} is {_points(value) if nps else w.share(value)}; {_apart(rows)}"
    subtitle = f"{short} with its 95 % interval, by segment"
    note = f"{found.where}. {found.definition}"
    domain = (-100.0, 100.0) if nps else (0.0, 1.0)
    return _dots(f"feedback-{found.measure}", rows, title, subtitle, note, domain, "" if nps else "share", half)


def _moods(facts: Facts, found: Moods) -> Figure:
    names = _names(facts)
    rows = [_dot(names.get(m.slug, str(m.slug)), m.unhappy, m.n, m.slug is None, m.against) for m in found.moods]
    everyone = found.moods[0]
    title = f"{w.share(everyone.unhappy.value)} of those who wrote are unhappy; {_apart(rows)}"
    subtitle = "People whose newest text is negative, of all whose text could be scored, with the 95 % interval"
    note = (
        f"{found.where}; {w.many(everyone.n, 'person', 'people')}: {everyone.positive:,} positive, "
        f"{everyone.unclear:,} unclear, {everyone.negative:,} negative. English only"
    )
    return _dots("feedback-moods", rows, title, subtitle, note, (0.0, 1.0), "share", half=False)


def _dot(name: str, estimate: Interval, n: int, everyone: bool, against: Against | None) -> dict[str, Any]:
    value, low, high = estimate
    return {"name": name, "value": value, "low": low, "high": high, "n": n, "all": everyone,
            "differs": None if against is None else against.differs}  # fmt: skip


def _apart(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which segments differ from all others, corrected for the many; or that none can be told apart."""
    apart = [row["name"] for row in rows if row["differs"]]
    if apart:
        more = len(apart) - _MOST_NAMED
        said = w.listed([*apart[:_MOST_NAMED], f"{more} more"] if more > 0 else apart)
        return f"{said} {'differs' if len(apart) == 1 else 'differ'} from all others"
    if len(rows) == 1:
        return "no segment has an answer of its own"
    compared = any(row["differs"] is not None for row in rows)
    return "no segment can be told from all others" if compared else "too few answers to compare segments"


def _dots(
    name: str, rows: list[dict[str, Any]], title: str, subtitle: str, note: str, domain: tuple[float, float],
    unit: str, half: bool,
) -> Figure:  # fmt: skip
    ordered = sorted(rows, key=lambda row: (not row["all"], -row["n"]))

    def draw(width: int) -> Any:
        most = _NARROW_ROWS if width <= theme.NARROW else _MOST_ROWS
        shown = sorted(ordered[:most], key=lambda row: (not row["all"], -row["value"]))
        return charts.interval_dots(shown, title=title, subtitle=subtitle, domain=domain, unit=unit, width=width)

    less = f" The {_MOST_ROWS} with most answers; the CSV holds all." if len(rows) > _MOST_ROWS else ""
    return Figure(name, draw, ordered, f"{title}. {subtitle}", f"{note.rstrip('.')}.{less}", half=half)


# ------------------------------------------------------------ topics and needs


def _topics(found: Themes) -> Table:
    columns = (
        Column("name", "Topic", note="quote"),
        Column("people", "People", "count", "Who wrote a text that is mostly about it."),

        Column("unhappy", "Unhappy", "bar", "Of the people whose mood about it is known, by their score or else by their words."),
        Column("range", "95 %", "figure", "The interval of the share that is unhappy."),
        Column("known", "n", "count", "People whose mood about it is known."),
    )  # fmt: skip
    note = " ".join((f"Words that go together, in {found.where}.", *found.notes()))
    return Table("feedback-topics", columns, [_theme(theme) for theme in found.themes], "No topic was found.", note)


def _theme(found: Theme) -> dict[str, Any]:
    told = found.known > 0
    return {
        "name": found.name, "quote": f"“{found.quotes[0]}”" if found.quotes else "", "people": found.people,
        "unhappy": found.unhappy.value if told else None,
        "range": Shown(_ends(found.unhappy), found.unhappy.low) if told else None, "known": found.known,
    }  # fmt: skip


def _needs(facts: Facts, found: Themes) -> Iterator[Any]:
    unmet = [need for need in found.needs.needs if need.unmet]
    if unmet:
        yield _missed(facts, unmet)
    else:
        yield "No need is shown to be missed in one segment more than elsewhere."
    if found.needs.too_small:
        names = _names(facts)
        listed = w.listed([names.get(slug, slug) for slug in found.needs.too_small])
        yield f"Too few unhappy people to tell: {listed}."


def _missed(facts: Facts, unmet: Sequence[Need]) -> Table:
    names = _names(facts)
    columns = (
        Column("topic", "Need"),
        Column("segment", "Segment"),
        Column("share", "Of its unhappy", "bar", "Of the segment's unhappy people, the share that writes of it."),
        Column("people", "People", "count"),
        Column("others", "Of all others", "share", "Of all other people who wrote, the share that writes of it."),
        Column("times", "Against others", "figure", "How many times as common, with its 95 % interval."),
    )
    rows = [
        {"topic": n.topic, "segment": names.get(n.segment, n.segment), "share": n.people / n.of, "people": n.people,
         "others": n.others / n.of_others, "times": Shown(f"{w.ratio(n.lift.value)} × ({w.ratio(n.lift.low)} to "
                                                          f"{w.ratio(n.lift.high)})", n.lift.value)}
        for n in unmet
    ]  # fmt: skip
    note = "Topics that a segment's unhappy people write about more than everyone else, corrected for all pairs."
    more = f" {len(rows) - _MOST_NEEDS} more: shoal feedback topics" if len(rows) > _MOST_NEEDS else ""
    return Table("feedback-needs", columns, rows[:_MOST_NEEDS], note=note + more)


def _points(value: float) -> str:
    return f"{value:+.0f}".replace("-", "−")


def _ends(estimate: Iterable[float]) -> str:
    _, low, high = estimate
    return f"{w.share(low)} to {w.share(high)}"
