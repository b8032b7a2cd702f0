"""Whether an experiment is planned, runs or is over, and what was fixed when it began.

It stands in the store's ``definitions`` under the kind ``experiment``: each start and stop is a version, nothing is
overwritten, and a backup takes it along. What was asked is fixed with it: a file that says something else later is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shoal.clock import iso
from shoal.errors import Refused, StatementError
from shoal.insight import calibration
from shoal.insight.experiments.assignment import Holdout, Slot, Span, free
from shoal.lang.files import definition_document, definition_from_document
from shoal.lang.references import references
from shoal.sql.layout import set_meta

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.insight.experiments.assignment import Assignment
    from shoal.insight.experiments.definition import Experiment
    from shoal.lang.nodes import Definition
    from shoal.sql.store import Store

Stage: TypeAlias = Literal["planned", "running", "stopped", "elsewhere"]
KIND = "experiment"
FORMAT = 1
_MOST = 90
_MET = ("conflict", "constraint")
"""In what the database says where two write the same row."""


@dataclass(frozen=True, slots=True)
class State:
    """How far an experiment is.

    Args:
        slug: of the experiment.
        stage: ``planned``, ``running`` or ``stopped``; ``elsewhere`` where others drew the arms, so that it is never started.
        started: the instant; None before.
        stopped: the instant; None before.
        because: why it was stopped.
        slot: its part of a layer; None is all customers.
        holdouts: the workspace's at the start.
        version: of the definition that it began with.
        meaning: what was asked then.
        segments: those that its population is made of, as they were then.
        metrics: the versions of its metrics then, by slug.
        wanted: how many customers its plan asked for then; None where that couldn't be said.
    """

    slug: str
    stage: Stage = "planned"
    started: int | None = None
    stopped: int | None = None
    because: str = ""
    slot: Slot | None = None
    holdouts: tuple[Holdout, ...] = ()
    version: str = ""
    meaning: Mapping[str, Any] = field(default_factory=dict)
    segments: Mapping[str, Definition] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    wanted: int | None = None

    @property
    def begun(self) -> bool:
        """Whether what was asked is fixed."""
        return self.stage in ("running", "stopped")

    def assignment(self, experiment: Experiment) -> Assignment:
        """Who is in which arm; before the start as if the experiment had its layer for itself."""
        return experiment.assignment(self.slot, self.holdouts)

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "state": self.stage,
            "started": None if self.started is None else iso(self.started),
            "stopped": None if self.stopped is None else iso(self.stopped),
            "because": self.because,
            "version": self.version or None,
            "layer": None if self.slot is None else {"name": self.slot.layer, "span": list(self.slot.span)},
            "holdouts": {one.name: one.share for one in self.holdouts},
            "customers_wanted": self.wanted,
        }


def state_of(store: Store, experiment: Experiment, everywhere: Sequence[Holdout] = ()) -> State:
    """How far an experiment is.

    Args:
        store: the workspace's store.
        experiment: the definition.
        everywhere: the workspace's holdouts, which are in force until those of the start are.
    """
    if experiment.elsewhere:
        return State(experiment.slug, "elsewhere")
    return recorded(store).get(experiment.slug) or State(experiment.slug, holdouts=tuple(everywhere))


def recorded(store: Store) -> dict[str, State]:
    """All experiments that were ever started, by slug; their files may be gone."""
    rows = store.rows(
        "SELECT slug, arg_max(document, version) FROM definitions WHERE kind = ? GROUP BY slug ORDER BY slug", [KIND]
    )
    return {slug: _read(slug, json.loads(text)) for slug, text in rows}


def hold_metrics(experiment: Experiment, state: State, versions: Mapping[str, str]) -> None:
    """Refuse a metric that means something else than when the experiment began.

    Raises:
        Refused: with the metric's name.
    """
    for slug, version in state.metrics.items():
        if state.begun and slug in experiment.metrics and versions.get(slug, version) != version:
            raise Refused(
                f"The metric {slug!r} was edited after {experiment.slug!r} began: it isn't what was to be judged by.",
                fix="Put its definition back; ask the new one with an experiment of its own.",
            )


def start(
    store: Store,
    experiment: Experiment,
    at: int,
    *,
    everywhere: Sequence[Holdout] = (),
    segments: Mapping[str, Definition] | None = None,
    metrics: Mapping[str, str] | None = None,
    wanted: int | None = None,
) -> State:
    """Fix what is asked, and begin.

    Args:
        store: the workspace's store.
        experiment: the definition.
        at: the instant.
        everywhere: the workspace's holdouts.
        segments: the workspace's, of which those that the population is made of are kept.
        metrics: the versions of the experiment's metrics, by slug.
        wanted: how many customers its plan asks for.

    Raises:
        Refused: it ran elsewhere, runs, or is over; or its layer has no room.
    """
    begun = State(
        slug=experiment.slug,
        stage="running",
        started=at,
        holdouts=tuple(everywhere),
        version=experiment.version,
        meaning=experiment.meaning,
        segments=_needed(experiment, segments or {}),
        metrics=dict(metrics or {}),
        wanted=wanted,
    )
    try:
        with store.transaction():
            _may_start(experiment, state_of(store, experiment))
            begun = replace(begun, slot=_slot(store, experiment))
            _keep(store, begun, at)
    except StatementError as error:
        if not any(word in error.reason.lower() for word in _MET):
            raise
        raise Refused("Another experiment is starting at this very moment.", fix="Start it again.") from error
    return begun


def _may_start(experiment: Experiment, before: State) -> None:
    name = experiment.slug
    if before.stage == "elsewhere":
        raise Refused(
            f"Others drew the arms of {name!r}: it isn't started from here.",
            fix=f"Look at what came of it: shoal experiment result {name}",
        )
    if before.stage == "running":
        hold(experiment, before)
        raise Refused(f"{name!r} runs already, since {iso(before.started or 0)}.")
    if before.stage == "stopped":
        raise Refused(
            f"{name!r} was stopped at {iso(before.stopped or 0)}. Begun again with the same arms, what the first time did to "
            "customers would count for the second.",
            fix="Copy its file under another name and start that one: it draws anew.",
        )


def stop(store: Store, slug: str, at: int, because: str = "") -> State:
    """End a running experiment. Its arms are never asked for again, and its part of the layer is free.

    Raises:
        Refused: it doesn't run.
    """
    before = recorded(store).get(slug)
    if before is None or before.stage != "running":
        when = "" if before is None else f" It was stopped at {iso(before.stopped or 0)}."
        raise Refused(f"{slug!r} doesn't run.{when}", fix=None if when else f"Begin it: shoal experiment start {slug}")
    over = replace(before, stage="stopped", stopped=max(at, before.started or at), because=because)
    _keep(store, over, at)
    return over


def hold(experiment: Experiment, state: State) -> None:
    """Refuse a definition that says something else than the one that it began with.

    Raises:
        Refused: with what changed.
    """
    if not state.begun or state.version == experiment.version:
        return
    changed = changes(experiment, state)
    if not changed:
        return
    said = "; ".join(changed)
    if state.stage == "running":
        raise Refused(
            f"{experiment.slug!r} runs, and its file was edited: {said}.",
            fix="Put that back; or stop it, and begin a new one in a file of its own.",
        )
    raise Refused(
        f"{experiment.slug!r} is over, and its file was edited afterwards: {said}. What is asked after the answer is known "
        "isn't answered by it.",
        fix="Put that back; ask anew with a new experiment.",
    )


def changes(experiment: Experiment, state: State) -> list[str]:
    """What a definition says otherwise than the one that it began with, in words."""
    now = json.loads(json.dumps(experiment.meaning))
    return [
        f"{key} was {_shown(state.meaning.get(key))} and is {_shown(value)}"
        for key, value in now.items()
        # A key that an earlier release didn't know says nothing of what was asked then.
        if key in state.meaning and value != state.meaning[key]
    ]


def _shown(value: object) -> str:
    if value is None or value in ("", [], {}):
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"


# ------------------------------------------------------------ layers and segments


def _slot(store: Store, experiment: Experiment) -> Slot | None:
    """A part of its layer that no running experiment has; an experiment without a layer may take a part of all customers."""
    if experiment.layer is None and experiment.share >= 1:
        return None
    layer = experiment.layer or experiment.slug
    # So that two that start at the same moment, on connections of their own, meet in one row: one of them is refused.
    set_meta(store, f"layer:{layer}", experiment.slug)
    return Slot(layer, free(taken(store, layer).values(), experiment.share, layer))


def taken(store: Store, layer: str) -> dict[str, Span]:
    """The parts of a layer that running experiments have, by slug."""
    return {
        slug: one.slot.span
        for slug, one in recorded(store).items()
        if one.stage == "running" and one.slot is not None and one.slot.layer == layer
    }


def _needed(experiment: Experiment, segments: Mapping[str, Definition]) -> dict[str, Definition]:
    """The segments that the population is a member of, and those that they are members of."""
    found: dict[str, Definition] = {}
    waiting = [] if experiment.population is None else sorted(references(experiment.population).segments)
    while waiting:
        slug = waiting.pop()
        if slug in segments and slug not in found:
            found[slug] = segments[slug]
            waiting += sorted(references(segments[slug].where).segments)
    return found


# ------------------------------------------------------------ the record


def _keep(store: Store, state: State, at: int) -> None:
    slot = state.slot
    document = {
        "format": FORMAT,
        "stage": state.stage,
        "started": state.started,
        "stopped": state.stopped,
        "because": state.because,
        "slot": None if slot is None else [slot.layer, slot.span.begin, slot.span.end],
        "holdouts": [[one.name, one.share] for one in state.holdouts],
        "version": state.version,
        "meaning": dict(state.meaning),
        "segments": {slug: definition_document(one) for slug, one in state.segments.items()},
        "metrics": dict(state.metrics),
        "wanted": state.wanted,
    }
    calibration.record(store, state.slug, document, at, kind=KIND)


def _read(slug: str, document: Mapping[str, Any]) -> State:
    if document["format"] > FORMAT:
        raise Refused(f"The experiment {slug!r} was recorded by a newer release.", fix="Upgrade Shoal.")
    slot = document["slot"]
    return State(
        slug,
        document["stage"],
        document["started"],
        document["stopped"],
        document["because"],
        None if slot is None else Slot(slot[0], Span(slot[1], slot[2])),
        tuple(Holdout(name, share) for name, share in document["holdouts"]),
        document["version"],
        document["meaning"],
        {name: definition_from_document(one) for name, one in document["segments"].items()},
        document["metrics"],
        document["wanted"],
    )
