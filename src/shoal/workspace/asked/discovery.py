"""Groups that the machine found, as their page shows them: evidence, personas, what is proposed, and accepted ones as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.workspace.opening import Workspace
    from shoal.workspace.questions import Answer

    Told = dict[str, Any]


def every(workspace: Workspace) -> Told:
    """The micro-segments in force with their evidence; nothing where none were discovered."""
    from shoal.insight.discovery import keeping
    from shoal.insight.discovery.refresh import TRAIT
    from shoal.views.report import micro
    from shoal.views.report.facts import Micro
    from shoal.workspace.asked.sections import facts_of, told

    version = keeping.in_force(workspace.store)
    if version is None:
        return {"version": None, "blocks": [], "lead": "", "segments": [], "proposal": []}
    proposal = keeping.open_proposal(workspace.store, version.number)
    reasons = list(proposal.reasons) if proposal is not None else []
    every = workspace.discovery.history()
    names = {one.id: one.name for each in reversed(every) for one in each.found.segments}
    micro_ = Micro(version, names, proposal=reasons)
    return told(micro.micro_segments(facts_of(workspace, version.fitted, micro=micro_))) | {
        "version": version.number, "fitted": version.fitted, "proposal": reasons, "trait": TRAIT,
        "segments": [_segment(one) for one in version.found.segments],
        "history": [[v.number, v.fitted, len(v.found.segments), v.found.verdict, v.in_force] for v in every],
        "files": sorted(workspace.definitions),
    }  # fmt: skip


def _segment(one: Any) -> Told:
    return {
        "id": one.id, "name": one.name, "size": one.size, "share": one.share, "revenue_share": one.revenue_share,
        "standing": one.standing, "jaccard": one.jaccard, "distinct": one.distinct,
        "where": one.rule.where, "fidelity": one.rule.fidelity,
    }  # fmt: skip


def accept(workspace: Workspace, *, segment: str) -> Told:
    """Write one of the groups as a segment's file."""
    done = workspace.discovery.write_segments([segment])
    return {"written": list(done.written), "left": {slug: str(why) for slug, why in done.kept.items()}}


def use(workspace: Workspace, *, version: int) -> Told:
    """Put another version in force."""
    return {"customers": workspace.discovery.use(version).customers}


QUESTIONS: Mapping[str, Answer] = {"discovery told": every, "accept group": accept, "use discovery": use}
