"""All campaigns side by side: what each brought against those who were held out by lot, and which can't be measured.

The best of many looks better than it is, because it was picked for its luck too. So beside each figure stands the one with chance
taken off, and p-values are corrected for how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shoal.clock import iso
from shoal.insight.experiments.results import plain
from shoal.insight.pilots.money import total
from shoal.lang.document import decimal_text
from shoal.stats.experiments.heterogeneity import shrunk
from shoal.stats.intervals import CONFIDENCE, Interval
from shoal.stats.multiple import holm
from shoal.wording import counted, noun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shoal.insight.models.asof import AsOf
    from shoal.insight.pilots.money import Money
    from shoal.shapes import Trial

Kind: TypeAlias = Literal["pilot", "experiment", "trial"]
NO_LOTS = (
    "Nobody was held out by lot: who was sent it and who wasn't differ in more than that, so what came after it isn't known to "
    "come of it."
)
MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """What an arm of a randomised campaign brought.

    Args:
        kind: where it is declared.
        slug: of the pilot, experiment or trial.
        name: for people, with the arm where there are several.
        money: what it brought.
        over: whether it is over; before, its intervals are wider.
        shares: names those that are held against the same holdout; empty where it is the slug.
        drawn: its revenue with chance taken off, by what all campaigns have; None where there is only one.
        corrected: the p-value of no effect on revenue, for how many are listed.
    """

    kind: Kind
    slug: str
    name: str
    money: Money
    over: bool
    shares: str = ""
    drawn: Interval | None = None
    corrected: float | None = None

    def row(self) -> dict[str, Any]:
        """As a row of a table and of ``views.charts.experiments.scoreboard_bars``."""
        money = self.money
        assert money.revenue is not None
        value, low, high = money.revenue
        row: dict[str, Any] = {
            "name": self.name, "kind": self.kind, "slug": self.slug, "over": self.over, "exposed": money.exposed,
            "holdout": money.holdout, "value": value, "low": low, "high": high,
        }  # fmt: skip
        back = money.back
        for key, found in (
            ("shrunk", self.drawn), ("conversions", money.conversions), ("margin", money.margin),
            ("profit", back and back.profit), ("roi", back and back.roi),
        ):  # fmt: skip
            row |= {key: found and found.value, f"{key}_low": found and found.low, f"{key}_high": found and found.high}
        return row | {"spend": money.spend, "corrected_p": self.corrected}


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A campaign of which it can't be said what it brought.

    Args:
        kind: what it is: a pilot, experiment, trial, or a campaign of the data.
        name: of it.
        why: in words.
        customers: whom it reached; None where that isn't known.
    """

    kind: str
    name: str
    why: str
    customers: int | None = None


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """All campaigns.

    Args:
        at: the instant.
        currency: of money.
        entries: those that can be measured, the most revenue with chance taken off first.
        unmeasured: those that can't, with the reason.
        total: revenue of all together; None without any.
        says: what must be known to read it.
    """

    at: int
    currency: str
    entries: tuple[Entry, ...]
    unmeasured: tuple[Unmeasured, ...]
    total: Interval | None
    says: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One a campaign that can be measured."""
        return [entry.row() for entry in self.entries]

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "as_of": iso(self.at), "currency": self.currency, "campaigns": plain(self.rows()),
            "total_revenue": plain(self.total), "not_measurable": [plain(one) for one in self.unmeasured],
            "says": list(self.says),
        }  # fmt: skip


def scoreboard(at: int, currency: str, entries: Iterable[Entry], unmeasured: Iterable[Unmeasured]) -> Scoreboard:
    """Put campaigns side by side.

    Args:
        at: the instant.
        currency: of money.
        entries: arms of randomised campaigns; one of which nothing can be said is listed as not measurable.
        unmeasured: those that can't be measured.
    """
    every = list(entries)
    told = [one for one in every if one.money.revenue is not None and one.money.each is not None]
    left = [Unmeasured(one.kind, one.name, one.money.refused, one.money.exposed) for one in every if one not in told]
    ranked = sorted(_compared(told), key=lambda one: -_worth(one))
    whole = total(list(_by_experiment(told).values()))
    return Scoreboard(at, currency, tuple(ranked), (*unmeasured, *left), whole, tuple(_says(ranked, whole)))


def _worth(one: Entry) -> float:
    found = one.drawn or one.money.revenue
    return 0.0 if found is None else found.value


def _compared(told: Sequence[Entry]) -> list[Entry]:
    """With chance taken off and p-values corrected: revenue per customer is drawn, since campaigns are of different sizes."""
    from dataclasses import replace

    each = [one.money.each for one in told if one.money.each is not None]
    corrected = holm([effect.p for effect in each]).tolist() if each else []
    found = [replace(one, corrected=float(p)) for one, p in zip(told, corrected, strict=True)]
    if len(found) < 2:
        return found
    drawn = shrunk([effect.value for effect in each], [effect.se for effect in each])
    return [
        replace(one, drawn=Interval(*(end * one.money.exposed for end in mean)))
        for one, mean in zip(found, drawn, strict=True)
    ]


def _by_experiment(told: Sequence[Entry]) -> dict[tuple[str, str], list[Money]]:
    found: dict[tuple[str, str], list[Money]] = {}
    for one in told:
        found.setdefault((one.kind, one.shares or one.slug), []).append(one.money)
    return found


def _says(ranked: Sequence[Entry], whole: Interval | None) -> list[str]:
    if not ranked or whole is None:
        return ["No campaign can be measured yet: it takes customers who are held out by lot."]
    many, sure = len(ranked), sum((one.corrected or 0.0) < 1 - CONFIDENCE for one in ranked)
    after = ", after Holm's correction for their number" if many > 1 else ""
    said = [f"{sure} of {counted(many, 'campaign')} changed revenue beyond chance{after}."]
    if many > 1:
        said.append(
            "The best of several was picked for its luck too: read the figure with chance taken off (Morris 1983), and expect "
            "of a repetition that one."
        )
        said.append(
            "The total counts campaigns as independent of each other; who was in several of them counts in each. Its interval is "
            "of the total, and that of none of them alone."
        )
    running = sum(not one.over for one in ranked)
    if running:
        said.append(
            f"{counted(running, 'campaign')} {noun(running, 'is', 'are')} still running: their intervals are wider."
        )
    return said


# ------------------------------------------------------------ campaigns of the data


def campaigns(
    known: AsOf, event: str, column: str, trials: Sequence[Trial], drawn: Mapping[str, str]
) -> list[Unmeasured]:
    """Campaigns that the data names and that nobody drew lots for.

    Args:
        known: the store as of an instant.
        event: that says who was sent what.
        column: its property that names the campaign.
        trials: of ``trials:``; a campaign of one is measured there.
        drawn: names and slugs of pilots and experiments: a campaign that bears one of them is measured there.
    """
    source = known.events.get(event)
    if source is None or column not in source.properties:
        return []
    mine = [trial for trial in trials if trial.event == event]
    if any(column not in trial.only for trial in mine):
        return []
    told = {trial.only[column] for trial in mine} | set(drawn) | set(drawn.values())
    prop = source.properties[column]
    found = known.arrow(
        f"SELECT {prop.col} AS name, count(DISTINCT customer) AS n FROM ({known.event(event)}) e "
        f"WHERE {prop.col} IS NOT NULL GROUP BY 1 ORDER BY n DESC, name"
    ).to_pylist()
    # A number is kept in whole millionths.
    named = [(decimal_text(row["name"]) if prop.kind == "number" else str(row["name"]), row["n"]) for row in found]
    return [Unmeasured("campaign", name, NO_LOTS, int(n)) for name, n in named if name not in told]
