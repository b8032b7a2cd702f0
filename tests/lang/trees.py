"""Random trees of the segment language: every kind of node, in every place where the grammar allows it."""

from __future__ import annotations

import string
from typing import Any, get_args

from hypothesis import strategies as st

from shoal.lang import nodes as n
from shoal.lang.lex import FUNCTIONS, LOCAL_TIME, MOST_NUMBER, RESERVED


def opaque(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The same values under a short name; Hypothesis would spell out the whole grammar wherever it names a strategy."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Any:
        return draw(strategy)

    return drawn()


_CHARACTERS = st.characters(exclude_categories=["Cs"])
_WORDS = [*RESERVED, *FUNCTIONS, *LOCAL_TIME, "days", "active", "a``b", "`", "//", "a b", "Größe", "ä\n", "\x85"]

bare_names = st.from_regex(r"[a-z_][a-zA-Z0-9_]{0,6}(\.[a-z_][a-z0-9]{0,3}){0,2}", fullmatch=True)
_names = st.one_of(bare_names, bare_names, st.sampled_from(_WORDS), st.text(_CHARACTERS, min_size=1, max_size=6))
names = opaque(_names)
_texts = st.one_of(
    st.text(string.ascii_letters + " -", max_size=8),
    st.text(_CHARACTERS, max_size=8),
    st.sampled_from(["// no comment", '"', "\\", "\n", "Video *", "a\\*", "\u2028", "\x7f", "\U000e0001"]),
)
texts = opaque(_texts)
lengths = st.one_of(st.integers(1, 3), st.integers(1, 1000))
counts = st.one_of(st.integers(0, 3), st.integers(0, 10**6))

# ---------------------------------------------------------------- literals and windows

numbers = st.one_of(
    st.integers(-5, 5).map(lambda i: i * n.MICRO), st.integers(-MOST_NUMBER, MOST_NUMBER), st.integers(-999, 999)
).map(n.Number)
text_literals = texts.map(n.Text)
dates = st.integers(-719_162, 2_932_896).map(n.Date)
instants = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999).map(n.Instant)
moments = st.one_of(dates, instants)
_literals = st.one_of(numbers, text_literals, st.booleans().map(n.YesNo), dates, instants)
literals: st.SearchStrategy[Any] = opaque(_literals)
durations = st.builds(n.Duration, lengths, st.sampled_from(get_args(n.SlidingUnit)))
units = st.sampled_from(get_args(n.CalendarUnit))

_event_windows: st.SearchStrategy[Any] = st.one_of(
    durations.map(n.Last),
    st.builds(n.BeforeLast, durations, durations),
    moments.map(n.Since),
    st.builds(n.Period, moments, moments),
    units.map(n.This),
    st.builds(n.LastCalendar, lengths, units),
)
event_windows = opaque(_event_windows)
trait_windows: st.SearchStrategy[Any] = st.booleans().flatmap(
    lambda ahead: durations.map(n.Next) if ahead else event_windows
)
maybe_window = st.none() | event_windows

# ---------------------------------------------------------------- comparisons

OPS = st.sampled_from(get_args(n.CompareOp))
_ONE_TEXT = st.sampled_from(("contains", "starts with", "ends with", "matches"))
_SOME_TEXTS = st.sampled_from(("contains any of", "contains all of"))


def comparisons(left: st.SearchStrategy[Any], right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Comparisons of one value with others."""
    return st.one_of(
        st.builds(n.Compare, left, OPS, right),
        st.builds(n.Between, left, right, right),
        st.builds(n.In, left, st.lists(literals, min_size=1, max_size=3).map(tuple), st.booleans()),
        st.builds(n.Match, left, _ONE_TEXT, st.tuples(text_literals), st.booleans()),
        st.builds(
            n.Match, left, _SOME_TEXTS, st.lists(text_literals, min_size=1, max_size=3).map(tuple), st.booleans()
        ),
        st.builds(n.Known, left, st.booleans()),
    )


def joined(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """``and``, ``or``, ``not`` over conditions."""
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(several.map(n.And), several.map(n.Or), parts.map(n.Not))


def calculated(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Arithmetic over values."""
    return st.one_of(st.builds(n.Arithmetic, values, st.sampled_from("+-*/"), values), values.map(n.Negative))


# ---------------------------------------------------------------- filters and events

_properties = st.one_of(names.map(n.Property), st.sampled_from(LOCAL_TIME).map(n.LocalTime))
_left = st.recursive(_properties, calculated, max_leaves=3)
_right = st.one_of(literals, names.map(n.Trait))
_filters: st.SearchStrategy[Any] = st.recursive(
    comparisons(_left, _right), lambda inner: st.one_of(joined(inner), st.builds(n.AnyItem, names, inner)), max_leaves=4
)
filters: st.SearchStrategy[Any] = opaque(_filters)
_events = st.builds(
    n.Events, texts, st.none() | filters, st.none() | st.integers(1, 50), st.sampled_from((False, False, True))
)
events: st.SearchStrategy[Any] = opaque(_events)

# ---------------------------------------------------------------- values

traits = names.map(n.Trait)
_OF_EVENTS = ("count", "active days")
_OF_PROPERTIES = tuple(fn for fn in get_args(n.AggregateFn) if fn not in _OF_EVENTS)
_aggregates = st.one_of(
    st.builds(n.Aggregate, st.sampled_from(_OF_EVENTS), events, st.none(), maybe_window),
    st.builds(n.Aggregate, st.sampled_from(_OF_PROPERTIES), events, names, maybe_window),
)
aggregates = opaque(_aggregates)
plain_values: st.SearchStrategy[Any] = st.one_of(
    traits,
    traits,
    literals,
    aggregates,
    st.builds(n.DaysSinceEvent, st.sampled_from(("first", "last")), events),
    traits.map(n.DaysSince),
    traits.map(n.DaysUntil),
    texts.map(n.Bucket),
)
_values: st.SearchStrategy[Any] = st.recursive(plain_values, calculated, max_leaves=4)
values: st.SearchStrategy[Any] = opaque(_values)

# ---------------------------------------------------------------- conditions

_shares = st.integers(1, 100 * n.MICRO)
_percentiles = st.integers(0, 100 * n.MICRO)
_ranked = st.one_of(traits, aggregates)
_times = st.builds(n.Times, st.sampled_from(("at least", "at most", "exactly")), counts)
_same = st.lists(names, max_size=2).map(tuple)
_steps = st.builds(n.Step, events, st.none() | durations, st.just(False), st.none() | events, _same)
_absences = st.builds(n.Step, events, durations, st.just(True), st.none(), _same)
_chains = st.one_of(
    st.lists(_steps, min_size=1, max_size=3),
    st.builds(lambda steps, last: [*steps, last], st.lists(_steps, max_size=2), _absences),
).map(tuple)
_periods = st.integers(1, 9).flatmap(lambda most: st.tuples(st.integers(1, most), st.just(most)))


def _regularly(event: n.Events, times: int, periods: tuple[int, int], length: n.Duration) -> n.Regularly:
    return n.Regularly(event, times, *periods, length)


def _distances() -> st.SearchStrategy[Any]:
    return st.builds(
        n.Distance,
        traits,
        st.integers(-90 * n.MICRO, 90 * n.MICRO),
        st.integers(-180 * n.MICRO, 180 * n.MICRO),
        st.sampled_from(("<", "<=", ">", ">=")),
        st.integers(0, MOST_NUMBER),
        st.sampled_from(("m", "km", "mi")),
    )


_LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "comparison": comparisons(values, values),
    "when": st.builds(n.When, traits, trait_windows),
    "anniversary": st.builds(n.Anniversary, traits, st.integers(1, 366)),
    "distance": _distances(),
    "did": st.builds(n.Did, events, st.none() | _times, maybe_window),
    "sequence": st.builds(n.Sequence, events, _chains, maybe_window),
    "not after": st.builds(n.NotAfter, events, events, durations, maybe_window),
    "did first": st.builds(n.DidFirst, events, event_windows),
    "regularly": st.builds(_regularly, events, st.integers(1, 9), _periods, durations),
    "held": st.builds(n.Held, comparisons(traits, literals), durations),
    "changed": st.builds(n.Changed, traits, st.none() | literals, st.none() | literals, maybe_window),
    "ranked": st.builds(n.Ranked, _ranked, st.sampled_from(("top", "bottom")), _shares),
    "percentile": st.builds(n.Percentile, _ranked, _percentiles, _percentiles),
    "member of": texts.map(n.MemberOf),
    "listed in": texts.map(n.ListedIn),
    "entered": st.builds(n.Entered, texts, maybe_window),
    "left": st.builds(n.Left, texts, maybe_window),
    "consents to": texts.map(n.Consents),
}
_leaves = st.one_of(*_LEAVES.values())
leaves: st.SearchStrategy[Any] = opaque(_leaves)
_conditions: st.SearchStrategy[Any] = st.recursive(leaves, joined, max_leaves=6)
conditions: st.SearchStrategy[Any] = opaque(_conditions)

slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,10}", fullmatch=True)
_lines = st.text(_CHARACTERS, max_size=12)
_maybe_name = st.none() | _lines.filter(bool)
definitions = st.builds(
    n.Definition,
    slug=slugs,
    name=_lines.filter(lambda name: name.strip() != ""),
    where=conditions,
    why=st.one_of(_lines, st.lists(_lines, max_size=3).map("\n".join)),
    purpose=_maybe_name,
    owner=_lines,
    always=_maybe_name,
    never=_maybe_name,
    tags=st.lists(_lines, max_size=3).map(tuple),
)
