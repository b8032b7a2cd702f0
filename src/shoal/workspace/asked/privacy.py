"""Consent and privacy as their page shows them: who agreed to what, over time; who is withheld from what, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.clock import from_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.lang.nodes import Definition
    from shoal.workspace.opening import Workspace
    from shoal.workspace.questions import Answer

    Told = dict[str, Any]

_MOST = 36


def standing(workspace: Workspace) -> Told:
    """By purpose, who agreed, who refused, of whom nothing is on record; erasures, and what is kept how long."""
    from shoal.sql.layout import meta
    from shoal.sql.subjects import survivors

    ((known,),) = workspace.store.rows("SELECT count(*) FROM customers")
    customers = known - len(survivors(workspace.store))
    retention = workspace.config.retention
    gone = workspace.privacy.expire(dry_run=True) if retention else {}
    erased = workspace.store.rows("SELECT received FROM tombstones GROUP BY received ORDER BY received DESC")
    return {
        "customers": customers,
        "purposes": [_purpose(workspace, name, basis.value, customers) for name, basis in workspace.config.purposes.items()],
        "default": workspace.config.default_purpose,
        "erased": [at for (at,) in erased],
        "compact_due": "compact_due" in meta(workspace.store),
        "retention": [[name, None if span is None else span / 86_400_000_000] for name, span in retention.events.items()],
        "retention_default": None if retention.default is None else retention.default / 86_400_000_000,
        "too_old": gone,
    }  # fmt: skip


def _purpose(workspace: Workspace, name: str, basis: str, customers: int) -> Told:
    from shoal.customers.profiles import current_consents

    now = current_consents(workspace.store, name, workspace.moment(), refusals_ahead=True)
    ((yes, no),) = workspace.store.rows(
        f"SELECT count(*) FILTER (WHERE granted), count(*) FILTER (WHERE NOT granted) FROM ({now})"
    )
    return {"name": name, "basis": basis, "yes": yes, "no": no, "unknown": customers - yes - no}


def over_time(workspace: Workspace, *, purpose: str, width: int) -> Told:
    """Who agreed and who refused, at the end of each month."""
    from shoal.customers.profiles import current_consents
    from shoal.lang.calendar import unit_start, zone
    from shoal.views import charts
    from shoal.workspace.asked.sections import drawn

    ((first,),) = workspace.store.rows("SELECT min(ts) FROM consents WHERE purpose = ? AND retired IS NULL", [purpose])
    rules, now = zone(workspace.config.zone), workspace.now()
    rows: list[Told] = []
    if first is not None:
        today, begun = int(rules.day(now)), int(rules.day(first))
        starts = [unit_start(today, "month", back) for back in range(_MOST)]
        ends = [rules.starts(day) for day in reversed(starts) if day > begun] + [now]
        for at in ends:
            found = current_consents(workspace.store, purpose, at)
            ((yes, no),) = workspace.store.rows(
                f"SELECT count(*) FILTER (WHERE granted), count(*) FILTER (WHERE NOT granted) FROM ({found})"
            )
            day = f"{from_instant(at).astimezone(rules.rules):%Y-%m-%d}"
            rows += [{"segment": "Agreed", "at": day, "size": yes}, {"segment": "Refused", "at": day, "size": no}]
    if not rows:
        from shoal.errors import Refused

        raise Refused(
            "No consent is on record for this purpose.", fix="Map consents: of a source, or send them as events."
        )
    title = f"{rows[-2]['size']:,} agree to {purpose.replace('_', ' ')}, {rows[-1]['size']:,} refuse"
    chart = charts.size_lines(
        rows, title=title, subtitle="customers, at the beginning of each month and now", width=width
    )
    return drawn(chart, rows, {"at": "Day", "segment": "Word", "size": "Customers"})


def withheld(workspace: Workspace) -> Told:
    """Of each segment, how many members may be written to for its purpose, and why the others may not."""
    from shoal.errors import PurposeError, UnknownName

    found, for_analysis = [], []
    evaluation = workspace.engine.evaluate(workspace.definitions, workspace.now())
    try:
        for slug, definition in workspace.definitions.items():
            try:
                found.append(_reach(workspace, evaluation, slug, definition))
            except (PurposeError, UnknownName) as why:
                for_analysis.append({"slug": slug, "name": definition.name, "why": why.problem, "fix": why.fix or ""})
    finally:
        evaluation.close()
    return {"segments": found, "for_analysis": for_analysis}


def _reach(workspace: Workspace, evaluation: Any, slug: str, definition: Definition) -> Told:
    from shoal.action.activation import purpose_of

    purpose, basis = purpose_of(definition, workspace.config.purposes)
    members = {int(key) for key in evaluation.members(slug).column("key").to_pylist()}
    words = _words(workspace, purpose)
    reasons: dict[str, int] = {}
    for key in members:
        why = _why(words.get(key), basis.value)
        if why:
            reasons[why] = reasons.get(why, 0) + 1
    return {"slug": slug, "name": definition.name, "purpose": purpose, "members": len(members),
            "reachable": len(members) - sum(reasons.values()), "withheld": reasons}  # fmt: skip


def _words(workspace: Workspace, purpose: str) -> dict[int, bool]:
    from shoal.customers.profiles import current_consents

    now = current_consents(workspace.store, purpose, workspace.moment(), refusals_ahead=True)
    return {int(key): bool(granted) for key, granted in workspace.store.rows(f"SELECT customer, granted FROM ({now})")}


def _why(granted: bool | None, basis: str) -> str:
    """Why somebody is withheld; empty where they aren't."""
    from shoal.action.activation import NO_CONSENT, OBJECTED, REFUSED

    if basis == "consent":
        return NO_CONSENT if granted is None else "" if granted else REFUSED
    return OBJECTED if granted is False else ""


QUESTIONS: Mapping[str, Answer] = {
    "privacy told": standing,
    "consents over time": over_time,
    "withheld told": withheld,
}
