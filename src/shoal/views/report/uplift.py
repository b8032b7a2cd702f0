"""Uplift: whom a treatment moves, as the models that are kept recorded it when an experiment taught them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.views import words as w
from shoal.views.charts import uplift as charts
from shoal.views.report.page import Column, Figure, Fold, Head, Hint, Section, Shown, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.metrics.definition import Unit
    from shoal.insight.uplift.judging import Found
    from shoal.insight.uplift.record import Record
    from shoal.stats.intervals import Interval
    from shoal.stats.uplift import Value
    from shoal.views.report.facts import Facts, Foretold

_TITLE = "Uplift: whom to treat"
_BY = "qini"
_EVERY = 4
"""Of the shares that were valued, every fourth stands in the table: 20 %, 40 % and so on."""


def uplift(facts: Facts) -> Section | None:
    """Each model of uplift that scores; None without any."""
    models = [] if facts.predictions is None else [one for one in facts.predictions.models if one.by == _BY]
    if not models:
        return None
    lead = (
        "Who buys is one thing, whom a treatment moves another. These figures were measured in experiments, on customers whom "
        "the models didn't see, when the models were learnt."
    )
    return Section("uplift", _TITLE, lead, tuple(b for one in models for b in _model(facts, one)))


def _model(facts: Facts, model: Foretold) -> Iterator[Any]:
    # Imported here: without a model of uplift nothing of it is needed.
    from shoal.insight.uplift.record import FRAME, Record

    kept = model.frames.get(FRAME)
    if not kept:
        yield Head(model.name)
        yield Hint("This version was kept without its figures. Learn it anew: shoal uplift EXPERIMENT --save SLUG.")
        return
    record = Record.from_document(kept[0])
    yield Head(f"{record.found.arm} in {record.experiment}")
    yield from _told(facts, model, record)


def _told(facts: Facts, model: Foretold, record: Record) -> Iterator[Any]:
    from shoal.insight.uplift.telling import asleep_says, effect_says, headline, policy_says
    from shoal.stats.uplift import DEFINITION

    found, metric = record.found, record.metric
    yield headline(found)
    yield f"{effect_says(found, metric)} {policy_says(found, metric)} {asleep_says(found, metric)}"
    yield _qini(model.name, record)
    yield _tenths(model.name, record)
    yield _value_figure(model.name, record)
    yield _tenths_table(model.name, record)
    yield _value_table(model.name, record)
    learnt = f"Version {model.version}, learnt on {w.day(model.fitted, facts.zone)}; its trait is {model.name}."
    tried = f"Learner: {found.kind}, of {w.many(len(found.tried), 'learner')} that were tried." if found.tried else ""
    notes = [model.evidence.label, learnt, tried, DEFINITION, *found.notes]
    yield Fold("How this was measured, and what should be known of it", [(model.name, [n for n in notes if n])])


# ------------------------------------------------------------ figures


def _qini(name: str, record: Record) -> Figure:
    found, metric = record.found, record.metric
    rows = [one._asdict() for one in found.points]
    note = (
        f"n = {found.treated:,} treated and {found.untreated:,} not. Qini area {_plain(found.qini)}, with its "
        f"{100 * found.confidence:.4g}{w.HARD}% interval; {w.share(found.ordered.normalised)} of what the best order could have"
    )
    alt = f"{charts.qini_says(found)}. Gained by share treated, the order beside treating at random"
    return Figure(f"{name}-qini", lambda width: charts.qini_curve(found, metric, width=width), rows, alt, note)


def _tenths(name: str, record: Record) -> Figure:
    found, metric = record.found, record.metric
    rows = [{"tenth": i, "n": g.n, **g.effect._asdict()} for i, g in enumerate(found.groups, 1)]
    alt = f"{charts.tenths_say(found, metric)}. Measured effect by tenth of the order"

    def draw(width: int) -> Any:
        return charts.effect_by_tenth(found, metric, width=width)

    return Figure(f"{name}-tenths", draw, rows, alt, half=True)


def _value_figure(name: str, record: Record) -> Figure:
    found, metric = record.found, record.metric
    rows = [{"share": v.share, **v.gain._asdict()} for v in found.values]
    alt = f"{charts.policy_title(found)}. Gain by share treated"

    def draw(width: int) -> Any:
        return charts.policy_curve(found, metric, width=width)

    return Figure(f"{name}-value", draw, rows, alt, half=True)


# ------------------------------------------------------------ tables


def _tenths_table(name: str, record: Record) -> Table:
    found, unit = record.found, record.metric.unit
    columns = (
        Column("tenth", "Tenth, best scored first"), Column("n", "Customers", "count"),
        Column("effect", "Measured effect", "figure", "Treated against untreated in this tenth, with its 95 % interval."),
    )  # fmt: skip
    rows = [
        {"tenth": Shown(f"{i}", i), "n": g.n, "effect": _ranged(g.effect, unit)} for i, g in enumerate(found.groups, 1)
    ]
    return Table(f"{name}-tenths-table", columns, rows)


def _value_table(name: str, record: Record) -> Table:
    from shoal.insight.uplift.telling import unit_of_gain

    found = record.found
    unit = unit_of_gain(found, record.metric)
    columns = (
        Column("treat", "Treat", note="why"), Column("gain", "Gain a customer of all", "figure"),
        Column("over_all", "Against everybody", "figure"), Column("over_random", "Against as many at random", "figure"),
    )  # fmt: skip
    rows = [_value_row(one, unit) for one in found.values[_EVERY - 1 :: _EVERY]]
    if 0 < found.policy.share < 1:
        why = "as asked" if found.policy.asked else "gains most"
        rows.insert(
            0, _value_row(found.policy.value, unit) | {"treat": f"best {w.share(found.policy.share)}", "why": why}
        )
    return Table(f"{name}-value-table", columns, rows, note=_reckoned(found))


def _value_row(one: Value, unit: Unit) -> dict[str, Any]:
    if one.share >= 1:
        return {"treat": "everybody", "why": "", "gain": _ranged(one.gain, unit), "over_all": None, "over_random": None}
    told = {key: _ranged(getattr(one, key), unit) for key in ("gain", "over_all", "over_random")}
    return {"treat": f"best {w.share(one.share)}", "why": "", **told}


def _reckoned(found: Found) -> str:
    money = found.money
    costs = f"at a cost of {money.cost:g} each" if money.cost else "without a cost"
    return f"Reckoned at a worth of {money.worth:g} and {costs}; with 95{w.HARD}% intervals."


def _ranged(one: Interval, unit: Unit) -> Shown:
    from shoal.insight.uplift.telling import ranged

    return Shown(ranged(one, unit), one.value)


def _plain(one: Interval) -> str:
    return f"{one.value:.4g} ({one.low:.4g} to {one.high:.4g})".replace("-", "−")
