"""The decision banner: what the experiment says, in sentences that don't claim more than it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shoal.insight.experiments.results import ArmVerdict, Verdict
from shoal.insight.experiments.telling import chance, difference, figure, percent, plain, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.experiments.definition import Amount, Experiment
    from shoal.insight.experiments.plans import Course, Rule
    from shoal.insight.experiments.results import Comparison, Kind, Measured
    from shoal.insight.experiments.sampling import SampleCheck

_ORDER: tuple[Kind, ...] = ("harm", "undecided", "worse", "better", "different", "no difference shown")


def verdict(
    experiment: Experiment,
    metrics: Sequence[Measured],
    sample: SampleCheck,
    course: Course,
    rule: Rule,
    *,
    randomised: bool,
) -> Verdict:
    """What may be said.

    Args:
        experiment: with its guardrails and least effect.
        metrics: all of them, corrected.
        sample: a failed check blocks everything.
        course: how far it is.
        rule: whether the plan lets an effect be said now.
        randomised: without that groups are compared and nothing is called an effect.
    """
    n = sum(sample.n)
    if not randomised:
        return _compared(metrics)
    if sample.fails:
        return Verdict("blocked", f"No verdict: {_lower(sample.says)}")
    primary = metrics[0]
    if primary.refused is not None:
        return Verdict("undecided", f"Nothing can be said of {primary.name}: {primary.refused}")
    arms = tuple(_arm(experiment, metrics, place, course, rule, n) for place in range(len(primary.comparisons)))
    kind = next(kind for kind in _ORDER if any(one.kind == kind for one in arms))
    open_ = [_left_open(one, i) for one in metrics if one.role == "guardrail" for i in range(len(one.comparisons))]
    return Verdict(kind, _headline(kind, arms, course, n), arms, tuple(one for one in open_ if one))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _headline(kind: Kind, arms: Sequence[ArmVerdict], course: Course, n: int) -> str:
    named = ", ".join(one.arm for one in arms if one.kind == kind)
    return {
        "harm": f"A guardrail got worse in {named}.",
        "undecided": f"Not yet decided: {course.says(n)}.",
        "worse": f"Worse: {named}.",
        "better": f"Better: {named}.",
        "different": f"Different: {named}.",
    }.get(kind, "No difference shown.")


def _arm(
    experiment: Experiment, metrics: Sequence[Measured], place: int, course: Course, rule: Rule, n: int
) -> ArmVerdict:
    primary = metrics[0]
    told = primary.comparisons[place]
    harm = [_harm(one, place) for one in metrics if one.role == "guardrail"]
    harmed = [one for one in harm if one]
    says = _effect(experiment, primary, told, rule, place)
    kind: Kind = _kind(primary, told, place)
    if (kind == "no difference shown" and not rule.final) or not rule.deciding:
        kind = "undecided"
        says = _so_far(primary, told, course, rule)
    if harmed:
        return ArmVerdict(told.arm, "harm", " ".join([*harmed, says]))
    return ArmVerdict(told.arm, kind, says)


def _kind(primary: Measured, told: Comparison, place: int) -> Kind:
    if not told.sure or doubtful(primary, place):
        return "no difference shown"
    if primary.better == "neither":
        return "different"
    return "better" if (told.absolute.value > 0) == (primary.better == "higher") else "worse"


def doubtful(metric: Measured, place: int) -> bool:
    """Whether the bootstrap doesn't find what the interval finds: then the finding rests on few large amounts."""
    if metric.uncut is None or place >= len(metric.uncut.bootstrap):
        return False
    low, high = metric.uncut.bootstrap[place].low, metric.uncut.bootstrap[place].high
    return low <= 0 <= high and not metric.uncut.doubted[place]


def _effect(experiment: Experiment, primary: Measured, told: Comparison, rule: Rule, place: int) -> str:
    """The effect on the primary metric, as it may be said at the end of the plan."""
    name, arm = primary.name, told.arm
    size = _size(primary, told)
    if _kind(primary, told, place) == "no difference shown":
        if told.sure and primary.uncut is not None:
            boot = primary.uncut.bootstrap[place]
            return (
                f"{arm}: {name} differs by {size} by Welch's test, and yet the bootstrap's interval "
                f"({difference(boot.low, primary.unit)} to {difference(boot.high, primary.unit)}) holds 0: it rests on few "
                "large amounts, and isn't shown."
            )
        return f"{arm}: no difference of {name} is shown. {_excluded(experiment, primary, told)}"
    word = "higher" if told.absolute.value > 0 else "lower"
    sure = f", p {_p(told)}" if told.corrected is not None else ""
    if told.chance is not None:
        sure = f"; the chance that it is higher at all is {100 * told.chance:.1f} %, {_risk(primary, told)}"
    return f"{arm}: {name} is {word} by {size}{sure}.{_against_least(experiment, told)}"


def _p(told: Comparison) -> str:
    text = chance(told.corrected)
    return text if text.startswith("<") else f"= {text}"


def _risk(primary: Measured, told: Comparison) -> str:
    risk = told.risk or 0.0
    text = f"{100 * risk:.3g} %" if told.relative is not None else difference(risk, primary.unit).lstrip("+")
    return f"and choosing it costs {text} on average if that is wrong"


def _size(primary: Measured, told: Comparison) -> str:
    absolute = f"{difference(abs(told.absolute.value), primary.unit).lstrip('+')} ({span(told.absolute, primary.unit)})"
    if told.relative is None:
        return absolute
    return f"{absolute}, {percent(told.relative.value)} of the control's ({span(told.relative, primary.unit)})"


def _excluded(experiment: Experiment, primary: Measured, told: Comparison) -> str:
    """What effect a null result rules out, which is all that it says."""
    effect = told.effect
    within = f"What fits the data lies between {span(effect, primary.unit).replace(' to ', ' and ')}"
    least = experiment.effect
    shown = told.relative if least is not None and least.relative else told.absolute
    if least is None or shown is None:
        return f"{within}; larger effects are ruled out, smaller ones aren't."
    if -least.value < shown.low and shown.high < least.value:
        return f"{within}; an effect of {_amount(least, primary)}, the least that would matter, is ruled out."
    return f"{within}; an effect of {_amount(least, primary)}, the least that would matter, is not ruled out."


def _against_least(experiment: Experiment, told: Comparison) -> str:
    """Whether the effect is surely large enough to matter."""
    least = experiment.effect
    effect = None if least is None else told.relative if least.relative else told.absolute
    if least is None or effect is None:
        return ""
    near = effect.low if effect.value > 0 else -effect.high
    if near >= least.value:
        return f" That is at least the {least.text} that would matter."
    return f" Whether it reaches the {least.text} that would matter isn't shown."


def _amount(least: Amount, primary: Measured) -> str:
    return least.text if least.relative else difference(least.value, primary.unit).lstrip("+")


def _so_far(primary: Measured, told: Comparison, course: Course, rule: Rule) -> str:
    early = " It was stopped before its planned end, so that the planned test can't be made." if course.early else ""
    held = "" if rule.deciding else "; this is no verdict"
    size = f"{difference(told.absolute.value, primary.unit)} ({span(told.absolute, primary.unit)})"
    if told.chance is not None:
        size += f", chance to be higher {100 * told.chance:.1f} %"
    return f"{told.arm}: {primary.name} so far {size}{held}.{early}"


# --------------------------------------------------------------------------- guardrails


class _Worse(NamedTuple):
    """A change for the worse: as measured, its least and its most, and what may be borne of it; all in one form."""

    value: float
    least: float
    most: float
    borne: float


def _worse(metric: Measured, told: Comparison) -> _Worse | None:
    """None where neither way is worse. Where there is no relative effect, a relative tolerance is one of the control's figure."""
    effect = told.relative if metric.relative and told.relative is not None else told.absolute
    borne = metric.borne if effect.relative or not metric.relative else metric.borne * abs(metric.figures[0].value)
    if metric.better == "neither":
        return None
    if metric.better == "higher":
        return _Worse(-effect.value, -effect.high, -effect.low, borne)
    return _Worse(effect.value, effect.low, effect.high, borne)


def _harm(metric: Measured, place: int) -> str:
    """A guardrail that is worse by more than is tolerated, and not by chance."""
    if place >= len(metric.comparisons):
        return ""
    told = metric.comparisons[place]
    worse = _worse(metric, told)
    if worse is None or worse.least <= 0 or worse.value <= worse.borne:
        return ""
    more = f", more than the {metric.tolerated} that may be borne" if metric.tolerated else ""
    return f"{told.arm}: {metric.name} is worse by {_size(metric, told)}{more}."


def _left_open(metric: Measured, place: int) -> str:
    """A guardrail of which it isn't shown that it holds."""
    told = metric.comparisons[place]
    worse = _worse(metric, told)
    if worse is None or _harm(metric, place) or not metric.tolerated or worse.most <= worse.borne:
        return ""
    return (
        f"Guardrail {metric.name} in {told.arm}: a change for the worse beyond {metric.tolerated} isn't ruled out "
        f"({span(told.effect, metric.unit)})."
    )


# --------------------------------------------------------------------------- where chance drew nothing

CAUTION = (
    "Chance didn't draw these groups, so they may differ by who is in them. This is a difference between groups, and says "
    "nothing of what would have been otherwise."
)


def _compared(metrics: Sequence[Measured]) -> Verdict:
    """Groups beside one another, without a word of cause."""
    primary = metrics[0]
    if primary.refused is not None:
        return Verdict("compared", f"Compared, not caused: nothing can be said of {primary.name}. {primary.refused}")
    rows = []
    for told, shown in zip(primary.comparisons, primary.figures[1:], strict=True):
        control = primary.figures[0]
        how = "adjusted by strata, " if any(one.adjusted != one.value for one in (control, shown)) else ""
        rows.append(
            ArmVerdict(
                told.arm,
                "compared",
                f"{told.arm} has {figure(shown.value, primary.unit)}, {control.arm} {figure(control.value, primary.unit)}: "
                f"{how}a difference of {difference(told.absolute.value, primary.unit)} ({span(told.absolute, primary.unit)}).",
            )
        )
    head = f"Compared, not caused: {primary.name} in {_in_words(len(rows) + 1)} groups."
    return Verdict("compared", head, tuple(rows), (CAUTION,))


def _in_words(n: int) -> str:
    """A small number in words."""
    return {2: "two", 3: "three", 4: "four", 5: "five"}.get(n, plain(n))
