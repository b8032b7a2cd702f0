"""Random well-typed definitions over the whole language, in wire form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from .vocabulary import (
    DURATIONS,
    EVENT_WEIGHTS,
    EVENTS,
    LISTS,
    LISTS_OF_TEXT,
    PATTERNS,
    PIECES,
    PURPOSES,
    TRAITS,
    Setting,
    Wire,
    duration,
    literal,
    node,
)
from .wire import EPOCH, MICROSECOND

ORDERED = ("=", "!=", "<", "<=", ">", ">=")
SCALARS = ("text", "number", "yes/no", "date", "instant")
OF_TYPES = {
    "sum": ("number",),
    "avg": ("number",),
    "min": ("number", "date", "instant"),
    "max": ("number", "date", "instant"),
    "first": SCALARS,
    "last": SCALARS,
    "most frequent": SCALARS,
    "distinct": (*SCALARS, "list of text"),
}
RARE = ("Email Opened", "App Opened", "Video Started", "Video Ended", "Star*")
HISTORIC = ("s00", "s01")
"""The segments whose history is recorded."""
COUNTS = ("0", "1", "2", "3", "4", "6")


def traits_of(*kinds: str) -> list[str]:
    """The names of the traits of some types."""
    return [name for name, kind in TRAITS.items() if kind in kinds]


def properties_of(event: str, *kinds: str) -> list[str]:
    """The names of an event's properties of some types."""
    return [name for name, kind in EVENTS[event].items() if kind in kinds]


@dataclass
class Conditions:
    """Draws conditions; ``segments`` are the slugs that ``member of`` may name."""

    r: Random
    setting: Setting
    segments: list[str] = field(default_factory=list)

    # ------------------------------------------------------------ literals and windows

    def known(self, name: str, kind: Any) -> Any:
        """One of the known values of a trait or property."""
        return self.r.choice([v for v in self.setting.values(name, kind) if v is not None])

    def literal_for(self, name: str, kind: Any) -> Wire:
        """A literal to hold a value against; an instant may stand against a date."""
        if kind == "instant" and self.r.random() < 0.5:
            return literal(self.r.choice(self.setting.dates))
        return literal(self.known(name, kind))

    def duration(self) -> Wire:
        """Some length."""
        return duration(*self.r.choice(DURATIONS))

    def day_or_instant(self) -> Wire:
        """A literal that bounds a window."""
        if self.r.random() < 0.5:
            return literal(self.r.choice(self.setting.dates[:-1]))
        return literal(EPOCH + self.r.choice(self.setting.anchors) * MICROSECOND)

    def window(self) -> Wire:
        """A window over the past."""
        kind = self.r.choices(("last", "before last", "since", "period", "this", "last calendar"), (8, 3, 2, 3, 3, 3))[
            0
        ]
        if kind == "last":
            return node(kind, length=self.duration())
        if kind == "before last":
            return node(kind, length=self.duration(), before=self.duration())
        if kind == "since":
            return node(kind, start=self.day_or_instant())
        if kind == "period":
            return self.period()
        unit = self.r.choice(("day", "week", "month", "quarter", "year"))
        if kind == "this":
            return node(kind, unit=unit)
        return node(kind, amount=self.r.choice((1, 1, 2, 3)), unit=unit)

    def period(self) -> Wire:
        """A window between two days or instants, at times the wrong way round."""
        ends = sorted((self.day_or_instant() for _ in range(2)), key=lambda end: end["value"])
        if self.r.random() < 0.1:
            ends.reverse()
        return node("period", start=ends[0], end=ends[1])

    def maybe_window(self) -> Wire | None:
        """A window, or none."""
        return self.window() if self.r.random() < 0.7 else None

    # ------------------------------------------------------------ comparisons of a value

    def compared(self, value: Wire, name: str, kind: str) -> Wire:
        """A comparison of a value of a type with literals: one of all that the type allows."""
        ways: list[Callable[[Wire, str, str], Wire]] = [self.plain, self.plain, self.among, self.asked]
        if kind in ("number", "date", "instant", "text"):
            ways.append(self.between)
        if kind == "text":
            ways += [self.matched] * 4
        return self.r.choice(ways)(value, name, kind)

    def plain(self, value: Wire, name: str, kind: str) -> Wire:
        """``value op literal``."""
        ops = ("=", "!=") if kind == "yes/no" else ORDERED
        return node("compare", left=value, op=self.r.choice(ops), right=self.literal_for(name, kind))

    def among(self, value: Wire, name: str, kind: str) -> Wire:
        """``value in (…)``."""
        options = [self.literal_for(name, kind) for _ in range(self.r.choice((1, 2, 3, 4)))]
        return node("in", value=value, options=options, negated=self.r.random() < 0.5)

    def asked(self, value: Wire, name: str, kind: str) -> Wire:
        """``value is known``."""
        return node("known", value=value, known=self.r.random() < 0.5)

    def between(self, value: Wire, name: str, kind: str) -> Wire:
        """``value between low and high``, at times the wrong way round."""
        low, high = sorted((self.known(name, kind) for _ in range(2)), reverse=self.r.random() < 0.15)
        return node("between", value=value, low=literal(low), high=literal(high))

    def matched(self, value: Wire, name: str, kind: str) -> Wire:
        """``value contains …`` and its kin over text."""
        op = self.r.choice(("contains", "starts with", "ends with", "matches"))
        if op == "matches":
            wanted = self.r.choice(PATTERNS)
        elif self.r.random() < 0.25:
            wanted = self.r.choice(PIECES)
        else:
            text, n = self.known(name, kind), self.r.choice((1, 1, 3))
            wanted = text[-n:] if op == "ends with" else text[:n]
            wanted = wanted.swapcase() if self.r.random() < 0.2 else wanted
        return node("match", value=value, op=op, operands=[literal(wanted)], ignoring_case=self.r.random() < 0.5)

    def list_matched(self, value: Wire, name: str) -> Wire:
        """What may be asked of a list of text."""
        op = self.r.choice(("contains", "contains any of", "contains all of", "contains all of", "known"))
        if op == "known":
            return self.asked(value, name, "list of text")
        pieces = sorted({x for v in LISTS_OF_TEXT[name] if v for x in v})
        operands = [literal(p) for p in self.r.sample(pieces, 1 if op == "contains" else self.r.choice((1, 2)))]
        return node("match", value=value, op=op, operands=operands, ignoring_case=self.r.random() < 0.4)

    # ------------------------------------------------------------ events and filters

    def event_name(self, among: Iterable[str] = EVENTS) -> str:
        """The name of an event type, the frequent ones more often."""
        names = list(among)
        return self.r.choices(names, [EVENT_WEIGHTS[name] for name in names])[0]

    def events(self, name: str | None = None, newest: bool = False, filtered: float = 0.4) -> Wire:
        """Which events: mostly one name, at times every name with a beginning; some are filtered."""
        name = name or self.event_name()
        written = name.replace("*", "\\*")
        if name.startswith("Video") and self.r.random() < 0.5:
            written = "Video *"
        where = self.filter(name, 2) if EVENTS[name] and self.r.random() < filtered else None
        few = self.r.choice((1, 2, 3)) if newest and self.r.random() < 0.2 else None
        of_account = True if self.r.random() < 0.12 else None
        return node("events", name=written, where=where, newest=few, of_account=of_account)

    def filter(self, name: str, depth: int) -> Wire:
        """A condition about one event."""
        if depth and self.r.random() < 0.25:
            return self.combined(lambda: self.filter(name, depth - 1))
        if self.r.random() < 0.15:
            return self.local_time()
        p = self.r.choice(list(EVENTS[name]))
        kind = EVENTS[name][p]
        if isinstance(kind, dict):
            return node("any", items=p, where=self.item_filter(kind, 1))
        value = node("property", name=p)
        if kind == "list of text":
            return self.list_matched(value, p)
        same = [t for t in traits_of(kind) if t != "account_id"] if kind in SCALARS else []
        if same and self.r.random() < 0.25:
            ops = ("=", "!=") if kind == "yes/no" else ORDERED
            return node("compare", left=value, op=self.r.choice(ops), right=node("trait", name=self.r.choice(same)))
        return self.compared(value, p, kind)

    def item_filter(self, fields: dict[str, str], depth: int) -> Wire:
        """A condition about one item of an event."""
        if depth and self.r.random() < 0.4:
            return self.combined(lambda: self.item_filter(fields, depth - 1))
        name = self.r.choice(list(fields))
        return self.compared(node("property", name=name), name, fields[name])

    def local_time(self) -> Wire:
        """A condition on the event's local time."""
        part = self.r.choice(("hour", "weekday", "date"))
        value = node("local", part=part)
        if part == "hour":
            return node(
                "compare", left=value, op=self.r.choice(ORDERED), right=literal(self.r.choice((0, 1, 6, 12, 18, 23)))
            )
        if part == "date":
            return node(
                "compare", left=value, op=self.r.choice(ORDERED), right=literal(self.r.choice(self.setting.dates))
            )
        days = self.r.sample(("Monday", "Wednesday", "Friday", "Saturday", "Sunday"), 3)
        return node("in", value=value, options=[literal(d) for d in days], negated=self.r.random() < 0.5)

    def combined(self, part: Callable[[], Wire]) -> Wire:
        """``and``, ``or`` or ``not``."""
        kind = self.r.choice(("and", "or", "not"))
        if kind == "not":
            return node(kind, part=part())
        parts = [part() for _ in range(self.r.choice((2, 2, 3)))]
        return node(kind, parts=[node("not", part=p) if self.r.random() < 0.35 else p for p in parts])

    # ------------------------------------------------------------ conditions of events

    def did(self) -> Wire:
        """``did A at least n times in W``."""
        op = self.r.choice((None, "at least", "at most", "exactly"))
        times = (
            None
            if op is None
            else node("times", op=op, n=self.r.choice((0, 1, 2, 3)) or (1 if op == "at least" else 0))
        )
        return node("did", events=self.events(), times=times, window=self.maybe_window())

    def sequence(self) -> Wire:
        """``did A then B …``."""
        names = [self.step_name()]
        steps: list[Wire] = []
        for _ in range(self.r.choice((1, 1, 1, 2))):
            names.append(self.step_name())
            absent = self.r.random() < 0.35
            steps.append(self.step(names[-2], names[-1], absent))
            if absent:
                break
        window = self.window() if self.r.random() < 0.5 else None
        return node("sequence", first=self.events(names[0], filtered=0.15), steps=steps, window=window)

    def unanswered(self) -> Wire:
        """``did A then not B within W``, with nothing that hides it."""
        first, answer = (self.events(self.event_name(), filtered=0.1) for _ in range(2))
        step = node("step", events=answer, within=self.duration(), absent=True)
        return node("sequence", first=first, steps=[step])

    def step_name(self) -> str:
        """The name of a step: mostly of the two event types that share a property."""
        return self.r.choice(("Order Completed", "Product Viewed", "Product Viewed", self.event_name()))

    def step(self, before: str, name: str, absent: bool) -> Wire:
        """One later step."""
        shared = [p for p in EVENTS[before] if p in EVENTS[name] and isinstance(EVENTS[name][p], str)]
        shared = [p for p in shared if EVENTS[name][p] != "list of text"]
        same = [self.r.choice(shared)] if shared and self.r.random() < 0.6 else None
        lengths = DURATIONS if absent else DURATIONS[3:]
        within = duration(*self.r.choice(lengths)) if absent or self.r.random() < 0.6 else None
        without = None
        if not absent and self.r.random() < 0.35:
            without = self.events(self.r.choice(("Order Completed", "Product Viewed", *RARE)), filtered=0.1)
        events = self.events(name, filtered=0.1)
        return node("step", events=events, within=within, absent=absent or None, without=without, same=same)

    def not_after(self) -> Wire:
        """``did A not after B within W``."""
        events, before = self.events(self.r.choice(RARE), filtered=0.2), self.events(filtered=0.2)
        return node("not after", events=events, before=before, within=self.duration(), window=self.maybe_window())

    def did_first(self) -> Wire:
        """``did first A in W``."""
        return node("did first", events=self.events(self.r.choice(RARE)), window=self.window())

    def regularly(self) -> Wire:
        """``did A at least n times in k of last m periods of W``."""
        m = self.r.choice((2, 3, 4))
        return node(
            "regularly",
            events=self.events(filtered=0.2),
            times=self.r.choice((1, 1, 2)),
            periods=self.r.randint(1, m),
            of_last=m,
            length=self.duration(),
        )

    # ------------------------------------------------------------ values

    def aggregate(self, fn: str | None = None) -> tuple[Wire, str, str]:
        """An aggregate, with the name and the type of its answers; ``count`` stands for small counts."""
        fn = fn or self.r.choice(("count", "active days", "active days", *OF_TYPES, "first", "last", "most frequent"))
        name, of, kind = self.event_name(), None, "count"
        while fn not in ("count", "active days"):
            kinds = {
                "sum": ("number",),
                "avg": ("number",),
                "min": SCALARS[1:2] + SCALARS[3:],
                "max": SCALARS[1:2] + SCALARS[3:],
            }
            fits = properties_of(name, *kinds.get(fn, (*SCALARS, "list of text") if fn == "distinct" else SCALARS))
            if fits:
                of = self.r.choice(fits)
                if fn == "distinct" and self.r.random() < 0.4:
                    of = next((p for p in fits if EVENTS[name][p] == "list of text"), of)
                kind = "count" if fn == "distinct" else EVENTS[name][of]
                break
            name = self.event_name()
        wire = node("aggregate", fn=fn, events=self.events(name, newest=True), of=of, window=self.maybe_window())
        return wire, of or "", kind

    def numeric(self) -> tuple[Wire, list[str]]:
        """A number that may depend on time, with some numbers to hold it against."""
        way = self.r.choice(("trait", "aggregate", "aggregate", "event", "since", "until"))
        if way == "trait":
            name = self.r.choice(traits_of("number"))
            return node("trait", name=name), ["10", "30", "30.5"]
        if way == "event":
            which = self.r.choice(("first", "last"))
            return node("days since event", which=which, events=self.events()), ["0", "1", "3", "5.25", "10"]
        if way in ("since", "until"):
            trait = node("trait", name=self.r.choice(traits_of("date", "instant")))
            return node(f"days {way}", trait=trait), ["-7.5", "-2", "0", "2", "7", "14"]
        wire, _, kind = self.aggregate(self.r.choice(("count", "sum", "avg", "min", "max", "distinct", "active days")))
        if kind == "count":
            return wire, list(COUNTS)
        if kind == "number":
            return wire, ["0", "5", "10", "15.5", "20"]
        return self.numeric()

    def arithmetic(self) -> tuple[Wire, list[str]]:
        """A number worked out of others: at most one factor of a product depends on time, ÷ of two aggregates apart."""
        left, numbers = self.numeric()
        op = self.r.choice(("+", "-", "*", "/", "ratio", "negative", "negative"))
        if op == "negative":
            return node("negative", value=left), [n.removeprefix("-") if n[0] == "-" else f"-{n}" for n in numbers]
        if op == "ratio":
            top, _, _ = self.aggregate(self.r.choice(("count", "sum", "distinct")))
            bottom, _, _ = self.aggregate(self.r.choice(("count", "sum", "avg")))
            return node("arithmetic", left=top, op="/", right=bottom), ["0", "0.5", "1", "2", "5"]
        if op in "+-":
            right, _ = self.numeric()
            return node("arithmetic", left=left, op=op, right=right), numbers
        factor = node("number", value=self.r.choice(("0", "0.5", "2", "-1", "3")))
        if self.r.random() < 0.3:
            left, factor = factor, left
        return node("arithmetic", left=left, op=op, right=factor), [*numbers, "0.5", "60"]

    # ------------------------------------------------------------ leaves

    def of_trait(self) -> Wire:
        """A comparison of a trait with literals."""
        name = self.r.choice([n for n in TRAITS if TRAITS[n] != "geo point"])
        if TRAITS[name] == "list of text":
            return self.list_matched(node("trait", name=name), name)
        return self.compared(node("trait", name=name), name, TRAITS[name])

    def of_instant(self) -> Wire:
        """An instant against a day, which speaks of the whole of it."""
        found = node("trait", name="renewal")
        if self.r.random() < 0.4:
            fn = self.r.choice(("min", "max", "last"))
            events, window = self.events("Order Completed"), self.maybe_window()
            found = node("aggregate", fn=fn, events=events, of="paid_at", window=window)
        return node("compare", left=found, op=self.r.choice(ORDERED), right=literal(self.r.choice(self.setting.dates)))

    def of_text(self) -> Wire:
        """A match of a text trait."""
        name = self.r.choice(("country", "plan", "plan", "account.industry"))
        return self.matched(node("trait", name=name), name, "text")

    def of_texts(self) -> Wire:
        """A match of a trait that is a list of text."""
        return self.list_matched(node("trait", name="interests"), "interests")

    def of_two_traits(self) -> Wire:
        """A comparison of two traits of a type."""
        kind = self.r.choice(("text", "number", "date"))
        left, right = self.r.sample(traits_of(kind), 2)
        return node(
            "compare", left=node("trait", name=left), op=self.r.choice(ORDERED), right=node("trait", name=right)
        )

    def of_aggregate(self) -> Wire:
        """A comparison of an aggregate with literals."""
        wire, name, kind = self.aggregate()
        if kind == "count":
            return self.counted(wire, list(COUNTS))
        return self.compared(wire, name, kind)

    def counted(self, value: Wire, numbers: list[str]) -> Wire:
        """A comparison of a number with some numbers."""
        if self.r.random() < 0.15:
            low, high = (node("number", value=self.r.choice(numbers)) for _ in range(2))
            return node("between", value=value, low=low, high=high)
        if self.r.random() < 0.1:
            return node("known", value=value, known=self.r.random() < 0.5)
        right = node("number", value=self.r.choice(numbers))
        if self.r.random() < 0.1:
            return node("compare", left=right, op=self.r.choice(ORDERED), right=value)
        return node("compare", left=value, op=self.r.choice(ORDERED), right=right)

    def of_count(self) -> Wire:
        """A comparison of a count with a small number."""
        wire, _, _ = self.aggregate("count")
        op = self.r.choice(ORDERED)
        return node("compare", left=wire, op=op, right=node("number", value=self.r.choice(("0", "1", "1", "2"))))

    def of_number(self) -> Wire:
        """A comparison of a number with literals."""
        return self.counted(*self.numeric())

    def of_arithmetic(self) -> Wire:
        """A comparison of worked-out numbers."""
        value, numbers = self.arithmetic()
        if self.r.random() < 0.3 and value.get("op") not in ("*", "/"):  # more would need over 38 digits
            return node("compare", left=value, op=self.r.choice(ORDERED), right=self.numeric()[0])
        return self.counted(value, numbers)

    def of_two_aggregates(self) -> Wire:
        """Two aggregates held against each other."""
        fn = self.r.choice(("count", "sum", "avg", "distinct"))
        left, _, _ = self.aggregate(fn)
        right, _, _ = self.aggregate(fn)
        return node("compare", left=left, op=self.r.choice(ORDERED), right=right)

    def when(self) -> Wire:
        """A date or instant trait in a window."""
        window = self.window() if self.r.random() < 0.8 else node("last", length=duration(3, "week"))
        way = self.r.random()
        if way < 0.35:
            window = node("next", length=duration(*self.r.choice(DURATIONS[6:])))
        elif way < 0.55:
            window = self.period()
        rare = () if window["node"] == "next" else ("birthday", "account.since")
        name = self.r.choice(("renewal", "renewal", "signed_up", "signed_up", *rare))
        return node("when", trait=node("trait", name=name), window=window)

    def anniversary(self) -> Wire:
        """``anniversary of birthday in next N days``."""
        name = self.r.choice(("birthday", "birthday", "birthday", "signed_up", "renewal"))
        return node("anniversary", trait=node("trait", name=name), days=self.r.choice((1, 3, 7, 10, 30, 366)))

    def distance(self) -> Wire:
        """``distance of location to (…) < R``."""
        latitude, longitude = self.r.choice(
            (("-1.2864", "36.8172"), ("51.5", "0"), ("-1.2921", "36.8219"), ("0", "-179.9"))
        )
        radius, unit = self.r.choice((("1", "km"), ("500", "m"), ("10", "mi"), ("7000", "km"), ("0.5", "mi")))
        return node(
            "distance",
            trait=node("trait", name="location"),
            latitude=latitude,
            longitude=longitude,
            op=self.r.choice(("<", "<=", ">", ">=")),
            radius=radius,
            unit=unit,
        )

    def bucket(self) -> Wire:
        """``bucket "salt" < share``."""
        share = node("number", value=self.r.choice(("0.3", "0.5", "0.7")))
        return node(
            "compare", left=node("bucket", salt=self.r.choice(("", "spring", "ü"))), op=self.r.choice("<>"), right=share
        )

    def held(self) -> Wire:
        """``held C for W``."""
        name = self.r.choice([n for n in TRAITS if TRAITS[n] != "geo point"])
        value, kind = node("trait", name=name), TRAITS[name]
        condition = self.list_matched(value, name) if kind == "list of text" else self.compared(value, name, kind)
        if self.r.random() < 0.35:
            condition = node("known", value=value, known=False)
        return node("held", condition=condition, length=self.duration())

    def changed(self) -> Wire:
        """``changed T from a to b in W``."""
        name = self.r.choice(("plan", "plan", "country", "subscribed", "age", "clv", "signed_up", "account.employees"))
        before, after = (literal(self.known(name, TRAITS[name])) if self.r.random() < 0.35 else None for _ in range(2))
        return node("changed", trait=node("trait", name=name), before=before, after=after, window=self.maybe_window())

    def rankable(self) -> Wire:
        """The left side of a rank: a numeric trait or a windowed aggregate."""
        if self.r.random() < 0.5:
            return node("trait", name=self.r.choice(("clv", "age")))
        wire, _, kind = self.aggregate(self.r.choice(("count", "sum", "avg", "max", "distinct")))
        if kind not in ("count", "number"):
            return self.rankable()
        return wire

    def ranked(self) -> Wire:
        """``clv in top 10%``."""
        percent = self.r.choice(("10", "25", "33.3", "50", "100"))
        return node("ranked", value=self.rankable(), end=self.r.choice(("top", "bottom")), percent=percent)

    def percentile(self) -> Wire:
        """``clv between percentile 20 and 40``."""
        low, high = self.r.choice((("0.5", "50"), ("20", "80"), ("50", "100"), ("0", "66.6")))
        return node("percentile", value=self.rankable(), low=low, high=high)

    def member_of(self) -> Wire:
        """``member of S``; where there is no S yet, a list."""
        if not self.segments:
            return self.listed_in()
        return node("member of", segment=self.r.choice(self.segments))

    def listed_in(self) -> Wire:
        """``listed in L``."""
        return node("listed in", name=self.r.choice(LISTS))

    def recorded(self) -> Wire:
        """``entered S in W`` or ``left S in W``."""
        slug = self.r.choice(HISTORIC)
        if slug not in self.segments:
            return self.listed_in()
        return node(self.r.choice(("entered", "left")), segment=slug, window=self.maybe_window())

    def consents_to(self) -> Wire:
        """``consents to P``."""
        return node("consents to", purpose=self.r.choice(list(PURPOSES)))

    def leaves(self) -> list[Callable[[], Wire]]:
        """Every way to draw a leaf; a batch goes through all of them."""
        many = {
            4: (self.of_aggregate, self.sequence),
            3: (self.of_arithmetic, self.did),
            2: (
                self.of_count,
                self.of_instant,
                self.of_trait,
                self.of_text,
                self.of_texts,
                self.of_number,
                self.when,
                self.held,
                self.changed,
            ),
        }
        one = (
            self.recorded,
            self.not_after,
            self.of_two_traits,
            self.of_two_aggregates,
            self.anniversary,
            self.anniversary,
            self.distance,
            self.unanswered,
        )
        other = (self.bucket, self.ranked, self.percentile, self.member_of, self.listed_in, self.consents_to)
        events = (self.recorded, self.not_after, self.did_first, self.regularly)
        return [way for n, ways in many.items() for way in ways for _ in range(n)] + [*one, *other, *events]

    def tree(self, depth: int = 2) -> Wire:
        """A condition of several leaves."""
        if depth == 0 or self.r.random() < 0.3:
            return self.r.choice(self.leaves())()
        return self.combined(lambda: self.tree(depth - 1))
