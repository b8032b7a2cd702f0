"""Uplift in an open workspace: whom a treatment moves, by an experiment; and its place among segments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.errors import Refused
from shoal.lang.slug import slug_of
from shoal.wording import counted
from shoal.workspace.frames import as_form

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import altair as alt

    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.state import State
    from shoal.insight.metrics.definition import Metric
    from shoal.insight.models.uplift import Uplift
    from shoal.insight.uplift.fit import Fit
    from shoal.insight.uplift.judging import Found
    from shoal.insight.uplift.kept import Layout
    from shoal.insight.uplift.learners import Make
    from shoal.insight.uplift.units import Units
    from shoal.lang.nodes import Definition
    from shoal.workspace.frames import Form
    from shoal.workspace.models import Predicted
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace

    Step = Callable[[str, int, int], None]

AUTO = "auto"
TAG = "uplift"
PICTURES = ("qini", "value", "tenths")
_MOST_SLUG = 33


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was learnt of an arm, and what it was learnt from."""

    fit: Fit
    layout: Layout
    units: Units


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written: a model in force, its scores, and a segment.

    Args:
        model: the model's name, which is the trait's too.
        segment: the definition.
        members: how many it has.
        run: what scoring changed.
    """

    model: str
    segment: Definition
    members: int
    run: Predicted

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        from shoal.lang.show import show

        return {
            "model": self.model, "segment": self.segment.slug, "where": show(self.segment.where), "why": self.segment.why,
            "members": self.members,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Uplifted:
    """What an experiment shows of whom its treatments move.

    Args:
        at: the instant.
        experiment: the definition.
        metric: the outcome.
        found: of each arm that was held against the control.
    """

    at: int
    experiment: Experiment
    metric: Metric
    found: tuple[Found, ...]
    _learnt: Mapping[str, Learnt] = field(repr=False, default_factory=dict)
    _workspace: Workspace | None = field(repr=False, default=None)

    def arm(self, name: str | None = None) -> Found:
        """What was found of an arm; of the only one without a name.

        Raises:
            Refused: there are several, and none is named.
            UnknownName: there is no such arm.
        """
        from shoal.errors import UnknownName

        if name is None and len(self.found) == 1:
            return self.found[0]
        names = [one.arm for one in self.found]
        if name is None:
            raise Refused(
                f"{counted(len(names), 'arm')} were looked at: {', '.join(names)}.", fix="Name one: --arm NAME"
            )
        for one in self.found:
            if one.arm == name:
                return one
        raise UnknownName("arm", name, names)

    def table(self, form: Form = "arrow") -> Any:
        """The effect by tenth of the order, best first: ``arm``, ``tenth``, ``n``, ``effect``, ``low``, ``high``.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        import pyarrow as pa

        rows = [
            {"arm": one.arm, "tenth": i + 1, "n": g.n, "effect": g.effect.value, "low": g.effect.low, "high": g.effect.high}
            for one in self.found for i, g in enumerate(one.groups)
        ]  # fmt: skip
        return as_form(pa.Table.from_pylist(rows), form)

    def chart(self, picture: str = "qini", arm: str | None = None, width: int | None = None) -> alt.Chart:
        """A picture of an arm: ``qini`` (what the order gains), ``value`` (what treating pays), ``tenths`` (the effect).

        Raises:
            UnknownName: there is no such picture or arm.
        """
        from shoal.errors import UnknownName
        from shoal.views import theme
        from shoal.views.charts import uplift as charts

        if picture not in PICTURES:
            raise UnknownName("picture", picture, PICTURES)
        drawn = {"qini": charts.qini_curve, "value": charts.policy_curve, "tenths": charts.effect_by_tenth}[picture]
        return drawn(self.arm(arm), self.metric, width=theme.WIDE if width is None else width)

    def sentences(self, arm: str | None = None) -> list[str]:
        """What was found of an arm, in words."""
        from shoal.insight.uplift.telling import sentences

        return sentences(self.arm(arm), self.metric)

    def document(self) -> dict[str, Any]:
        """JSON-ready, without customers."""
        return {
            "as_of": clock.iso(self.at), "experiment": self.experiment.slug, "metric": self.metric.slug,
            "arms": [one.document() | {"says": self.sentences(one.arm)} for one in self.found],
        }  # fmt: skip

    def save(self, slug: str, arm: str | None = None) -> Saved:
        """Let "who to treat" be a segment: the model is kept and scores everybody, and a definition asks for its trait.

        Args:
            slug: of the segment; the trait is ``uplift_`` and the slug.
            arm: of several, which.

        Raises:
            Refused: nothing usable was found, or everybody or nobody is to be treated; or the segment is somebody else's.
        """
        found = self.arm(arm)
        if self._workspace is None:
            raise Refused("This was read from elsewhere and can't be saved.")
        return _save(self._workspace, self, found, self._learnt[found.arm], slug)


def uplift(
    workspace: Workspace,
    experiment: str,
    *,
    metric: str | None = None,
    arm: str | None = None,
    worth: float | None = None,
    cost: float = 0.0,
    share: float | None = None,
    learner: str = AUTO,
    make: Make | None = None,
    without: Collection[str] = (),
    as_of: When = None,
    progress: Step | None = None,
) -> Uplifted:
    """Whom the treatments of an experiment move, and what choosing by that is worth.

    Args:
        workspace: where.
        experiment: slug or name.
        metric: the outcome, by slug or name; the experiment's primary one by default.
        arm: only this one against the control; all by default.
        worth: of one of the outcome; 1 by default.
        cost: of treating one customer.
        share: treat so many, the best first; as many as pay by default.
        learner: ``s``, ``t``, ``x`` or ``dr``; ``auto`` chooses among them.
        make: makes the model that learners are built on, a new one at each call: any of scikit-learn; boosted trees by
            default. Missing values are NaN: a model that doesn't take them needs a pipeline that fills them.
        without: traits and events that are no features.
        as_of: the instant; now by default.
        progress: is called with (what, done, total).

    Raises:
        UnknownName: there is no such experiment, metric, arm or learner.
        Refused: chance didn't draw the arms, there are too few customers, or the metric says nothing of single ones.
    """
    from shoal.insight.models.kinds import needing

    asked, state, outcome = _asked(workspace, experiment, metric)
    with needing():
        from shoal.insight.uplift.fit import fit
        from shoal.insight.uplift.judging import judge
        from shoal.insight.uplift.learners import LEARNERS, trees
        from shoal.insight.uplift.units import read
    money = _money(outcome, worth, cost, share)
    kinds = tuple(LEARNERS) if learner == AUTO else (learner,)
    sessions = "Session" in _events(outcome)
    with workspace.metrics.as_of(as_of, sessions=sessions) as known:
        left = {*without, *({"Session"} if sessions else ())}
        units = read(known, asked, state, outcome, left)
    names = units.treated(arm)
    learnt: dict[str, Learnt] = {}
    found: list[Found] = []
    for name in names:
        sample, layout = units.sample(name)
        fitted = fit(sample, money, kinds, make or trees, _steps(progress, name))
        learnt[name] = Learnt(fitted, layout, units)
        found.append(judge(sample, fitted, money, arm=name, control=units.arms[0], arms=len(names), notes=units.notes))
    return Uplifted(known.at, asked, outcome, tuple(found), learnt, workspace)


def _asked(workspace: Workspace, name: str, metric: str | None) -> tuple[Experiment, State, Metric]:
    found = workspace.experiments.find(name)
    return found, workspace.experiments.state(found.slug), workspace.metrics.find(metric or found.primary)


def _money(metric: Metric, worth: float | None, cost: float, share: float | None) -> Any:
    from shoal.insight.uplift.fit import Money

    if cost < 0 or (worth is not None and worth <= 0):
        raise Refused(
            "A cost is 0 or more, and a worth more than 0.", fix="Leave them out to reckon in the metric's unit."
        )
    if share is not None and not 0 < share <= 1:
        raise Refused(f"A share lies above 0 and up to 1, not at {share:g}.", fix="Write 0.2 for a fifth.")
    if cost and worth is None and metric.unit != "money":
        raise Refused(
            f"What treating one customer costs ({cost:g}) can't be held against {metric.name}, which isn't money.",
            fix="Say what one of it is worth: --value AMOUNT",
        )
    return Money(1.0 if worth is None else worth, cost, share)


def _events(metric: Metric) -> set[str]:
    from shoal.lang import nodes as n
    from shoal.lang.tree import walk

    return {at.name for node in metric.nodes for at in walk(node) if isinstance(at, n.Events)}


def _steps(progress: Step | None, arm: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(f"learning from {arm}", done, total)


# ------------------------------------------------------------ saving


def _save(ws: Workspace, asked: Uplifted, found: Found, learnt: Learnt, slug: str) -> Saved:
    from shoal.insight.uplift.record import FRAME, Record

    if slug != slug_of(slug) or len(slug) > _MOST_SLUG:
        fix = f"Use lower case letters, digits and -, up to {_MOST_SLUG}, as who-to-treat."
        raise Refused(f"{slug!r} can't be the name of a segment with a trait of its own.", fix=fix)
    _hold_worth_saving(found, asked.metric)
    name = f"uplift_{slug.replace('-', '_')}"
    old = _ours(ws, slug, name)
    record = Record(asked.experiment.name, asked.metric, found)
    run = ws.models.take(_model(asked, found, learnt, name), {FRAME: [record.document()]})
    if name in run.skipped:
        raise Refused(run.skipped[name], fix="Save it under another name.")
    where, why = _condition(asked.experiment, found, name), _why(asked, found)
    if old is None:
        title = slug.replace("-", " ").capitalize()
        segment = ws.segments.add(title, where, slug=slug, why=why, tags=(TAG,))
    else:
        segment = ws.segments.edit(slug, where=where, why=why)
    told = ws.segments.evaluate([slug])
    try:
        members = told.sizes()[slug]
    finally:
        told.close()
    return Saved(name, segment, members, run)


def _hold_worth_saving(found: Found, metric: Metric) -> None:
    from shoal.insight.uplift.telling import headline, policy_says

    if not found.usable:
        raise Refused(headline(found), fix="There is nobody to choose: no segment is written.")
    if found.policy.threshold is None:
        raise Refused(
            policy_says(found, metric), fix="Say what treating costs (--cost), or how many to treat (--share)."
        )


def _ours(ws: Workspace, slug: str, trait: str) -> Definition | None:
    """The segment of this slug if it was written here."""
    from shoal.lang.references import references

    if slug in ws.catalogue.faults:
        raise Refused(f"The file of {slug} can't be accepted as it is.", fix="Mend or remove it first.")
    held = ws.definitions.get(slug)
    if held is not None and (TAG not in held.tags or trait not in references(held.where).traits):
        raise Refused(f"There is a segment {slug} that wasn't written by uplift.", fix="Save it under another name.")
    return held


def _model(asked: Uplifted, found: Found, learnt: Learnt, name: str) -> Uplift:
    from shoal.insight.models.learning.table import fingerprint
    from shoal.insight.models.model import Evidence, Measure, Settings
    from shoal.insight.models.uplift import Effects, Uplift
    from shoal.insight.uplift.kept import Kept
    from shoal.insight.uplift.telling import sentences

    units, qini = learnt.units, found.qini
    options = {
        "experiment": asked.experiment.slug, "metric": asked.metric.slug, "arm": found.arm, "control": found.control,
        "learner": found.kind,
    }  # fmt: skip
    measures = (
        Measure("model", "qini", qini.value, qini.low, qini.high, found.n),
        Measure("chance", "qini", 0.0, n=found.n),
    )
    evidence = Evidence(
        _label(asked, found), units.begin, units.end, fingerprint(units.table, units.outcome), found.n, measures,
        tuple(sentences(found, asked.metric)),
    )  # fmt: skip
    effects = Effects(units.plan, learnt.layout, Kept.of(learnt.fit.learner), float(learnt.fit.crossed.effect.mean()))
    looked = asked.experiment.window or units.end - units.begin
    return Uplift(Settings(name, "uplift", max(1, -(-looked // clock.DAY)), options), evidence, effects)


def _label(asked: Uplifted, found: Found) -> str:
    lower = " (more is better: by how much it falls)" if asked.metric.better == "lower" else ""
    return (
        f"What {found.arm}, against {found.control}, does to {asked.metric.name} of the customer{lower}, as the experiment "
        f"{asked.experiment.slug} taught."
    )


def _condition(experiment: Experiment, found: Found, trait: str) -> str:
    from shoal.lang.show import show

    threshold = found.policy.threshold or 0.0
    said = f"{trait} > {threshold:.6f}".rstrip("0").rstrip(".")
    # What was learnt of some customers says nothing of others.
    return said if experiment.population is None else f"({show(experiment.population, width=10_000)}) and {said}"


def _why(asked: Uplifted, found: Found) -> str:
    from shoal.insight.uplift.telling import headline, policy_says

    return f"{_label(asked, found)} {headline(found)} {policy_says(found, asked.metric)}"
