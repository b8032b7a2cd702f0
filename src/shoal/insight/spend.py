"""What was spent, by day and by channel or campaign: what `spend:` of a source brought. No line belongs to a customer."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from shoal.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from shoal.insight.models.asof import AsOf

By: TypeAlias = Literal["channel", "campaign"]
NO_SPEND = (
    "Give a source of shoal.yaml what was spent, as spend: {day: date, amount: cost, channel: channel}, and load it; see "
    "docs/costs.md."
)


class Line(NamedTuple):
    """What was spent on a day on one channel and campaign, all in millionths of the currency or in counts.

    Args:
        day: local date, days since 1970.
        channel: its name; None where the line names none.
        campaign: likewise.
        amount: money.
        impressions: None where no line knows them.
        clicks: likewise.
        clicked: the money of the lines that know clicks.
        shown: the clicks of the lines that know impressions too.
        rows: how many lines of the sources this is.
    """

    day: int
    channel: str | None
    campaign: str | None
    amount: int
    impressions: int | None
    clicks: int | None
    clicked: int
    shown: int
    rows: int


@dataclass(slots=True)
class Spent:
    """What was spent in a span of time on one thing, or on all.

    Args:
        name: as its first line writes it; None for all, or for lines that name nothing.
        micros: money in millionths of the currency.
        impressions: 0 where none are known.
        clicks: 0 where none are known.
        clicked: the money of the lines that know clicks, in millionths.
        shown: the clicks of the lines that know impressions too.
        rows: how many lines of the sources this is.
    """

    name: str | None = None
    micros: int = 0
    impressions: int = 0
    clicks: int = 0
    clicked: int = 0
    shown: int = 0
    rows: int = 0

    @property
    def amount(self) -> float:
        """Money in the currency."""
        return self.micros / 1e6

    def add(self, line: Line) -> None:
        """Take a line in."""
        self.micros += line.amount
        self.clicked += line.clicked
        self.impressions += line.impressions or 0
        self.clicks += line.clicks or 0
        self.shown += line.shown
        self.rows += line.rows


@dataclass(frozen=True, slots=True)
class Spend:
    """All lines up to an instant, in the order of days."""

    lines: list[Line] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The local date of the first line, in days since 1970."""
        return self.lines[0].day

    @property
    def last(self) -> int:
        """The local date up to which it reaches."""
        return self.lines[-1].day

    def between(self, first: int | None, last: int | None) -> Spend:
        """The lines of some days, both ends included; None is open."""
        begins = 0 if first is None else bisect_left(self.lines, first, key=lambda line: line.day)
        ends = len(self.lines) if last is None else bisect_right(self.lines, last, key=lambda line: line.day)
        return Spend(self.lines[begins:ends])

    def among(self, channels: Collection[str], campaigns: Collection[str]) -> Spend:
        """The lines of some channels or campaigns, in whatever letter case; all where none are named."""
        if not channels and not campaigns:
            return self
        which = {key_of(name) for name in channels}, {key_of(name) for name in campaigns}
        return Spend(
            [line for line in self.lines if key_of(line.channel) in which[0] or key_of(line.campaign) in which[1]]
        )

    def total(self) -> Spent:
        """Of all lines."""
        found = Spent()
        for line in self.lines:
            found.add(line)
        return found

    def by(self, what: By) -> dict[str, Spent]:
        """By channel or campaign, under their keys (``key_of``), those that cost most first."""
        found: dict[str, Spent] = defaultdict(Spent)
        for line in self.lines:
            name: str | None = getattr(line, what)
            one = found[key_of(name)]
            one.name = one.name or name
            one.add(line)
        return dict(sorted(found.items(), key=lambda pair: (-pair[1].micros, pair[0])))


def key_of(name: str | None) -> str:
    """What names of channels are compared by: events and ad platforms write them in different letter cases.

    >>> key_of("Paid  Search ") == key_of("paid search")
    True
    """
    return " ".join((name or "").casefold().split())


def read_spend(known: AsOf) -> Spend:
    """What was spent up to the instant's day.

    Raises:
        Refused: nothing was loaded.
    """
    table = known.arrow(
        "SELECT day, channel, campaign, CAST(sum(amount) AS BIGINT) AS amount, "
        "CAST(sum(impressions) AS BIGINT) AS impressions, CAST(sum(clicks) AS BIGINT) AS clicks, "
        "CAST(coalesce(sum(CASE WHEN clicks IS NOT NULL THEN amount END), 0) AS BIGINT) AS clicked, "
        "CAST(coalesce(sum(CASE WHEN impressions IS NOT NULL THEN clicks END), 0) AS BIGINT) AS shown, count(*) AS rows "
        f"FROM ({known.spend()}) GROUP BY day, channel, campaign ORDER BY day, channel, campaign"
    )
    lines = [Line(**row) for row in table.to_pylist()]
    if not lines:
        raise Refused("Nothing says what was spent.", fix=NO_SPEND)
    return Spend(lines)


def matched(spent: Mapping[str, Spent], names: Iterable[str]) -> dict[str, Spent]:
    """What was spent on each of some names, by that name; those without a line are left out."""
    return {name: spent[key_of(name)] for name in names if key_of(name) in spent}
