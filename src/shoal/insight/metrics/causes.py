"""Why a metric changed from one period to another: by what customers are, by what they did, and by segments.

Each dimension splits the change into parts that sum to it. A part is a cause where the group changed otherwise than everybody
else did, by more than customers' own ups and downs make, corrected for how many groups were looked at. A cause in this sense is
a place where the change sits; nothing here says what brought it about.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.errors import Refused, ShoalError
from shoal.insight.metrics.causes_dimensions import usual_dimensions
from shoal.insight.metrics.figures import Question
from shoal.insight.metrics.grouping import Groups, dimension
from shoal.insight.metrics.units import of_units
from shoal.insight.metrics.watching import LEVEL, shown, within
from shoal.stats.contributions import LEAST, Both, by_unit, change, contributions, peeled
from shoal.stats.intervals import Interval, z_value
from shoal.stats.multiple import benjamini_hochberg
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.grouping import Dimension
    from shoal.insight.metrics.periods import Period
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import CalendarUnit, Definition
    from shoal.stats.contributions import Effect, Part

    Codes = npt.NDArray[np.int64]

_TOLD = 8
_EPOCH = date(1970, 1, 1)


class Group(NamedTuple):
    """What one group of a dimension is of the change.

    Args:
        name: of the group, as ``north``.
        part: what it contributes, and by what.
    """

    name: str
    part: Part


@dataclass(frozen=True, slots=True)
class Split:
    """A change split by a dimension.

    Args:
        by: the dimension, as ``plan``, ``store of "Order Completed"`` or ``segment Champions``.
        groups: the largest contribution first; they sum to the change.
    """

    by: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    """A group that changed otherwise than all others, by more than chance.

    Args:
        by: the dimension.
        group: its value.
        kind: ``sum``; of a ratio ``rate`` (the group's own ratio moved) or ``mix`` (its weight did).
        amount: what of the change it is.
        beyond: what of that the change of all others doesn't explain, with its interval.
        before: the group's own figure in the earlier period; None where it had none.
        after: in the later one.
        units: the customers that had anything to do with it.
        p: of as much by chance; ``q`` is corrected for how many were looked at.
        q: see ``p``.
        also: other dimensions in which the very same customers stand out, each with its value.
    """

    by: str
    group: str
    kind: str
    amount: float
    beyond: Interval
    before: float | None
    after: float | None
    units: int
    p: float
    q: float
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Causes:
    """Why a metric changed.

    Args:
        metric: which.
        grain: the length of the periods.
        before: the earlier one.
        after: the later one.
        figures: the metric's values in both.
        change: of the figure, with its interval over customers.
        customers: how many had anything to do with it, in each period.
        splits: the change by each dimension.
        causes: the groups that stand out, the largest first.
        looked: how many effects of groups were tested.
        refused: by dimension why it wasn't looked at.
        currency: of money.
    """

    metric: Metric
    grain: str
    before: Period
    after: Period
    figures: tuple[float, float]
    change: Interval
    customers: tuple[int, int]
    splits: tuple[Split, ...]
    causes: tuple[Cause, ...]
    looked: int
    refused: Mapping[str, str]
    currency: str = ""

    def shown(self, value: float) -> str:
        """A value with its unit."""
        return shown(value, self.metric.unit, self.currency)

    def moved(self, value: float) -> str:
        """A change with its sign and unit.

        Changes of shares are told in points.
        """
        if self.metric.unit == "share":
            return f"{100 * value:+.1f} points"
        text = self.shown(abs(value))
        return f"{'-' if value < 0 else '+'}{text}"

    @property
    def sentences(self) -> list[str]:
        """The same in words: the change, what it is made of, and what stands out."""
        return [*_whole(self), *(_of_cause(self, cause) for cause in self.causes[:_TOLD]), *_closing(self)]

    def document(self) -> dict[str, Any]:
        """The same as a JSON-ready document."""
        return {
            "metric": self.metric.slug, "grain": self.grain,
            "before": {"period": str(_day(self.before.first)), "value": _number(self.figures[0]),
                       "customers": self.customers[0]},
            "after": {"period": str(_day(self.after.first)), "value": _number(self.figures[1]),
                      "customers": self.customers[1]},
            "change": _ends(self.change),
            "causes": [_cause_document(cause) for cause in self.causes],
            "splits": [{"by": split.by, "groups": [_group_document(group) for group in split.groups]}
                       for split in self.splits],
            "looked": self.looked, "refused": dict(self.refused), "sentences": self.sentences,
        }  # fmt: skip


def causes(
    known: AsOf,
    metric: Metric,
    before: Period,
    after: Period,
    grain: CalendarUnit,
    *,
    by: Collection[str] = (),
    segments: Sequence[Definition] = (),
    currency: str = "",
) -> Causes:
    """Why a metric changed from one period to another.

    Customers' traits are those at the end of the later period, for both; a segment's members are those before the earlier
    period began, since who is in a segment afterwards is there for what they did meanwhile.

    Args:
        known: the store as of now.
        metric: which; a quantile can't be split.
        before: the earlier period.
        after: the later one.
        grain: their length.
        by: traits and properties of events to look at; by default all with few values.
        segments: to look at too: members against all others.
        currency: of money.

    Raises:
        Refused: a quantile; or nobody has anything to do with it in either period.
        DefinitionError: the metric or a dimension doesn't stand on this data.
    """
    if metric.how == "quantile":
        raise Refused(
            f"{metric.name} is a quantile: its change isn't the sum of what groups changed by.",
            fix="Ask it of the mean, or show the quantile by group.",
        )
    with known.before(after.at(known.at)) as now:
        asked = [dimension(one, now.schema) for one in by] or usual_dimensions(now, metric)
        return _Search(now, metric, before, after, grain, currency).run(asked, segments, refuse=bool(by))


@dataclass
class _Search:
    known: AsOf
    metric: Metric
    before: Period
    after: Period
    grain: CalendarUnit
    currency: str

    def run(self, asked: Sequence[Dimension], segments: Sequence[Definition], *, refuse: bool) -> Causes:
        whole = self._values([self.metric])[0]
        if not whole.units:
            raise Refused(
                f"{self.metric.name}: nobody had anything to do with it in either period.", fix="Take others."
            )
        splits: list[Split] = []
        refused: dict[str, str] = {}
        for one in asked:
            try:
                splits.append(self._split(one, whole))
            except ShoalError as error:
                if refuse:
                    raise
                refused[one.name] = str(error)
        splits += self._of_segments(segments, whole, refused)
        found, looked = _causes(splits)
        there = (int(whole.before.astype(bool).sum()), int(whole.after.astype(bool).sum()))
        if whole.is_ratio:
            there = (int(whole.below[0].astype(bool).sum()), int(whole.below[1].astype(bool).sum()))
        return Causes(
            self.metric, self.grain, self.before, self.after, whole.figures(), change(whole), there, tuple(splits), found,
            looked, refused, self.currency,
        )  # fmt: skip

    # ------------------------------------------------------------ values

    def _values(self, metrics: Sequence[Metric]) -> list[Both]:
        """What each customer had in both periods of some metrics."""
        with self._units() as units, of_units(self.known, metrics, units) as told:
            columns = [told.columns[metric.slug] for metric in metrics]
            names = dict.fromkeys(name for one in columns for name in one.names)
            table = self.known.arrow(f"SELECT k, {', '.join(names)} FROM {told.table}")
        size = len(self.known.customers)
        k = np.asarray(table["k"].to_numpy())
        held = {}
        for name in names:
            held[name] = np.full(2 * size, np.nan)
            held[name][k] = table[name].to_numpy(zero_copy_only=False).astype(np.float64)
        return [
            self._both(metric, held[one.value], None if one.per is None else held[one.per])
            for metric, one in zip(metrics, columns, strict=True)
        ]

    @contextmanager
    def _units(self) -> Iterator[str]:
        """Two units a customer: the earlier period, and after all of these the later one."""
        import pyarrow as pa

        keys, size = self.known.customers, len(self.known.customers)
        ends = [period.at(self.known.at) for period in (self.before, self.after)]
        table = pa.table({
            "k": np.arange(2 * size, dtype=np.int32), "who": np.tile(keys, 2),
            "begin": np.repeat(np.array([self.before.begin, self.after.begin], dtype=np.int64), size),
            "t": np.repeat(np.array(ends, dtype=np.int64), size),
        })  # fmt: skip
        with self.known.beside(table) as name:
            yield name

    def _both(self, metric: Metric, value: npt.NDArray[np.float64], per: npt.NDArray[np.float64] | None) -> Both:
        size = len(value) // 2
        there = ~np.isnan(value)
        top = np.nan_to_num(value)
        if metric.how in ("sum", "count"):
            return Both(top[:size], top[size:])
        below = there.astype(np.float64) if per is None else np.nan_to_num(per)
        return Both(top[:size], top[size:], below[:size], below[size:])

    # ------------------------------------------------------------ dimensions

    def _split(self, by: Dimension, whole: Both) -> Split:
        question = Question([self.metric], [self.before, self.after], self.grain, by=by)
        groups = Groups.of(self.known, question)
        if by.node is not None:
            names, codes = self._of_trait(groups)
            parts = peeled(whole, by_unit(whole, codes, len(names)))
        else:
            names = [label for label in groups.labels if label is not None]
            parts = peeled(whole, self._of_events(groups, names))
        return Split(by.name, _sorted([Group(names[part.group], part) for part in parts if part.units]))

    def _of_trait(self, groups: Groups) -> tuple[list[str], Codes]:
        """Of each customer the group that a trait puts them in at the end of the later period."""
        node = groups.node
        assert node is not None
        with self.known.columns({"v": node}) as table:
            told = self.known.arrow(f"SELECT k, {groups.sql('v')} AS label FROM {table}")
        names = groups.known
        code = {name: at for at, name in enumerate(names)}
        found = np.array([code[label] for label in told["label"].to_pylist()], dtype=np.int64)
        return names, self.known.aligned(np.asarray(told["k"].to_numpy()), found, len(names) - 1).astype(np.int64)

    def _of_events(self, groups: Groups, names: Sequence[str]) -> list[Both]:
        """Of each customer what they did of each group."""
        if self.metric.how not in ("sum", "ratio"):
            raise Refused(
                f"{self.metric.name} is of customers, who may have done several things: it isn't the sum of them.",
                fix="Take a trait of customers, or a sum or ratio.",
            )

        def narrowed(name: str, at: int) -> Metric:
            metric = self.metric
            per = None if metric.per is None else groups.narrowed(metric, metric.per, name)
            of = groups.narrowed(metric, metric.of, name)
            return replace(metric, slug=f"{metric.slug}-{at}", of=of, per=per)

        return self._values([narrowed(name, at) for at, name in enumerate(names)])

    def _of_segments(self, segments: Sequence[Definition], whole: Both, refused: dict[str, str]) -> list[Split]:
        """Members before the earlier period began, against all others."""
        if not segments:
            return []
        with self.known.before(self.before.begin - 1) as then:
            masks = then.holds({one.slug: one for one in segments})
            customers = then.customers
        splits = []
        for one in segments:
            member = self.known.aligned(customers, masks[one.slug], False)
            if not member.any():
                refused[f"segment {one.name}"] = "Nobody was a member before the earlier period began."
                continue
            parts = contributions(whole, by_unit(whole, (~member).astype(np.int64), 2))
            names = ("members", "all others")
            splits.append(Split(f"segment {one.name}", _sorted([Group(names[p.group], p) for p in parts if p.units])))
        return splits


def _sorted(groups: Sequence[Group]) -> tuple[Group, ...]:
    return tuple(sorted(groups, key=lambda group: -abs(group.part.amount)))


# ------------------------------------------------------------ what stands out


def _causes(splits: Sequence[Split]) -> tuple[tuple[Cause, ...], int]:
    """The effects that are more than chance, corrected for all that were tested. Of two groups one mirrors the other."""
    tested: list[tuple[Split, Group, Effect]] = []
    for split in splits:
        told = split.groups
        if len(told) == 2:
            # What one has beyond the other the other lacks: it is one finding, told of the members or of the larger part.
            told = tuple(g for g in told if g.name == "members") or told[:1]
        tested += [(split, group, effect) for group in told for effect in group.part.effects if effect.p is not None]
    if not tested:
        return (), 0
    corrected = benjamini_hochberg([effect.p or 0.0 for _, _, effect in tested]).tolist()
    found = [
        _cause(split, group, effect, q)
        for (split, group, effect), q in zip(tested, corrected, strict=True)
        if q < LEVEL
    ]
    return _once(sorted(found, key=lambda cause: -abs(cause.beyond.value))), len(tested)


def _once(found: Sequence[Cause]) -> tuple[Cause, ...]:
    """The same customers under several names, as those of whom nothing is known, are one finding."""
    told: dict[tuple[Any, ...], Cause] = {}
    for cause in found:
        same = (cause.kind, cause.units, *(round(v or 0.0, 6) for v in (cause.amount, cause.before, cause.after)))
        first = told.get(same)
        told[same] = cause if first is None else replace(first, also=(*first.also, f"{cause.by}, {cause.group}"))
    return tuple(told.values())


def _cause(split: Split, group: Group, effect: Effect, q: float) -> Cause:
    half = z_value() * (effect.error or 0.0)
    part = group.part
    beyond = Interval(effect.beyond, effect.beyond - half, effect.beyond + half)
    return Cause(
        split.by, group.name, effect.kind, effect.amount, beyond, _number(part.before), _number(part.after), part.units,
        effect.p or 0.0, q,
    )  # fmt: skip


# ------------------------------------------------------------ words


def _whole(found: Causes) -> list[str]:
    first, last = found.figures
    earlier, later = (within(_day(p.first), found.grain) for p in (found.before, found.after))
    if np.isnan(found.change.value):
        there, gone = (earlier, later) if np.isnan(last) else (later, earlier)
        return [f"{found.metric.name} has a value {there} and none {gone}."]
    verb = "rose" if last > first else "fell" if last < first else "stayed"
    told = f"{found.metric.name} {verb} from {found.shown(first)} {earlier} to {found.shown(last)} {later}"
    if verb == "stayed" or np.isnan(found.change.low):
        return [f"{told}."]
    ends = f"{found.moved(found.change.low)} to {found.moved(found.change.high)}"
    lines = [f"{told}: {found.moved(found.change.value)} (95 %: {ends})."]
    if not found.change.excludes(0.0):
        lines.append("Customers' own ups and downs make as much.")
    return lines + _lengths(found) + _counted(found)


def _lengths(found: Causes) -> list[str]:
    days = [p.last - p.first + 1 for p in (found.before, found.after)]
    if found.metric.how not in ("sum", "count") or days[0] == days[1]:
        return []
    return [f"The later period has {days[1]} days, the earlier {days[0]}."]


def _counted(found: Causes) -> list[str]:
    """A sum as how many customers, times how much each: both halves of the change."""
    if found.metric.how != "sum" or not all(found.customers):
        return []
    (first, last), (few, many) = found.figures, found.customers
    each = (first / few, last / many)
    by_many, by_much = (many - few) * sum(each) / 2, (each[1] - each[0]) * (few + many) / 2
    return [
        f"{many:,} customers instead of {few:,} make {found.moved(by_many)} of it; {found.shown(each[1])} each instead of "
        f"{found.shown(each[0])} make {found.moved(by_much)}."
    ]


def _of_cause(found: Causes, cause: Cause) -> str:
    where = f"{cause.by}, {cause.group}" if not cause.by.startswith("segment ") else cause.by.removeprefix("segment ")
    chance = f"p {_p(cause.q)} after correction"
    ends = f"{found.moved(cause.beyond.low)} to {found.moved(cause.beyond.high)}"
    own = f"{_or_none(found, cause.before)} to {_or_none(found, cause.after)}"
    if cause.also:
        where += f" (the same customers as {'; '.join(cause.also)})"
    if cause.kind == "sum":
        like = found.moved(cause.amount - cause.beyond.value)
        return (
            f"{where}: {found.moved(cause.amount)} of it, from {own}. Had it changed as all others did, that would be "
            f"{like}: {found.moved(cause.beyond.value)} beyond (95 %: {ends}; {chance})."
        )
    if cause.kind == "rate":
        return (
            f"{where}: its own figure went from {own}, which makes {found.moved(cause.amount)} of the change, "
            f"{found.moved(cause.beyond.value)} beyond what all others did (95 %: {ends}; {chance})."
        )
    return (
        f"{where}: it weighs more or less than before, and its figure isn't that of all, which makes "
        f"{found.moved(cause.amount)} of the change (95 %: {ends}; {chance})."
    )


def _closing(found: Causes) -> list[str]:
    names = ", ".join(split.by for split in found.splits)
    if not found.splits:
        return ["There is no dimension to look at: no trait or property has between 2 and 50 values."]
    if not found.looked:
        return [f"No group of {names} has the {LEAST} customers or more that it takes to tell its change from chance."]
    if found.causes:
        more = len(found.causes) - _TOLD
        return [f"{more} more stand out."] if more > 0 else []
    return [
        f"No dimension explains it: of {counted(found.looked, 'difference')} between groups and all others ({names}) none is "
        "more than chance."
    ]


def _or_none(found: Causes, value: float | None) -> str:
    return "none" if value is None else found.shown(value)


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"= {value:.4f}"


def _day(day: int) -> date:
    return _EPOCH + timedelta(days=day)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _ends(told: Interval) -> dict[str, float | None]:
    return {"value": _number(told.value), "low": _number(told.low), "high": _number(told.high)}


def _cause_document(cause: Cause) -> dict[str, Any]:
    return {
        "by": cause.by, "group": cause.group, "kind": cause.kind, "amount": cause.amount, "beyond": _ends(cause.beyond),
        "before": cause.before, "after": cause.after, "customers": cause.units, "p": cause.p, "q": cause.q,
        "also": list(cause.also),
    }  # fmt: skip


def _group_document(group: Group) -> dict[str, Any]:
    part = group.part
    return {
        "group": group.name, "amount": part.amount, "before": _number(part.before), "after": _number(part.after),
        "customers": part.units,
        "effects": [{"kind": e.kind, "amount": e.amount, "otherwise": e.otherwise, "p": e.p} for e in part.effects],
    }  # fmt: skip


__all__ = ["Cause", "Causes", "Group", "Split", "causes"]
