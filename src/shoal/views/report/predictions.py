"""Predictions: each model with what it rests on, how well it did where it couldn't know, and what value is expected."""

from __future__ import annotations

from math import isfinite, nan
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY
from shoal.insight.holdings import TOP
from shoal.views import charts
from shoal.views import words as w
from shoal.views.charts import models as drawn
from shoal.views.report.page import Brief, Card, Figure, Head, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import altair as alt

    from shoal.insight.holdings import Holdings
    from shoal.insight.models.contest import Lead
    from shoal.insight.models.model import Measure
    from shoal.views.report.facts import Facts, Foretold

    Rows = Sequence[Mapping[str, Any]]

_NOTES = 3
_DIGITS = 3
_OF_ORDERS = {"frequency", "weeks", "weeks-summed"}


def predictions(facts: Facts) -> Section | None:
    """The models that score, with their evidence; None where no model is fitted."""
    found = facts.predictions
    if found is None or not found.models:
        return None
    blocks: list[Any] = [tuple(_brief(facts, model) for model in found.models)]
    if found.value is not None:
        blocks += [Head("Expected value"), *_of_value(facts, found.value, found.value_says)]
    shown: set[str] = set()
    for model in found.models:
        blocks += list(_blocks(facts, model, shown))
    return Section("predictions", "Predictions", _lead(facts), tuple(blocks))


def _lead(facts: Facts) -> str:
    models = facts.predictions.models if facts.predictions else ()
    tried = [model for model in models if _deciding(model)]
    won = sum(verdict(model)[0] == _WORTH for model in tried)
    return (
        f"{w.many(len(models), 'model')} {'scores' if len(models) == 1 else 'score'} customers. {_count(won, len(tried))}"
        "Each was tried: fitted on what was known earlier, and judged by what came after. A score is what is usual for "
        "customers like this one, not what one of them will do."
    )


def _count(won: int, tried: int) -> str:
    """How many models are worth more than a simple rule."""
    worth = "clearly worth more than the best simple rule"
    match tried:
        case 0:
            return ""
        case 1:
            return f"The one that could be tried on earlier data {'is' if won else 'is not'} {worth}. "
    many = "None" if not won else "All" if won == tried else str(won)
    return f"{many} of the {tried} that could be tried on earlier data {'is' if won == 1 else 'are'} {worth}. "


# ------------------------------------------------------------ each model


_WORTH = "Worth more than the best simple rule."


def verdict(model: Foretold) -> tuple[str, str]:
    """Whether a model is worth more than its best baseline, and the figures that say so."""
    found = _deciding(model)
    if not found:
        return "It couldn't be tried on earlier data: nothing says yet how well it does.", ""
    mine, *others = found
    name = _measure(model.by)
    if not others:
        return "There is nothing to compare it with.", f"{name} {_estimate(mine)}"
    best = (max if model.higher else min)(others, key=lambda m: m.value or 0.0)
    lead = next((one for one in model.evidence.leads if (one.rival, one.what) == (best.who, model.by)), None)
    behind = f"{name} {_estimate(mine)}, {best.who} {_number(best.value)}{_n(mine)}{_lead_of(lead)}"
    assert mine.value is not None
    assert best.value is not None
    if mine.value == best.value or (mine.value > best.value) != model.higher:
        near = abs(mine.value - best.value) < w.STEADY * abs(best.value)
        return f"No better than {best.who} alone{'' if near else ': rely on that for this'}.", behind
    low, high = (mine.low, mine.high) if lead is None else (lead.low, lead.high)
    if low is None or high is None:
        return f"Ahead of {best.who} alone; how surely isn't known.", behind
    if low <= (best.value if lead is None else 0.0) <= high:
        return f"Ahead of {best.who} alone, but within the noise.", behind
    return _WORTH, behind


def _lead_of(lead: Lead | None) -> str:
    """The difference with its interval; positive is better."""
    if lead is None or lead.low is None or lead.high is None:
        return ""
    return f"; ahead by {_number(lead.value)} (95{w.HARD}%: {_number(lead.low)} to {_number(lead.high)})"


def _deciding(model: Foretold) -> list[Measure]:
    """The measures that decide, of the model first."""
    return [m for m in model.evidence.measures if m.what == model.by and m.value is not None]


def _brief(facts: Facts, model: Foretold) -> Brief:
    evidence = model.evidence
    worth, behind = verdict(model)
    learnt = f"learnt from {w.day(evidence.since, facts.zone)} to {w.day(evidence.until, facts.zone)}"
    learnt = "" if "learnt from" in evidence.label else learnt
    said = [(_sentence(evidence.label), learnt), (worth, behind)]
    if evidence.fallback:
        said.append((f"A simpler way stands in: {evidence.fallback}", ""))
    said += [(_sentence(note), "") for note in evidence.notes[:_NOTES]]
    more = len(evidence.notes) - _NOTES
    if more > 0:
        said.append((f"{w.many(more, 'more note')}: shoal models show {model.name}", ""))
    figures = [
        ("Customers", f"{evidence.customers:,}"),
        ("Fitted", w.day(model.fitted, facts.zone)),
        *((_measure(model.by), _number(m.value)) for m in _deciding(model)[:1]),
    ]
    return Brief(
        _title(model),
        f"Version {model.version}, looks {model.looks.replace(' ', w.HARD)} ahead", tuple(figures), tuple(said),
    )  # fmt: skip


def _title(model: Foretold) -> str:
    return f"{model.name.replace('_', ' ').capitalize()}: {model.title}"


def _sentence(text: str) -> str:
    said = text.strip()
    return said if not said or said[-1] in ".!?" else f"{said}."


def _blocks(facts: Facts, model: Foretold, shown: set[str]) -> Iterator[Any]:
    """A model's charts, below its name; nothing where it has none.

    Value and churn rest on one process of orders, whose own charts are shown once.
    """
    found = {what: figure for what, figure in figures(model, facts.zone).items() if what not in shown}
    shown |= set(found) & _OF_ORDERS
    if found:
        yield Head(_title(model))
        yield from found.values()


# ------------------------------------------------------------ charts


def figures(model: Foretold, zone: str = "UTC") -> dict[str, Figure]:
    """The charts that a model's frames bear, by what they show: for the report, and for notebooks.

    ``calibration``, ``lift``, ``gain``, ``frequency``, ``weeks``, ``weeks-summed``, ``baselines``, ``periods``.
    """
    makers: dict[str, Callable[[Foretold, str], tuple[Rows, Callable[..., alt.Chart], str] | None]] = {
        "calibration": _calibration, "lift": _lift, "gain": _gain, "frequency": _frequency,
        "weeks-summed": _weeks_summed, "weeks": _weeks, "baselines": _baselines, "periods": _periods,
    }  # fmt: skip
    made = {}
    for what, make in makers.items():
        parts = make(model, zone)
        if parts is not None:
            made[what] = _figure(model, what, *parts)
    return made


def _figure(model: Foretold, what: str, rows: Rows, draw: Callable[..., alt.Chart], note: str) -> Figure:
    said = draw(rows).description
    return Figure(
        f"{model.name.replace('_', '-')}-{what}",
        lambda width: draw(rows, width=width),
        rows,
        str(said),
        note,
        half=True,
    )


def _trial(model: Foretold, zone: str) -> str:
    """When the model was tried, and on how many."""
    found = _deciding(model)
    n = found[0].n if found else 0
    many = f"{w.many(n, 'customer')}; " if n else ""
    if not model.trial:
        return f"{many}judged by customers of the experiment whom it didn't see"
    cut = w.day(model.fitted - model.trial * DAY, zone)
    return f"{many}fitted on what was known on {cut}, judged by the {w.many(model.trial, 'day')} after it"


def _baselines(model: Foretold, zone: str) -> Any:
    rows = [
        {"who": m.who, "what": m.what, "cut": "", "until": "", "value": m.value, "low": m.low, "high": m.high, "n": m.n}
        for m in _deciding(model)
    ]  # fmt: skip
    if len(rows) < 2 or model.frames.get("periods"):
        return None
    better = "more" if model.higher else "less"
    subtitle = f"{_measure(model.by)} of the model and of simple rules, {better} is better"
    title = verdict(model)[0].rstrip(".")
    return (
        rows,
        _drawer(drawn.backtest_periods, title=title, subtitle=subtitle),
        f"{_trial(model, zone)}{'; lines are 95 % intervals' if any(row['low'] is not None for row in rows) else ''}",
    )


def _periods(model: Foretold, zone: str) -> Any:
    rows = [row for row in model.frames.get("periods", ()) if row["what"] == model.by]
    if not rows:
        return None
    better = "more" if model.higher else "less"
    subtitle = f"{_measure(model.by)}, foretold at each date and judged by what came after it, {better} is better"
    title = verdict(model)[0].rstrip(".")
    return (
        rows,
        _drawer(drawn.backtest_periods, title=title, subtitle=subtitle),
        "Bars are 95 % intervals, where there are any",
    )


def _calibration(model: Foretold, zone: str) -> Any:
    rows = model.frames.get("calibration", ())
    return (rows, drawn.calibration_curve, f"{_trial(model, zone)}. On the dashed line, chances hold") if rows else None


def _lift(model: Foretold, zone: str) -> Any:
    rows = _tenths(model)
    return (rows, drawn.lift_bars, _trial(model, zone)) if rows else None


def _gain(model: Foretold, zone: str) -> Any:
    rows = _tenths(model)
    return (rows, drawn.gain_curve, _trial(model, zone)) if rows else None


def _tenths(model: Foretold) -> Rows:
    """The deciles; none where nothing came at all, so that there is no lift."""
    rows = model.frames.get("deciles", ())
    return (
        rows
        if all(isfinite(row[key] if row[key] is not None else nan) for row in rows for key in ("lift", "gain"))
        else ()
    )


def _frequency(model: Foretold, zone: str) -> Any:
    rows = model.frames.get("frequency", ())
    return (rows, drawn.frequency_bars, _trial(model, zone)) if rows else None


def _weeks(model: Foretold, zone: str) -> Any:
    rows = model.frames.get("weeks", ())
    return (rows, _drawer(drawn.week_lines, cut=_cut(model, rows)), _REPEATS) if len(rows) > 1 else None


def _cut(model: Foretold, rows: Rows) -> float | None:
    """The week up to which the trial's fit knew what came."""
    week = float(rows[-1]["week"]) - model.trial / 7
    return week if week > rows[0]["week"] else None


def _weeks_summed(model: Foretold, zone: str) -> Any:
    rows = model.frames.get("weeks", ())
    return (rows, _drawer(drawn.week_lines, summed=True, cut=_cut(model, rows)), _REPEATS) if len(rows) > 1 else None


_REPEATS = "Orders after each customer's first; what is expected of a customer begins with it"


def _drawer(draw: Callable[..., alt.Chart], **given: Any) -> Callable[..., alt.Chart]:
    return lambda rows, **more: draw(rows, **given, **more)


# ------------------------------------------------------------ expected value


def _of_value(facts: Facts, found: Holdings, says: str) -> list[Any]:
    """How expected value spreads over customers, and on how few it rests."""
    middle, tenth = (w.money(value, facts.currency) for value in found.quantiles)
    title = f"Half of customers are expected to bring less than {middle}, a tenth more than {tenth}"
    subtitle = f"Customers by {found.trait}, {facts.currency}, each step as many times the one before"
    sign = w.SIGNS.get(facts.currency, f"{facts.currency} ")
    without = f"; {w.many(found.without, 'customer')} with 0 or less aren't drawn" if found.without else ""
    note = f"{w.many(found.customers, 'customer')}, {w.day(facts.at, facts.zone)}{without}. {_sentence(says)}"
    steps = list(found.steps)
    spread = Figure(
        "value-spread",
        lambda width: drawn.value_histogram(steps, title=title, subtitle=subtitle, currency=sign, width=width),
        steps, f"{title}. {subtitle}", f"{note} The outermost bars hold what lies beyond them too.", half=True,
    )  # fmt: skip
    places = {int(row["percent"]): int(row["customers"]) for row in found.curve}
    cards = tuple(
        Card(f"Best {part} %", w.share(found.held_by(part)), "of expected value", w.many(places[part], "customer"))
        for part in TOP
    )
    return [cards, spread, _held(found)]


def _held(found: Holdings) -> Figure:
    curve = [{"customers": row["customers"] / found.customers, "revenue": row["share"]} for row in found.curve]
    half = next(row for row in found.curve if row["share"] >= 0.5)
    title = f"Half of what is expected comes from {w.share(half['customers'] / found.customers)} of customers"
    subtitle = f"Cumulative share of {found.trait}, best customers first; dashed: all alike"
    return Figure(
        "value-held",
        lambda width: charts.concentration_curve(curve, title=title, subtitle=subtitle, of="value", width=width),
        list(found.curve), f"{title}. {subtitle}", f"{w.many(found.customers, 'customer')}", half=True,
    )  # fmt: skip


# ------------------------------------------------------------ words


def _measure(name: str) -> str:
    return drawn.MEASURES.get(name, name[:1].upper() + name[1:])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.{_DIGITS}g}" if abs(value) < 1000 else f"{value:,.0f}"


def _estimate(measure: Measure) -> str:
    if measure.low is None or measure.high is None:
        return _number(measure.value)
    return f"{_number(measure.value)} (95{w.HARD}%: {_number(measure.low)} to {_number(measure.high)})"


def _n(measure: Measure) -> str:
    return f"; {w.many(measure.n, 'customer')}" if measure.n else ""
