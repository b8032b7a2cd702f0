"""Experiments as their pages show them: how each stands, what came of it, and a new one planned before it is written."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from shoal.errors import DefinitionError, Refused, ShoalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.results import Measured, Result
    from shoal.workspace.opening import Workspace
    from shoal.workspace.questions import Answer

    Told = dict[str, Any]

_KEY = re.compile(r"^([a-z_]+):", re.MULTILINE)


def every(workspace: Workspace) -> Told:
    """All experiments with how far they are, and the faults of files."""
    faults = workspace.experiments.catalogue().faults
    names = {slug: one.name for slug, one in workspace.metrics.catalogue().definitions.items()}
    return {
        "experiments": [_standing(one.document(), names) for one in workspace.experiments.standing()],
        "faults": {slug: str(error) for slug, error in faults.items()},
    }


def _standing(said: Told, names: Mapping[str, str]) -> Told:
    primary = said.get("primary")
    return said | {"name": said.get("name", said["slug"]), "judged_by": names.get(primary, primary) if primary else ""}


def one(workspace: Workspace, *, slug: str) -> Told:
    """One experiment: what it asks, how far it is, and by what it can be split."""
    door = workspace.experiments
    standing = next((each for each in door.standing() if each.slug == slug), None)
    if standing is None:
        door.find(slug)
        raise Refused(f"Nothing is known of {slug!r}.")
    names = {one.slug: one.name for one in workspace.metrics.catalogue().definitions.values()}
    return _standing(standing.document(), names) | {
        "asks": _asks(standing.experiment, workspace),
        "names": names,
        "splits": {one: d.name for one, d in workspace.definitions.items()} | {t: t for t in _traits(workspace)},
    }


def _traits(workspace: Workspace) -> list[str]:
    from shoal.lang.schema import Kind

    return sorted(name for name, kind in workspace.schema.traits.items() if kind in (Kind.TEXT, Kind.YESNO))


def _asks(experiment: Experiment | None, workspace: Workspace) -> Told | None:
    """What an experiment asks, in words; None where its file is gone."""
    from shoal.lang.say import say

    if experiment is None:
        return None
    whom = "Everyone" if experiment.population is None else say(experiment.population, workspace.schema)
    return {"population": whom, "arms": list(experiment.arms.items()), "hypothesis": experiment.hypothesis,
            "effect": experiment.effect and experiment.effect.text, "why": experiment.why}  # fmt: skip


# ------------------------------------------------------------ what came of it


def result(workspace: Workspace, *, slug: str, by: list[str]) -> Told:
    """What an experiment shows: the banner, its health, and the report's tables and charts of it."""
    from shoal.views.report import experiments
    from shoal.workspace.asked.sections import facts_of, told

    found = workspace.experiments.result(slug, by=by)
    tried = SimpleNamespace(experiments=[found], missing=())
    section = told(experiments.experiments(facts_of(workspace, found.at, tried=tried)))
    # The head is the page's, and the verdict stands in its banner.
    section["blocks"] = [block for block in section["blocks"] if block["kind"] not in ("head", "text")]
    section["lead"] = ""
    return section | {
        "verdict": {
            "kind": found.verdict.kind, "headline": found.verdict.headline, "sentences": list(found.verdict.sentences),
            "arms": [[arm.arm, arm.kind, arm.says] for arm in found.verdict.arms],
        },
        "health": _health(found), "progress": found.progress, "at": found.at,
    }  # fmt: skip


def _health(found: Result) -> Told:
    """What must hold for the result to be read: sizes of the arms, guardrails, and what the past saved."""
    first = found.metrics[0]
    return {
        "customers": sum(found.n.values()),
        "arms": list(found.n.items()),
        "planned": bool(found.sample.expected),
        "sample_fails": found.sample.fails,
        "sample_p": found.sample.p,
        "sample_says": found.sample.says,
        "reduction": first.reduction,
        "method": first.method,
        "guardrails": [[one.name, _guarded(one, found)] for one in found.metrics if one.role == "guardrail"],
    }


def _guarded(metric: Measured, found: Result) -> str:
    """Whether a guardrail holds: the whole interval says so, or it can't be said yet."""
    if metric.refused is not None or not metric.comparisons or found.sample.fails:
        return "not known"
    worse = 1 if metric.better == "lower" else -1
    ends = []
    for one in metric.comparisons:
        effect = one.relative if metric.relative and one.relative is not None else one.absolute
        ends.append(tuple(sorted((worse * effect.low, worse * effect.high))))
    # Positive is worse here; ``borne`` may be.
    if any(low > metric.borne for low, _ in ends):
        return "broken"
    return "holds" if all(high <= metric.borne for _, high in ends) else "not decided"


def plan(workspace: Workspace, *, slug: str) -> Told:
    """What an experiment takes, from what came lately."""
    return workspace.experiments.plan(slug).document() | {"name": workspace.experiments.find(slug).name}


# ------------------------------------------------------------ a new one


def draft(workspace: Workspace, *, slug: str, text: str, planned: bool = True) -> Told:
    """A file that isn't written yet: what is wrong with it, or what the experiment would take.

    Args:
        workspace: where.
        slug: the name that the file is to have.
        text: what it is to hold.
        planned: whether to say what it takes.
    """
    from shoal.insight.experiments.planning import planned as plan_of

    try:
        experiment = _read(workspace, slug, text)
    except DefinitionError as fault:
        return {"fault": _fault(fault, text)}
    if not planned:
        return {"fault": None}
    try:
        metric = workspace.metrics.find(experiment.primary)
        with workspace.metrics.as_of() as known:
            found = plan_of(known, experiment, metric, workspace.config.holdouts)
    except ShoalError as refusal:
        return {"fault": None, "plan": None, "refused": str(refusal)}
    return {"fault": None, "plan": found.document(), "refused": ""}


def _read(workspace: Workspace, slug: str, text: str) -> Experiment:
    from shoal.insight.experiments.catalogue import path_of
    from shoal.insight.experiments.reading import check_experiment, read_experiment

    root = workspace.config.root
    place = str(path_of(root, slug).relative_to(root))
    found = read_experiment(text, slug=slug, place=place, schema=workspace.schema, root=root)
    check_experiment(found, workspace.metrics.catalogue().find, text, place=place)
    return found


def _fault(fault: DefinitionError, text: str) -> Told:
    """A fault with the key of the file that it lies in."""
    said = text if fault.text is None else fault.text
    before = said[: len(said) if fault.start is None else fault.start + 1]
    keys = _KEY.findall(before) if fault.start is not None else []
    return {"key": keys[-1] if keys else "", "problem": fault.problem, "fix": fault.fix}


def write(workspace: Workspace, *, slug: str, text: str) -> Told:
    """Write a new experiment's file.

    Raises:
        DefinitionError: it can't be accepted.
        Refused: there is one of this name already.
        StoreError: it can't be written.
    """
    from shoal.errors import unwritten
    from shoal.insight.experiments.catalogue import path_of

    _read(workspace, slug, text)
    path = path_of(workspace.config.root, slug)
    try:
        path.parent.mkdir(exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Refused(f"There is an experiment {slug!r} already.", fix="Give this one another name.") from None
    except OSError as error:
        raise unwritten(error, path) from error
    return {"slug": slug}


def choices(workspace: Workspace) -> Told:
    """What a new experiment may name: metrics, segments and events."""
    return {
        "metrics": [[one.slug, one.name] for one in workspace.metrics.catalogue().definitions.values()],
        "segments": [[slug, d.name] for slug, d in workspace.definitions.items()],
        "events": sorted(workspace.schema.events),
    }


def start(workspace: Workspace, *, slug: str) -> Told:
    """Begin an experiment."""
    return workspace.experiments.start(slug).document()


def stop(workspace: Workspace, *, slug: str, because: str) -> Told:
    """End a running experiment."""
    return workspace.experiments.stop(slug, because=because).document()


QUESTIONS: Mapping[str, Answer] = {
    "experiments told": every,
    "experiment": one,
    "experiment told": result,
    "experiment planned": plan,
    "experiment draft": draft,
    "experiment choices": choices,
    "write experiment": write,
    "start experiment": start,
    "stop experiment": stop,
}
