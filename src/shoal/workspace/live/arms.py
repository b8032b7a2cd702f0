"""Which arms a customer is in, of all experiments that run: answered at once, from what is in memory.

What runs is read every few seconds. Whether a customer is in the population of an experiment is the membership of this moment;
only a condition that is no segment in force is asked of the store.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.clock import stopwatch
from shoal.customers.identity import key_of
from shoal.errors import ShoalError
from shoal.insight.experiments.catalogue import read_experiments
from shoal.insight.experiments.state import hold, recorded
from shoal.lang.nodes import Definition, MemberOf
from shoal.sql.engine import SqlEngine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.insight.experiments.assignment import Assignment
    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.state import State
    from shoal.sql.store import Store
    from shoal.workspace.live.service import Live

FRESH = 2.0
"""Seconds after which it is looked anew what runs."""


class _Runs(NamedTuple):
    experiment: Experiment
    state: State
    drawn: Assignment


class Arms:
    """The arms of customers.

    Args:
        live: the workspace.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lock = Lock()
        self._looked = -FRESH
        self._runs: Sequence[_Runs] = ()

    def of(self, customer: str, *, known: bool = True) -> dict[str, dict[str, Any]]:
        """By experiment that runs, the customer's arm, or None with the reason.

        Args:
            customer: an id; of who was merged, the survivor's.
            known: whether the workspace knows them; whoever it doesn't is in no population.
        """
        return {one.experiment.slug: self._of(one, customer, known) for one in self._running()}

    def _of(self, one: _Runs, customer: str, known: bool) -> dict[str, Any]:
        if one.experiment.population is not None and not (known and self._inside(one, customer)):
            return {"arm": None, "because": "they aren't in the population"}
        arm = one.drawn.arm(customer)
        if arm is not None:
            return {"arm": arm, "because": None}
        held = any(holdout.holds(customer) for holdout in one.drawn.holdouts)
        return {"arm": None, "because": "they are held out" if held else "another part of the layer is theirs"}

    def _running(self) -> Sequence[_Runs]:
        with self._lock:
            if stopwatch() - self._looked >= FRESH:
                self._runs = self._read()
                self._looked = stopwatch()
            return self._runs

    def _read(self) -> Sequence[_Runs]:
        live = self._live
        states = {slug: one for slug, one in live.read(recorded).items() if one.stage == "running"}
        if not states:
            return ()
        with live.lock:
            schema = live.core.schema_with(live.core.engine.plan.definitions)
        found = []
        definitions = read_experiments(live.workspace.config.root, schema).definitions
        for slug, state in states.items():
            experiment = definitions.get(slug)
            if experiment is None:
                continue
            try:
                hold(experiment, state)
            except ShoalError:
                # Its file was edited since: nobody is drawn until that is put right; shoal experiment list says so.
                continue
            found.append(_Runs(experiment, state, state.assignment(experiment)))
        return found

    def _inside(self, one: _Runs, customer: str) -> bool:
        live, population = self._live, one.experiment.population
        assert population is not None
        with live.lock:
            engine = live.core.engine
            if isinstance(population, MemberOf):
                slug = population.segment
                now = engine.plan.definitions.get(slug)
                # The population is that of the start: a segment that was edited since is another one.
                if now is not None and now == one.state.segments.get(slug, now):
                    return bool(engine.is_member(slug, customer))
            schema, at = live.core.schema_with(engine.plan.definitions), engine.now
        pinned = replace(schema, segments={**schema.segments, **one.state.segments})
        asked = Definition(one.experiment.slug, one.experiment.name, population)

        def ask(store: Store) -> bool:
            return SqlEngine(store, pinned).why(asked, key_of(store, customer), at).truth

        return live.read(ask)
