"""The syntax tree of the segment language: what every face and every engine shares.

A node is a frozen dataclass. Its ``kind`` is the name that stands in the JSON form; its fields, in order, are the rest of
that form (see ``document``). Nodes hold data only: reading, checking, showing, saying and evaluating live elsewhere.

Values answer with a number, a text, a date …; conditions answer yes or no. Comments of the text stand in ``note``, which
takes no part in equality.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

MICRO = 1_000_000
"""Numbers are integers of a millionth."""

CompareOp: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]
MatchOp: TypeAlias = Literal["contains", "starts with", "ends with", "matches", "contains any of", "contains all of"]
AggregateFn: TypeAlias = Literal[
    "count", "sum", "avg", "min", "max", "first", "last", "most frequent", "distinct", "active days"
]
SlidingUnit: TypeAlias = Literal["second", "minute", "hour", "day", "week"]
CalendarUnit: TypeAlias = Literal["day", "week", "month", "quarter", "year"]

UNIT_MICROSECONDS: dict[str, int] = {
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 604_800_000_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What all nodes have: a kind, a place in the text and the comment that stood beside them."""

    kind: ClassVar[str] = ""
    note: str | None = field(default=None, compare=False)
    span: tuple[int, int] | None = field(default=None, compare=False, repr=False)


# ---------------------------------------------------------------- literals


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A number in millionths: ``0.5`` is ``Number(500_000)``."""

    kind: ClassVar[str] = "number"
    micro: int


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A text literal."""

    kind: ClassVar[str] = "text"
    value: str


@dataclass(frozen=True, slots=True)
class YesNo(Node):
    """``yes`` or ``no``."""

    kind: ClassVar[str] = "yesno"
    value: bool


@dataclass(frozen=True, slots=True)
class Date(Node):
    """A date, as ``2017-09-01``, in days since 1970-01-01."""

    kind: ClassVar[str] = "date"
    days: int


@dataclass(frozen=True, slots=True)
class Instant(Node):
    """An instant with its zone, in microseconds since 1970 UTC."""

    kind: ClassVar[str] = "instant"
    micros: int


Literal_: TypeAlias = Number | Text | YesNo | Date | Instant


@dataclass(frozen=True, slots=True)
class Duration(Node):
    """A whole number of a sliding unit: 24-hour days and 7-day weeks."""

    kind: ClassVar[str] = "duration"
    amount: int
    unit: SlidingUnit

    @property
    def micros(self) -> int:
        """Its length in microseconds."""
        return self.amount * UNIT_MICROSECONDS[self.unit]


# ---------------------------------------------------------------- windows


@dataclass(frozen=True, slots=True)
class Last(Node):
    """``in last W``: t − W < ts ≤ t."""

    kind: ClassVar[str] = "last"
    length: Duration


@dataclass(frozen=True, slots=True)
class BeforeLast(Node):
    """``in W before last V``: t − V − W < ts ≤ t − V."""

    kind: ClassVar[str] = "before last"
    length: Duration
    before: Duration


@dataclass(frozen=True, slots=True)
class Since(Node):
    """``since D``: D ≤ ts ≤ t."""

    kind: ClassVar[str] = "since"
    start: Date | Instant


@dataclass(frozen=True, slots=True)
class Period(Node):
    """``between D and E``: D ≤ ts < E, and ts ≤ t."""

    kind: ClassVar[str] = "period"
    start: Date | Instant
    end: Date | Instant


@dataclass(frozen=True, slots=True)
class This(Node):
    """``in this month``: from the start of the current one, in the workspace's zone, to t."""

    kind: ClassVar[str] = "this"
    unit: CalendarUnit


@dataclass(frozen=True, slots=True)
class LastCalendar(Node):
    """``in last N calendar months``: the N whole ones before the current one."""

    kind: ClassVar[str] = "last calendar"
    amount: int
    unit: CalendarUnit


@dataclass(frozen=True, slots=True)
class Next(Node):
    """``in next W``, for a date or instant trait: t < value ≤ t + W."""

    kind: ClassVar[str] = "next"
    length: Duration


Window: TypeAlias = Last | BeforeLast | Since | Period | This | LastCalendar | Next


# ---------------------------------------------------------------- values


@dataclass(frozen=True, slots=True)
class Trait(Node):
    """A trait of the customer; a name that begins with ``account.`` is one of their account."""

    kind: ClassVar[str] = "trait"
    name: str


@dataclass(frozen=True, slots=True)
class Property(Node):
    """A property of the event in a filter, or of the item inside ``any p ( … )``."""

    kind: ClassVar[str] = "property"
    name: str


@dataclass(frozen=True, slots=True)
class LocalTime(Node):
    """Bare ``hour`` (0–23), ``weekday`` ("Monday" …) or ``date`` in a filter: the event's local time."""

    kind: ClassVar[str] = "local"
    part: Literal["hour", "weekday", "date"]


@dataclass(frozen=True, slots=True)
class Events(Node):
    """Which events: a name (``Video *`` for every name with that beginning), a filter, the newest few, of the account.

    In ``name`` a final unescaped ``*`` is the wildcard and ``\\*`` a star. ``newest`` picks the n newest of that name,
    then filters.
    """

    kind: ClassVar[str] = "events"
    name: str
    where: Condition | None = None
    newest: int | None = None
    of_account: bool = False


@dataclass(frozen=True, slots=True)
class Aggregate(Node):
    """``sum(revenue of "Order Completed" in last 30 days)``. ``count`` and ``active days`` have no property."""

    kind: ClassVar[str] = "aggregate"
    fn: AggregateFn
    events: Events
    of: str | None = None
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class DaysSinceEvent(Node):
    """``days since last "Order Completed"``, or ``first``: (t − ts) in days, fractions included."""

    kind: ClassVar[str] = "days since event"
    which: Literal["first", "last"]
    events: Events


@dataclass(frozen=True, slots=True)
class DaysSince(Node):
    """``days since signed_up``: (t − value) in days of a date or instant trait."""

    kind: ClassVar[str] = "days since"
    trait: Trait


@dataclass(frozen=True, slots=True)
class DaysUntil(Node):
    """``days until renewal_date``: (value − t) in days of a date or instant trait."""

    kind: ClassVar[str] = "days until"
    trait: Trait


@dataclass(frozen=True, slots=True)
class Bucket(Node):
    """``bucket "salt"``: a stable share in [0, 1) of the customer for this salt."""

    kind: ClassVar[str] = "bucket"
    salt: str


@dataclass(frozen=True, slots=True)
class Negative(Node):
    """``-x``."""

    kind: ClassVar[str] = "negative"
    value: Value


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """``left + right`` and the like, exact."""

    kind: ClassVar[str] = "arithmetic"
    left: Value
    op: Literal["+", "-", "*", "/"]
    right: Value


Value: TypeAlias = (
    Literal_
    | Trait
    | Property
    | LocalTime
    | Aggregate
    | DaysSinceEvent
    | DaysSince
    | DaysUntil
    | Bucket
    | Negative
    | Arithmetic
)


# ---------------------------------------------------------------- conditions


@dataclass(frozen=True, slots=True)
class And(Node):
    """All parts hold. Two parts or more."""

    kind: ClassVar[str] = "and"
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or(Node):
    """At least one part holds. Two parts or more."""

    kind: ClassVar[str] = "or"
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    """The part doesn't hold."""

    kind: ClassVar[str] = "not"
    part: Condition


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """``left op right``; false where either side is missing."""

    kind: ClassVar[str] = "compare"
    left: Value
    op: CompareOp
    right: Value


@dataclass(frozen=True, slots=True)
class Between(Node):
    """``value between low and high``, both ends in."""

    kind: ClassVar[str] = "between"
    value: Value
    low: Value
    high: Value


@dataclass(frozen=True, slots=True)
class In(Node):
    """``value in (…)`` or ``value not in (…)``; both false where the value is missing."""

    kind: ClassVar[str] = "in"
    value: Value
    options: tuple[Literal_, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Match(Node):
    """``name contains "x"`` and its kin, over text or a list of text.

    One operand, except ``contains any of`` and ``contains all of``, which take one or more and speak of lists.
    """

    kind: ClassVar[str] = "match"
    value: Value
    op: MatchOp
    operands: tuple[Text, ...]
    ignoring_case: bool = False


@dataclass(frozen=True, slots=True)
class Known(Node):
    """``value is known`` or ``is missing``."""

    kind: ClassVar[str] = "known"
    value: Value
    known: bool = True


@dataclass(frozen=True, slots=True)
class AnyItem(Node):
    """``any products (brand = "Acme" and price > 10)``: all inside holds for the same item."""

    kind: ClassVar[str] = "any"
    items: str
    where: Condition


@dataclass(frozen=True, slots=True)
class When(Node):
    """``signed_up in last 30 days``: a date or instant trait falls in the window."""

    kind: ClassVar[str] = "when"
    trait: Trait
    window: Window


@dataclass(frozen=True, slots=True)
class Anniversary(Node):
    """``anniversary of birthday in next N days``: D falls again on one of the N dates that begin with today."""

    kind: ClassVar[str] = "anniversary"
    trait: Trait
    days: int


@dataclass(frozen=True, slots=True)
class Distance(Node):
    """``distance of location to (lat, lon) < 10 km``. Latitude and longitude in millionths of a degree.

    ``radius`` is in millionths of ``unit``.
    """

    kind: ClassVar[str] = "distance"
    trait: Trait
    latitude: int
    longitude: int
    op: Literal["<", "<=", ">", ">="]
    radius: int
    unit: Literal["m", "km", "mi"]


@dataclass(frozen=True, slots=True)
class Times(Node):
    """``at least``, ``at most`` or ``exactly`` n times."""

    kind: ClassVar[str] = "times"
    op: Literal["at least", "at most", "exactly"]
    n: int


@dataclass(frozen=True, slots=True)
class Did(Node):
    """``did A [where …] [at least n times] [window]``; without ``times``, at least once."""

    kind: ClassVar[str] = "did"
    events: Events
    times: Times | None = None
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Step(Node):
    """One later step of a sequence.

    ``events`` is what must follow (``absent``: must not follow); ``without`` must not stand strictly between this step and
    the one before; ``same`` names the properties that are known and equal with the step before.
    """

    kind: ClassVar[str] = "step"
    events: Events
    within: Duration | None = None
    absent: bool = False
    without: Events | None = None
    same: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """``did A then B within W then not C within V in last 30 days``. The window bounds the first event."""

    kind: ClassVar[str] = "sequence"
    first: Events
    steps: tuple[Step, ...]
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class NotAfter(Node):
    """``did A not after B within W in last 30 days``: some A with no B in [ts(A) − W, ts(A))."""

    kind: ClassVar[str] = "not after"
    events: Events
    before: Events
    within: Duration
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class DidFirst(Node):
    """``did first A in last 30 days``: the earliest event that matches falls in the window.

    Only a metric may leave the window out, which is its period then.
    """

    kind: ClassVar[str] = "did first"
    events: Events
    window: Window | None


@dataclass(frozen=True, slots=True)
class Regularly(Node):
    """``did A at least n times in k of last m periods of W``."""

    kind: ClassVar[str] = "regularly"
    events: Events
    times: int
    periods: int
    of_last: int
    length: Duration


@dataclass(frozen=True, slots=True)
class Held(Node):
    """``held status = "onboarding" for 7 days``: true now, and without a break for at least that long."""

    kind: ClassVar[str] = "held"
    condition: Compare | Between | In | Match | Known
    length: Duration


@dataclass(frozen=True, slots=True)
class Changed(Node):
    """``changed plan from "free" to "pro" in last 7 days``: such a change of value falls in the window."""

    kind: ClassVar[str] = "changed"
    trait: Trait
    before: Literal_ | None = None
    after: Literal_ | None = None
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Ranked(Node):
    """``clv in top 10%``: at or beyond the threshold of the last refresh. ``percent`` in millionths of a percent."""

    kind: ClassVar[str] = "ranked"
    value: Trait | Aggregate
    end: Literal["top", "bottom"]
    percent: int


@dataclass(frozen=True, slots=True)
class Percentile(Node):
    """``clv between percentile 20 and 40``, both ends in; in millionths of a percent."""

    kind: ClassVar[str] = "percentile"
    value: Trait | Aggregate
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class MemberOf(Node):
    """``member of "vip"``, lists included."""

    kind: ClassVar[str] = "member of"
    segment: str


@dataclass(frozen=True, slots=True)
class ListedIn(Node):
    """``listed in "staff"``."""

    kind: ClassVar[str] = "listed in"
    name: str


@dataclass(frozen=True, slots=True)
class Entered(Node):
    """``entered "vip" in last 14 days``, from the recorded history of the segment."""

    kind: ClassVar[str] = "entered"
    segment: str
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Left(Node):
    """``left "trial" in last 30 days``, from the recorded history of the segment."""

    kind: ClassVar[str] = "left"
    segment: str
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class Consents(Node):
    """``consents to "email_marketing"``."""

    kind: ClassVar[str] = "consents to"
    purpose: str


Condition: TypeAlias = (
    And
    | Or
    | Not
    | Compare
    | Between
    | In
    | Match
    | Known
    | AnyItem
    | When
    | Anniversary
    | Distance
    | Did
    | Sequence
    | NotAfter
    | DidFirst
    | Regularly
    | Held
    | Changed
    | Ranked
    | Percentile
    | MemberOf
    | ListedIn
    | Entered
    | Left
    | Consents
)

NODES: dict[str, type[Node]] = {cls.kind: cls for cls in Node.__subclasses__()}
"""Every concrete node by its kind."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A segment: what a file of ``segments/`` holds.

    Args:
        slug: the file's name, immutable: used by ``member of``, the API and history.
        name: the display name.
        where: the condition.
        why: why the segment exists, for people.
        purpose: the purpose that it serves, a name in ``shoal.yaml``; None means analysis only.
        owner: who answers for it.
        always: name of the list whose customers are always in.
        never: name of the list whose customers are never in; it wins over ``always``.
        tags: free words to find it by.
    """

    slug: str
    name: str
    where: Condition
    why: str = ""
    purpose: str | None = None
    owner: str = ""
    always: str | None = None
    never: str | None = None
    tags: tuple[str, ...] = ()
