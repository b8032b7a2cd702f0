"""Who under contract stays how long: Kaplan-Meier curves, tests between groups, and a projection that was tried.

Customers who are still here count for as long as they were seen. Beyond the longest time that anybody was seen the curve
says nothing; there the sBG projects it, since those who stay longest leave least, and a constant rate would say too little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal.errors import Refused
from shoal.stats.intervals import CONFIDENCE, Interval
from shoal.stats.multiple import holm
from shoal.stats.survival import LogRank, Survival, kaplan_meier, log_rank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from shoal.insight.contracts.reading import Spells
    from shoal.insight.models.btyd.contract import ShiftedBetaGeometric

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

LEAST = 10
"""Customers of whom a curve is drawn at all, and of a group that is compared."""
MOST_GROUPS = 12
LEAST_SEEN = 30
"""A curve is a yardstick for as long as so many are still followed."""
LEAST_PERIODS = 5
FITTED = 0.6
"""The share of the periods that a projection is fitted on, when the others are held out to try it."""


@dataclass(frozen=True)
class Step:
    """A curve after a whole number of periods: the share still here, and who was followed so long."""

    period: int
    here: Interval
    followed: int


@dataclass(frozen=True)
class Group:
    """Customers alike in something.

    Args:
        name: the value, or the segment.
        customers: how many.
        left: who left of them.
        curve: their survival.
        steps: the curve at whole periods.
        test: a segment against everybody else; None where values are compared with each other.
        p: of that test, made larger for the number of segments (Holm).
    """

    name: str
    customers: int
    left: int
    curve: Survival
    steps: tuple[Step, ...]
    test: LogRank | None = None
    p: float | None = None


@dataclass(frozen=True)
class Tried:
    """A period that was held out: what was projected for it, what a constant rate would have said, and what came."""

    period: int
    projected: float
    constant: float
    came: Interval


@dataclass(frozen=True)
class Projection:
    """The sBG (Fader and Hardie 2007): customers differ in how readily they leave, so those who remain leave less and less.

    Args:
        model: fitted on all periods.
        until: the last period that it was fitted on.
        tried_on: the periods that its trial was fitted on; 0 where there was no trial.
        tried: the periods that were held out.
        ahead: the share still here after further periods.
        why_not_tried: where there was no trial: why.
    """

    model: ShiftedBetaGeometric
    until: int
    tried_on: int
    tried: tuple[Tried, ...]
    ahead: tuple[tuple[int, float], ...]
    why_not_tried: str = ""

    @property
    def error(self) -> float | None:
        """The mean gap between the projected shares and those that came."""
        return _mean([abs(one.projected - one.came.value) for one in self.tried])

    @property
    def constant_error(self) -> float | None:
        """The same of a constant rate of leaving."""
        return _mean([abs(one.constant - one.came.value) for one in self.tried])

    @property
    def useful(self) -> bool:
        """Whether the trial doesn't speak against it."""
        return not self.tried or (self.error or 0.0) < (self.constant_error or 0.0)

    def verdict(self, period: str) -> str:
        """How the trial went, in a sentence."""
        if not self.tried:
            return self.why_not_tried
        last = self.tried[-1]
        inside = last.came.low <= last.projected <= last.came.high
        said = (
            f"Fitted on the first {self.tried_on} {period}s alone, it says that {_percent(last.projected)} are still here "
            f"after {last.period}; it came to {_percent(last.came.value)} ({_percent(last.came.low)} to "
            f"{_percent(last.came.high)}), and a constant rate would have said {_percent(last.constant)}."
        )
        if inside and self.useful:
            return said
        if self.useful:
            return f"{said} That is nearer than a constant rate, but not within the interval."
        return f"{said} That is no better than a constant rate: don't rely on it."


@dataclass(frozen=True)
class Retention:
    """The retention of contracts.

    Args:
        period: the length of a period, one of ``shapes.PERIODS``.
        says: what it was read from, to stand after "by".
        customers: with a contract.
        left: who left of them.
        curve: the survival of all.
        steps: the curve at whole periods.
        by: the trait whose values are the groups, ``segments``, or an empty text.
        groups: the largest first.
        test: of the groups against each other; None where there is none, or groups are segments.
        projection: None where the data doesn't bear one.
        why_no_projection: then, why.
        notes: what to know.
    """

    period: str
    says: str
    customers: int
    left: int
    curve: Survival
    steps: tuple[Step, ...]
    by: str = ""
    groups: tuple[Group, ...] = ()
    test: LogRank | None = None
    projection: Projection | None = None
    why_no_projection: str = ""
    notes: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """All curves at whole periods: ``group`` (None: all), ``period``, ``here``, ``low``, ``high``, ``followed``."""
        curves = [(None, self.steps), *((group.name, group.steps) for group in self.groups)]
        return [
            {"group": name, "period": s.period, "here": s.here.value, "low": s.here.low, "high": s.here.high,
             "followed": s.followed}
            for name, steps in curves for s in steps
        ]  # fmt: skip

    def document(self) -> dict[str, Any]:
        """JSON-ready, without customers."""
        return {
            "by": self.says,
            "period": self.period,
            "customers": self.customers,
            "left": self.left,
            "median": self.curve.median(),
            "curve": [_step(step) for step in self.steps],
            "grouped_by": self.by or None,
            "groups": [_group(group) for group in self.groups],
            "log_rank": None if self.test is None else _test(self.test),
            "projection": None if self.projection is None else _projection(self.projection),
            "no_projection": self.why_no_projection or None,
            "notes": list(self.notes),
        }


def _step(step: Step) -> dict[str, Any]:
    return {"period": step.period, "here": step.here.value, "low": step.here.low, "high": step.here.high,
            "followed": step.followed}  # fmt: skip


def _group(group: Group) -> dict[str, Any]:
    test = None if group.test is None else _test(group.test) | {"p_of_all": group.p}
    return {
        "name": group.name, "customers": group.customers, "left": group.left, "median": group.curve.median(),
        "curve": [_step(step) for step in group.steps], "against_others": test,
    }  # fmt: skip


def _test(test: LogRank) -> dict[str, Any]:
    return {"chi2": test.chi2, "df": test.df, "p": test.p}


def _projection(found: Projection) -> dict[str, Any]:
    return {
        "model": found.model.name,
        "alpha": found.model.alpha,
        "beta": found.model.beta,
        "fitted_on": found.until,
        "tried_on": found.tried_on or None,
        "mean_error": found.error,
        "mean_error_of_constant_rate": found.constant_error,
        "tried": [
            {"period": t.period, "projected": t.projected, "constant": t.constant, "came": t.came.value,
             "low": t.came.low, "high": t.came.high}
            for t in found.tried
        ],
        "ahead": [{"period": period, "here": share} for period, share in found.ahead],
    }  # fmt: skip


# ------------------------------------------------------------ working it out


def retention(
    spells: Spells,
    *,
    values: tuple[str, Sequence[str | None]] | None = None,
    segments: Mapping[str, Mask] | None = None,
    ahead: int | None = None,
    confidence: float = CONFIDENCE,
) -> Retention:
    """Curves of all and of each group, with the tests between them, and the projection.

    Args:
        spells: how long each stayed.
        values: a trait's name, and its value of each customer of ``spells``, None where there is none.
        segments: for each name one yes/no for each customer of ``spells``.
        ahead: how many periods to project; half as many as were seen by default.
        confidence: of the intervals.

    Raises:
        Refused: there are too few customers, or a trait has too many values.
    """
    time, left = spells.time, spells.left.astype(np.float64)
    if time.size < LEAST:
        raise Refused(
            f"A curve of retention needs {LEAST} customers with a contract; there {'is' if time.size == 1 else 'are'} "
            f"{time.size}.",
            fix="Load more contracts.",
        )
    curve = kaplan_meier(time, left, confidence)
    by, test, notes = "", None, list(spells.notes)
    groups: list[Group] = []
    if values is not None:
        by = values[0]
        groups, test, more = _by_value(by, values[1], time, left, confidence)
        notes += more
    elif segments:
        by = "segments"
        groups, more = _by_segment(segments, time, left, confidence)
        notes += more
    try:
        projection, why = project(time, left, ahead, confidence), ""
    except Refused as refusal:
        projection, why = None, str(refusal)
    return Retention(
        spells.period, spells.says, int(time.size), int(left.sum()), curve, whole_periods(curve, time), by,
        tuple(groups), test, projection, why, tuple(notes),
    )  # fmt: skip


def whole_periods(curve: Survival, time: ArrayLike) -> tuple[Step, ...]:
    """A curve after 0, 1, 2 … periods, to the last one that somebody was followed for."""
    ordered = np.sort(np.asarray(time, dtype=np.float64))
    periods = np.arange(int(curve.followed) + 1)
    followed = ordered.size - np.searchsorted(ordered, periods, "left")
    return tuple(
        Step(period, Interval(1.0, 1.0, 1.0) if period == 0 and not _left_at_once(curve) else curve.at(period), count)
        for period, count in zip(periods.tolist(), followed.tolist(), strict=True)
    )


def _left_at_once(curve: Survival) -> bool:
    return bool(curve.times) and curve.times[0] == 0


def _by_value(
    by: str, values: Sequence[str | None], time: Floats, left: Floats, confidence: float
) -> tuple[list[Group], LogRank | None, list[str]]:
    names, place = np.unique(np.array([v or "" for v in values], dtype=object), return_inverse=True)
    counts = dict(zip(names.tolist(), np.bincount(place, minlength=len(names)).tolist(), strict=True))
    without = counts.pop("", 0)
    small = [name for name, count in counts.items() if count < LEAST]
    large = sorted((name for name in counts if name not in small), key=lambda name: (-counts[name], name))
    if len(large) > MOST_GROUPS:
        raise Refused(
            f"{by} has {len(large)} values with {LEAST} customers or more; {MOST_GROUPS} can be compared at most.",
            fix="Take a trait with fewer values, or make segments.",
        )
    members = [place == int(np.flatnonzero(names == name)[0]) for name in large]
    groups = [_one(name, mask, time, left, confidence) for name, mask in zip(large, members, strict=True)]
    notes = [f"By the value of {by} that customers have now, which needn't be the one that they began with."]
    if without:
        notes.append(f"{without:,} customers have no {by}, and are in no group.")
    if small:
        notes.append(f"Groups of fewer than {LEAST} customers aren't compared: {', '.join(small)}.")
    return groups, _tested(members, time, left, notes), notes


def _tested(members: Sequence[Mask], time: Floats, left: Floats, notes: list[str]) -> LogRank | None:
    if len(members) < 2:
        notes.append("There is but one group, so there is nothing to compare.")
        return None
    among = np.any(members, axis=0)
    try:
        return log_rank(time[among], left[among], np.argmax(members, axis=0)[among])
    except Refused as refusal:
        notes.append(refusal.problem)
        return None


def _by_segment(
    segments: Mapping[str, Mask], time: Floats, left: Floats, confidence: float
) -> tuple[list[Group], list[str]]:
    notes = [
        "By the segments that customers are in now: one that asks for what comes with time looks loyal by its definition."
    ]
    kept = {name: mask for name, mask in segments.items() if mask.sum() >= LEAST}
    small = [name for name in segments if name not in kept]
    if small:
        notes.append(f"Segments with fewer than {LEAST} customers under contract have no curve: {', '.join(small)}.")
    groups = []
    for name, mask in sorted(kept.items(), key=lambda pair: (-int(pair[1].sum()), pair[0])):
        found: list[str] = []
        test = _tested([mask, ~mask], time, left, found) if not mask.all() else None
        groups.append(_one(name, mask, time, left, confidence, test))
    tests = [group.test.p for group in groups if group.test is not None]
    corrected = iter(holm(tests).tolist() if tests else ())
    return [_with_p(group, next(corrected)) if group.test is not None else group for group in groups], notes


def _with_p(group: Group, p: float) -> Group:
    from dataclasses import replace

    return replace(group, p=p)


def _one(name: str, mask: Mask, time: Floats, left: Floats, confidence: float, test: LogRank | None = None) -> Group:
    curve = kaplan_meier(time[mask], left[mask], confidence)
    return Group(name, int(mask.sum()), int(left[mask].sum()), curve, whole_periods(curve, time[mask]), test)


# ------------------------------------------------------------ projecting


def project(time: Floats, left: Floats, ahead: int | None = None, confidence: float = CONFIDENCE) -> Projection:
    """Fit the sBG on all periods that enough customers were followed for, and try it on the last of them.

    Args:
        time: periods that each stayed.
        left: 1 for who left.
        ahead: how many periods to project; half as many as were seen by default.
        confidence: of the intervals of what came.

    Raises:
        Refused: too few customers left, or their leaving can't tell how they differ; or scipy isn't installed.
    """
    lost, here = counted(time, left)
    ordered = np.sort(time)
    seen = ordered.size - np.searchsorted(ordered, np.arange(1, len(lost) + 1), "left")
    until = int((seen >= LEAST_SEEN).sum())
    if until < 2:
        raise Refused(
            f"A projection needs {LEAST_SEEN} customers who were followed for two periods.",
            fix="Take a shorter period.",
        )
    model = _fitted(lost, here, until)
    tried_on, tried, why = _tried(time, left, (lost, here), until, confidence)
    further = np.arange(until + 1, until + 1 + (max(1, until // 2) if ahead is None else ahead))
    here_then = kaplan_meier(time, left, confidence).at(until).value
    shares = (here_then * _stays(model, until, further)).tolist()
    return Projection(model, until, tried_on, tried, tuple(zip(further.tolist(), shares, strict=True)), why)


def _stays(model: ShiftedBetaGeometric, since: int, periods: NDArray[np.int64]) -> Floats:
    """P(still here after so many periods), given that somebody was here after ``since``: a curve goes on from where it is."""
    return model.survival(periods.astype(np.float64)) / model.survival(float(since))


def counted(time: Floats, left: Floats) -> tuple[Floats, Floats]:
    """Who left at the end of their period 1, 2, …, and who is here after so many; who wasn't seen for one tells nothing."""
    gone = left == 1
    ends = np.maximum(np.ceil(time[gone]), 1).astype(np.int64)
    stays = np.floor(time[~gone]).astype(np.int64)
    size = int(max(ends.max(initial=1), stays.max(initial=1)))
    lost, here = (np.bincount(column, minlength=size + 1)[1:].astype(np.float64) for column in (ends, stays))
    return lost, here


def _fitted(lost: Floats, here: Floats, until: int) -> ShiftedBetaGeometric:
    """On the first periods; who stayed longer is taken to be here after them."""
    from shoal.insight.models.kinds import needing

    with needing():
        from shoal.insight.models.btyd.contract import ShiftedBetaGeometric

        stays = here[:until].copy()
        stays[-1] += here[until:].sum() + lost[until:].sum()
        model = ShiftedBetaGeometric.fitted(lost[:until], stays)
    if model.fit is None or not model.fit.converged:
        why = model.fit.reason if model.fit else ""
        raise Refused(
            f"It can't be seen how customers differ in leaving. {why}".strip(),
            fix="Take a longer history, or more customers.",
        )
    return model


def _tried(
    time: Floats, left: Floats, counts: tuple[Floats, Floats], until: int, confidence: float
) -> tuple[int, tuple[Tried, ...], str]:
    if until < LEAST_PERIODS:
        return 0, (), f"It couldn't be tried: {LEAST_SEEN} customers were followed for {until} periods only."
    first = max(2, int(FITTED * until))
    try:
        model = _fitted(*counts, first)
    except Refused as refusal:
        return 0, (), f"It couldn't be tried on fewer periods. {refusal.problem}"
    curve = kaplan_meier(time, left, confidence)
    stay, start = 1 - _constant(time, left, first), curve.at(first).value
    periods = np.arange(first + 1, until + 1)
    shares = (start * _stays(model, first, periods)).tolist()
    found = [
        Tried(k, share, start * stay ** (k - first), curve.at(k))
        for k, share in zip(periods.tolist(), shares, strict=True)
    ]
    return first, tuple(found), ""


def _constant(time: Floats, left: Floats, first: int) -> float:
    """The rate of leaving in a period, if it were the same for all and always."""
    gone = float(((left == 1) & (time <= first)).sum())
    return gone / max(float(np.minimum(np.ceil(time), first).sum()), 1.0)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
