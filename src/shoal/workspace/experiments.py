"""The experiments of a workspace: what they ask, how long they take, who is in which arm, and who was exposed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.errors import Refused, ShoalError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from shoal.insight.experiments.assignment import Assignment
    from shoal.insight.experiments.catalogue import Experiments
    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.exposures import Exposures
    from shoal.insight.experiments.planning import Planned
    from shoal.insight.experiments.results import Result
    from shoal.insight.experiments.state import State
    from shoal.insight.metrics.definition import Metric
    from shoal.lang.schema import Schema
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace


_FEW = 3
"""For so many customers the population is asked of each; for more of all together."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an experiment is.

    Args:
        slug: of it.
        experiment: the definition; None where its file is gone or can't be accepted.
        state: planned, running, stopped or elsewhere.
        changed: what its file says otherwise than when it began.
    """

    slug: str
    experiment: Experiment | None
    state: State
    changed: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        said = {"slug": self.slug} if self.experiment is None else self.experiment.document()
        asked = said.pop("version", None)
        return {**said, **self.state.document(), "file_version": asked, "changed_since_start": list(self.changed)}


@dataclass(frozen=True, slots=True)
class Assigned:
    """The arm of a customer.

    Args:
        experiment: its slug.
        customer: the id that the arm is drawn by: that of whoever survived merges.
        arm: its name; None where they take no part.
        because: why they don't; empty where they do.
    """

    experiment: str
    customer: str
    arm: str | None
    because: str = ""

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "experiment": self.experiment, "customer": self.customer, "arm": self.arm, "because": self.because or None,
        }  # fmt: skip


def _drawn_into(drawn: Assignment, who: str) -> Assigned:
    arm = drawn.arm(who)
    held = any(one.holds(who) for one in drawn.holdouts)
    reason = "" if arm else "they are held out" if held else "another part of the layer is theirs"
    return Assigned(drawn.experiment, who, arm, reason)


class ExperimentsDoor:
    """The experiments of an open workspace; it is ``workspace.experiments``."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def __repr__(self) -> str:
        return "Experiments(catalogue, standing, plan, start, stop, assign, arms, exposures, result)"

    # ------------------------------------------------------------ what there is

    def catalogue(self) -> Experiments:
        """All experiment files, and the faults of those that can't be accepted."""
        from shoal.insight.experiments.catalogue import read_experiments

        ws = self._ws
        return read_experiments(ws.config.root, self._schema(), ws.metrics.catalogue().find)

    def _schema(self) -> Schema:
        """What a population may name: segments too that are gone since an experiment began with them."""
        from dataclasses import replace

        from shoal.insight.experiments.state import recorded

        schema = self._ws.schema
        kept = {slug: one for state in recorded(self._ws.store).values() for slug, one in state.segments.items()}
        return replace(schema, segments={**kept, **schema.segments})

    def find(self, name: str) -> Experiment:
        """The experiment of a slug or display name.

        Raises:
            UnknownName: there is none.
            DefinitionError: its file can't be accepted.
        """
        return self.catalogue().find(name)

    def _read(self, name: str) -> Experiment:
        """The same without a look at its metrics, which takes longer than all else that assignment needs."""
        from shoal.insight.experiments.catalogue import read_experiments

        return read_experiments(self._ws.config.root, self._schema()).find(name)

    def state(self, name: str) -> State:
        """How far an experiment is.

        Raises:
            UnknownName: there is none.
            DefinitionError: its file can't be accepted.
        """
        return self._state(self.find(name))

    def _state(self, experiment: Experiment) -> State:
        from shoal.insight.experiments.state import state_of

        return state_of(self._ws.store, experiment, self._ws.config.holdouts)

    def standing(self) -> list[Standing]:
        """All experiments by slug, those too whose file is gone after they began."""
        from shoal.insight.experiments.state import changes, recorded

        found = {}
        for slug, one in self.catalogue().definitions.items():
            state = self._state(one)
            changed = changes(one, state) if state.begun and state.version != one.version else []
            found[slug] = Standing(slug, one, state, tuple(changed))
        lost = {s: Standing(s, None, state) for s, state in recorded(self._ws.store).items() if s not in found}
        return [one for _, one in sorted({**found, **lost}.items())]

    # ------------------------------------------------------------ planning, starting, stopping

    def plan(self, name: str, *, as_of: When = None) -> Planned:
        """How many customers an experiment takes and how long, and what it can find, from what this workspace saw lately.

        Args:
            name: slug or display name.
            as_of: the instant; now by default.

        Raises:
            UnknownName: there is no such experiment.
            Refused: it ran elsewhere, or the data doesn't suffice.
        """
        from shoal.insight.experiments.planning import planned

        experiment = self.find(name)
        metric = self._ws.metrics.find(experiment.primary)
        with self._ws.metrics.as_of(as_of) as known:
            return planned(known, experiment, metric, self._ws.config.holdouts)

    def start(self, name: str, *, since: When = None) -> State:
        """Fix what is asked, and begin: from now on the arms are drawn, and the file mustn't change.

        Args:
            name: slug or display name.
            since: an earlier instant, where exposures were sent before anybody began it here.

        Raises:
            UnknownName: there is no such experiment.
            Refused: it ran elsewhere, runs, or is over; or its layer has no room.
        """
        from shoal.insight.experiments.state import start

        ws, experiment = self._ws, self.find(name)
        at = self._since(experiment, since)
        versions = {slug: one.version for slug, one in self.metrics(experiment, self._state(experiment)).items()}
        wanted = self._wanted(experiment)
        return start(
            ws.store,
            experiment,
            at,
            everywhere=ws.config.holdouts,
            segments=ws.definitions,
            metrics=versions,
            wanted=wanted,
        )

    def _since(self, experiment: Experiment, since: When) -> int:
        from shoal.insight.experiments.definition import AtStart

        now = self._ws.now()
        if since is None:
            return now
        if isinstance(experiment.exposure, AtStart):
            raise Refused(
                "Whoever is assigned at the start is taken when it is started: nobody can say afterwards who that was.",
                fix="Start it without an earlier instant.",
            )
        at = self._ws.instant(since)
        if at > now:
            raise Refused("An experiment can't be started ahead of time.", fix="Start it when it begins.")
        return at

    def metrics(self, experiment: Experiment, state: State) -> dict[str, Metric]:
        """What an experiment is judged by, by slug; once it has begun, as it was then.

        Raises:
            Refused: a metric was edited since.
        """
        from shoal.insight.experiments.state import hold_metrics

        known = self._ws.metrics.catalogue()
        found = {slug: known.find(slug) for slug in experiment.metrics}
        hold_metrics(experiment, state, {slug: one.version for slug, one in found.items()})
        return found

    def _wanted(self, experiment: Experiment) -> int | None:
        """How many customers its plan asks for; None where that can't be said of this data."""
        try:
            return self.plan(experiment.slug).wanted
        except ShoalError:
            return None

    def stop(self, name: str, *, because: str = "") -> State:
        """End a running experiment; its part of the layer is free then.

        Args:
            name: its slug, also where its file is gone; or its display name.
            because: why, for people.

        Raises:
            UnknownName: there is no such experiment.
            Refused: it doesn't run.
        """
        from shoal.insight.experiments.state import recorded, stop

        ws = self._ws
        slug = name if name in recorded(ws.store) else self.find(name).slug
        with ws.store.transaction():
            return stop(ws.store, slug, ws.now(), because)

    # ------------------------------------------------------------ who is in which arm

    def assign(self, name: str, customer: str | int) -> Assigned:
        """The arm of a customer: the same at every asking, on every machine.

        Args:
            name: slug or display name of the experiment.
            customer: an id. Of a merged-away one the survivor's arm is given; whoever isn't known yet is drawn by the id
                itself, unless the experiment has a population.

        Raises:
            UnknownName: there is no such experiment.
            Refused: it hasn't begun, its file was edited since, or others drew its arms.
        """
        return self.assign_all(name, [customer])[0]

    def assign_all(self, name: str, customers: Iterable[str | int]) -> list[Assigned]:
        """The arm of each of some customers; see ``assign``."""
        experiment, state = self._drawn(name)
        asked = [str(one) for one in customers]
        keys, ids = self._known(asked)
        who = [ids.get(keys.get(one, -1), one) for one in asked]
        if state.stage == "stopped":
            return [Assigned(experiment.slug, one, None, "it is over") for one in who]
        outside = self._outside(experiment, state, [keys.get(one) for one in asked])
        drawn = state.assignment(experiment)
        return [
            Assigned(experiment.slug, one, None, reason) if reason else _drawn_into(drawn, one)
            for one, reason in zip(who, outside, strict=True)
        ]

    def _known(self, asked: Sequence[str]) -> tuple[dict[str, int], dict[int, str]]:
        """The key of each customer's survivor by the id that was asked for, and the survivors' ids by key."""
        from shoal.sql.subjects import survivors

        store = self._ws.store
        found = store.rows("SELECT id, key FROM customers WHERE id IN (SELECT unnest(?::VARCHAR[]))", [list(asked)])
        gone = survivors(store)
        keys = {one: gone.get(key, key) for one, key in found}
        standing = store.rows(
            "SELECT key, id FROM customers WHERE key IN (SELECT unnest(?::INTEGER[]))", [sorted(set(keys.values()))]
        )
        return keys, dict(standing)

    def _outside(self, experiment: Experiment, state: State, keys: Sequence[int | None]) -> list[str]:
        """Why each isn't in the population; empty where they are."""
        if experiment.population is None:
            return [""] * len(keys)
        there = self._members(experiment, state, {key for key in keys if key is not None})
        nobody = "nobody is known under that id, so they aren't in the population"
        return [nobody if key is None else "" if key in there else "they aren't in the population" for key in keys]

    def _members(self, experiment: Experiment, state: State, keys: set[int]) -> set[int]:
        """Those of some customers who are in the population now."""
        from dataclasses import replace

        from shoal.lang.nodes import Definition
        from shoal.sql.engine import SqlEngine

        assert experiment.population is not None
        schema, at = self._ws.schema, self._ws.instant(None)
        engine = SqlEngine(self._ws.store, replace(schema, segments={**schema.segments, **state.segments}))
        asked = Definition(experiment.slug, experiment.name, experiment.population)
        if len(keys) <= _FEW:
            return {key for key in keys if engine.why(asked, key, at).truth}
        found = engine.evaluate({asked.slug: asked}, at, drafts=True)
        try:
            return keys & set(found.members(asked.slug)["key"].to_pylist())
        finally:
            found.close()

    def _drawn(self, name: str) -> tuple[Experiment, State]:
        """An experiment whose arms are drawn here, and how far it is.

        Raises:
            Refused: it hasn't begun, was edited since, or ran elsewhere.
        """
        from shoal.insight.experiments.state import hold

        experiment = self._read(name)
        state = self._state(experiment)
        if state.stage == "elsewhere":
            raise Refused(f"Others drew the arms of {experiment.slug!r}: nobody is assigned here.")
        if state.stage == "planned":
            raise Refused(
                f"{experiment.slug!r} hasn't begun yet.", fix=f"Begin it: shoal experiment start {experiment.slug}"
            )
        hold(experiment, state)
        return experiment, state

    def arms(self, name: str) -> Mapping[str, str]:
        """Each arm as a condition of the segment language, so that it can be a segment, on every engine.

        Raises:
            UnknownName: there is no such experiment.
            Refused: others drew its arms, its file was edited since it began, or it has a layer and hasn't begun yet.
        """
        from shoal.insight.experiments.state import hold
        from shoal.lang.nodes import Or
        from shoal.lang.show import show

        experiment = self.find(name)
        state = self._state(experiment)
        hold(experiment, state)
        if state.stage == "elsewhere":
            raise Refused(f"Others drew the arms of {experiment.slug!r}.", fix="See exposure: in its file.")
        if state.stage == "planned" and (experiment.layer or experiment.share < 1):
            raise Refused(
                f"{experiment.slug!r} gets its part of the layer when it begins.",
                fix=f"Begin it: shoal experiment start {experiment.slug}",
            )
        drawn, who = state.assignment(experiment), ""
        if experiment.population is not None:
            who = show(experiment.population, width=10_000)
            who = f"({who}) and " if isinstance(experiment.population, Or) else f"{who} and "
        return {arm: f"{who}{drawn.condition(arm)}" for arm in experiment.arms}

    # ------------------------------------------------------------ what came of it

    def result(
        self,
        name: str,
        *,
        by: Collection[str] = (),
        strata: str | None = None,
        winsorise: float | None = 0.999,
        cuped: bool = True,
        since_exposure: bool | None = None,
        as_of: When = None,
    ) -> Result:
        """What an experiment shows, by its plan.

        Args:
            name: slug or display name.
            by: segments or traits; of each, whether its groups respond differently.
            strata: a segment or trait by which figures are post-stratified, in the place of CUPED.
            winsorise: the quantile of all arms together above which money counts as the quantile; None cuts nothing.
            cuped: whether the time before the exposure is used.
            since_exposure: whether the effect is followed since the exposure; None does so for up to 250,000 customers.
            as_of: the instant; now by default.

        Raises:
            UnknownName: there is no such experiment, segment, trait or event.
            Refused: it hasn't begun by then, its file or a metric was edited since, or nobody takes part.
            DefinitionError: a file can't be accepted, or the primary metric can't be asked of customers of an experiment.
        """
        from shoal.insight.experiments.analysis import Asked
        from shoal.insight.experiments.looking import result_of
        from shoal.workspace.metrics import of_sessions

        if winsorise is not None and not 0.5 < winsorise < 1:
            raise Refused(
                f"Money isn't cut at the quantile {winsorise:g}.", fix="Take one between 0.5 and 1, as 0.999."
            )
        experiment = self.find(name)
        state = self._state(experiment)
        metrics = self.metrics(experiment, state)
        asked = Asked(tuple(by), strata, winsorise, cuped, since_exposure)
        sessions = any(of_sessions(metric) for metric in metrics.values())
        with self._ws.metrics.as_of(as_of, sessions=sessions) as known:
            return result_of(known, experiment, state, metrics, asked=asked, segments=self._ws.definitions)

    # ------------------------------------------------------------ who was exposed

    @contextmanager
    def exposures(self, name: str, *, as_of: When = None) -> Iterator[Exposures]:
        """Who takes part and who is left out for which reason; its table is gone afterwards.

        Args:
            name: slug or display name.
            as_of: the instant; now by default.

        Raises:
            UnknownName: there is no such experiment, or no such event, property, trait or column.
            Refused: it hasn't begun by then, or its file was edited since.
        """
        from shoal.insight.experiments.exposures import exposures

        experiment = self.find(name)
        with (
            self._ws.models.as_of(as_of) as known,
            exposures(known, experiment, self._state(experiment)) as found,
        ):
            yield found
