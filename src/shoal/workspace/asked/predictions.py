"""Models as their pages show them: what each rests on, how its scores spread, whom it is worth what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from shoal.clock import HOUR
from shoal.errors import Refused, ShoalError, UnknownName
from shoal.lang.schema import Kind
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    import numpy.typing as npt

    from shoal.insight.models.versions import Version
    from shoal.sql.registry import Trait
    from shoal.workspace.opening import Workspace
    from shoal.workspace.questions import Answer

    Told = dict[str, Any]

_STEPS = 20
_MICRO = 1e6
_REASONS = 12
_COHORTS = 24


def every(workspace: Workspace) -> Told:
    """All models with how good they are against their baselines."""
    from shoal.insight.models.kinds import EVERY
    from shoal.views.report.predictions import verdict
    from shoal.workspace.reports import foretold

    held = {one.name: one for one in workspace.models.in_force()}
    found = []
    for name, settings in workspace.models.every().items():
        version = held.get(name)
        said: Told = {"name": name, "title": EVERY[settings.kind].title, "looks": settings.looks, "kind": settings.kind}
        if version is not None:
            worth, behind = verdict(foretold(version))
            said |= {"version": version.number, "fitted": version.fitted, "customers": version.evidence.customers,
                     "worth": worth, "behind": behind, "fallback": version.evidence.fallback}  # fmt: skip
        found.append(said)
    return {"models": found}


def alarms(workspace: Workspace) -> Told:
    """By model, the scores that spread otherwise than at the fit."""
    return {"drift": {
        name: [one.document() for one in moved if one.alarming] for name, moved in workspace.models.drift().items()
    }}  # fmt: skip


def one(workspace: Workspace, *, name: str) -> Told:
    """One model: its evidence and charts as the report has them, its scores, its versions."""
    from shoal.insight.models.kinds import EVERY

    settings = workspace.models.settings(name)
    said = {"name": name, "title": EVERY[settings.kind].title, "kind": settings.kind, "looks": settings.looks}
    versions = workspace.models.versions(name)
    held = next((v for v in versions if v.in_force), None)
    if held is None:
        return said | {"fitted": None, "versions": [], "traits": [], "blocks": [], "lead": ""}
    return _section(workspace, held, versions) | said | {
        "fitted": held.fitted, "version": held.number,
        "versions": [_version(v) for v in versions],
        "traits": [_described(trait, note) for trait, note in _written(workspace, name)],
        "reasons": list(_reasons(workspace, name)),
    }  # fmt: skip


def _version(version: Version) -> Told:
    label, note = version.evidence.label, next(iter(version.evidence.notes), "")
    return {"number": version.number, "fitted": version.fitted, "in_force": version.in_force,
            "customers": version.evidence.customers, "label": label, "note": note}  # fmt: skip


def _section(workspace: Workspace, held: Version, versions: list[Version]) -> Told:
    from shoal.insight.holdings import holdings
    from shoal.views.report import predictions, uplift
    from shoal.views.report.facts import Predictions
    from shoal.workspace.asked.sections import facts_of, told
    from shoal.workspace.reports import expected_value, foretold

    trait, says = expected_value(workspace.store, {held.name}) if held.settings.kind == "value" else ("", "")
    value = holdings(workspace.store, trait, workspace.now()) if trait else None
    model = foretold(held, versions)
    facts = facts_of(workspace, predictions=Predictions([model], value, says))
    section = told(uplift.uplift(facts) if model.by == "qini" else predictions.predictions(facts))
    section["blocks"] = [b for b in section["blocks"] if b["kind"] != "head" or b["text"] == "Expected value"]
    return section


def _written(workspace: Workspace, name: str) -> Iterator[tuple[Trait, Told]]:
    """The traits that a model writes, with what is kept of them."""
    from shoal.sql.registry import Registry

    registry = Registry.load(workspace.store)
    rows = workspace.store.rows(
        "SELECT name, note FROM traits WHERE score AND scope = 'customer' AND note IS NOT NULL ORDER BY name"
    )
    for trait, text in rows:
        note, known = json.loads(text), registry.trait(trait)
        if note.get("model") == name and known is not None:
            yield known, note


def _described(trait: Trait, note: Told) -> Told:
    return {"name": trait.name, "kind": trait.kind.value, "says": note.get("computed", ""),
            "numeric": trait.kind is Kind.NUMBER}  # fmt: skip


def _reasons(workspace: Workspace, name: str) -> Iterator[Told]:
    """What scores rest on, over all customers: the commonest reasons that the model wrote."""
    from shoal.customers.profiles import current_values

    for trait, _ in _written(workspace, name):
        if trait.kind is not Kind.TEXT or not trait.name.endswith("_reason"):
            continue
        values = current_values(workspace.store, trait, workspace.now())
        rows = workspace.store.rows(
            f"SELECT value, count(*) FROM ({values}) WHERE value IS NOT NULL GROUP BY value ORDER BY count(*) DESC, value"
        )
        whole = sum(many for _, many in rows)
        shown = [{"reason": text, "customers": many, "share": many / whole} for text, many in rows[:_REASONS]]
        yield {"trait": trait.name, "rows": shown, "more": max(0, len(rows) - _REASONS)}


def reasons_of(workspace: Workspace, *, name: str, customer: str) -> Told:
    """What a customer's scores rest on."""
    return {"customer": customer, "reasons": list(workspace.models.reasons(customer, name)[name])}


# ------------------------------------------------------------ how scores spread


def spread(workspace: Workspace, *, name: str, trait: str, width: int) -> Told:
    """How a score spreads over customers; each step leads to a segment of it."""
    from shoal.views import words as w
    from shoal.views.charts.scores import score_histogram
    from shoal.workspace.asked.sections import drawn

    known = next((t for t, _ in _written(workspace, name) if t.name == trait and t.kind is Kind.NUMBER), None)
    if known is None:
        raise UnknownName("score of this model", trait, [t.name for t, _ in _written(workspace, name)])
    low, high, many, middle = _ends(workspace, known)
    if not many:
        raise Refused("Nobody has this score yet.", fix=f"Score all: shoal predict {name}")
    chance = low >= 0 and high <= 1
    ends = (0.0, 1.0) if chance else (low, high)
    steps = _steps(workspace, known, *ends)
    rows = [
        row | {"href": _segment(trait, row["low"] if at else None, row["high"] if at < len(steps) - 1 else None)}
        for at, row in enumerate(steps)
    ]
    shown = w.share(middle) if chance else f"{middle:,.4g}"
    title = f"Half of {counted(many, 'customer')} have {shown} or less"
    subtitle = f"Customers by {trait}; a click makes a segment of the step"
    chart = score_histogram(rows, title=title, subtitle=subtitle, unit="share" if chance else "", width=width)
    return drawn(chart, rows, {"low": "From", "high": "To", "customers": "Customers"})


def _segment(trait: str, low: float | None, high: float | None) -> str:
    return f"/segments/new?where={quote(condition(trait, low, high))}"


def condition(trait: str, low: float | None, high: float | None) -> str:
    """A range of a score in the language of segments; its upper end isn't in it.

    >>> condition("churn_90d", 0.5, 0.75), condition("churn_90d", 0.9, None)
    ('churn_90d >= 0.5 and churn_90d < 0.75', 'churn_90d >= 0.9')
    """
    parts = [f"{trait} >= {low:.10g}" if low is not None else "", f"{trait} < {high:.10g}" if high is not None else ""]
    return " and ".join(part for part in parts if part)


def _values(workspace: Workspace, trait: Trait) -> str:
    from shoal.customers.profiles import current_values

    values = current_values(workspace.store, trait, workspace.now())
    return f"(SELECT owner, value / {_MICRO} AS value FROM ({values}) WHERE value IS NOT NULL)"


def _ends(workspace: Workspace, trait: Trait) -> tuple[float, float, int, float]:
    """Least and largest value without a few odd ones, how many there are, and the middle."""
    ((low, high, many, middle, least, most),) = workspace.store.rows(
        "SELECT quantile_cont(value, 0.001), quantile_cont(value, 0.99), count(*), quantile_cont(value, 0.5), "
        f"min(value), max(value) FROM {_values(workspace, trait)}"
    )
    if not many:
        return 0.0, 0.0, 0, 0.0
    if least >= 0 and most <= 1:
        return least, most, many, middle
    return low, high, many, middle


def _steps(workspace: Workspace, trait: Trait, low: float, high: float) -> list[Told]:
    """How many have a value in each step; the outermost hold what lies beyond them too."""
    step = (high - low) / _STEPS or 1.0
    ends = [round(low + at * step, 6) for at in range(_STEPS + 1)]
    place = " + ".join(f"CAST(value >= {end!r} AS INTEGER)" for end in ends[1:-1])
    many = dict(
        workspace.store.rows(f"SELECT {place} AS step, count(*) FROM {_values(workspace, trait)} GROUP BY step")
    )
    return [{"low": ends[at], "high": ends[at + 1], "customers": many.get(at, 0)} for at in range(_STEPS)]


def backtest(workspace: Workspace, *, name: str, periods: int, width: int) -> Told:
    """How a model would have done at earlier dates, beside its baselines."""
    from shoal.insight.models.kinds import kind
    from shoal.views.charts.models import backtest_periods, period_rows
    from shoal.workspace.asked.sections import drawn

    made = kind(workspace.models.settings(name).kind)
    rows = [row for row in period_rows(workspace.models.backtest(name, periods=periods)) if row["what"] == made.by]
    return drawn(backtest_periods(rows, width=width), rows)


# ------------------------------------------------------------ value


def value(workspace: Workspace, *, name: str) -> Told:
    """Value so far, to come and in all, a customer on average: by segment, and by the quarter of the first order."""
    from shoal.sql.registry import Registry

    registry = Registry.load(workspace.store)
    traits = {t.name: t for t, _ in _written(workspace, name) if t.kind is Kind.NUMBER}
    chosen = [traits[one] for one in traits if one.startswith(("value_historic", "value_predicted", "value_total"))]
    chosen = [one for one in chosen if not one.name.endswith(("_low", "_high"))]
    if not chosen:
        raise Refused("This model writes no value.", fix="Open the model called value.")
    owners, columns = _columns(workspace, chosen)
    names = [one.name for one in chosen]
    segments = [_group(d.name, mask, columns) | {"slug": slug} for slug, d, mask in _memberships(workspace, owners)]
    first = registry.trait("first_order_at")
    cohorts = [] if first is None else _by_cohort(workspace, first, owners, columns)
    everyone = _group("Everyone", owners == owners, columns)
    return {"columns": names, "everyone": everyone, "segments": segments, "cohorts": cohorts}


def _columns(workspace: Workspace, traits: list[Trait]) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.float64]]]:
    """Customers who have all of these scores, and the scores."""
    import numpy as np

    sources = [f"{_values(workspace, trait)} AS v{at}" for at, trait in enumerate(traits)]
    joined = sources[0] + "".join(f" JOIN {source} USING (owner)" for source in sources[1:])
    said = ", ".join(f"v{at}.value AS c{at}" for at in range(len(traits)))
    table = workspace.store.arrow(f"SELECT owner, {said} FROM {joined}")
    owners = table.column("owner").to_numpy().astype(np.int64)
    return owners, [table.column(f"c{i}").to_numpy() for i in range(len(traits))]


def _memberships(
    workspace: Workspace, owners: npt.NDArray[np.int64]
) -> Iterator[tuple[str, Any, npt.NDArray[np.bool_]]]:
    import numpy as np

    found = workspace.engine.evaluate(workspace.definitions, workspace.now())
    try:
        for slug, definition in workspace.definitions.items():
            keys = found.members(slug).column("key").to_numpy()
            yield slug, definition, np.isin(owners, keys)
    finally:
        found.close()


def _by_cohort(
    workspace: Workspace, first: Trait, owners: npt.NDArray[np.int64], columns: list[npt.NDArray[np.float64]]
) -> list[Told]:  # fmt: skip
    """By the local quarter of the first order, the newest first."""
    import numpy as np

    from shoal.clock import from_instant
    from shoal.customers.profiles import current_values
    from shoal.lang.calendar import zone

    rules = zone(workspace.config.zone).rules
    table = workspace.store.arrow(current_values(workspace.store, first, workspace.now()))
    begun = dict(zip(table.column("owner").to_pylist(), table.column("value").to_pylist(), strict=True))
    hours = np.array([(begun.get(int(one)) or -HOUR) // HOUR for one in owners])
    names = {int(hour): _quarter(from_instant(int(hour) * HOUR).astimezone(rules)) for hour in np.unique(hours)}
    labels = np.array([names[int(hour)] if hour >= 0 else "" for hour in hours])
    kept = sorted({one for one in labels.tolist() if one}, reverse=True)[:_COHORTS]
    return [_group(one, labels == one, columns) for one in kept]


def _quarter(at: Any) -> str:
    return f"{at.year}, quarter {(at.month + 2) // 3}"


def _group(name: str, mask: npt.NDArray[np.bool_], columns: list[npt.NDArray[np.float64]]) -> Told:
    """How many, and of each column the mean with its 95 % interval, and the sum."""
    n = int(mask.sum())
    return {"name": name, "n": n, "values": [_mean(column[mask]) if n else None for column in columns]}


def _mean(values: npt.NDArray[np.float64]) -> Told:
    from shoal.stats.intervals import z_value

    mean, n = float(values.mean()), len(values)
    half = z_value(0.95) * float(values.std(ddof=1)) / n**0.5 if n > 1 else None
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return {"mean": mean, "low": low, "high": high, "sum": float(values.sum())}


# ------------------------------------------------------------ changing


def use(workspace: Workspace, *, name: str, version: int) -> Told:
    """Let another version score from the next run on."""
    workspace.models.use(name, version)
    return {"name": name, "version": version}


def contracts(workspace: Workspace) -> Told:
    """Who under contract stays how long."""
    from shoal.views.report import retention
    from shoal.workspace.asked.sections import facts_of, told

    if workspace.config.contracts is None:
        return {"title": "", "lead": "", "blocks": []}
    try:
        found: Any = workspace.models.retention().found
    except ShoalError as refusal:
        found = str(refusal)
    return told(retention.contracts(facts_of(workspace, contracts=found)))


QUESTIONS: Mapping[str, Answer] = {
    "models told": every,
    "models drifted": alarms,
    "model": one,
    "model reasons": reasons_of,
    "model spread": spread,
    "model backtest": backtest,
    "value told": value,
    "use model": use,
    "contracts told": contracts,
}
