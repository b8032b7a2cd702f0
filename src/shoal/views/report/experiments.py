"""What was tried: experiments with their effects and health, pilots with their promises, and all campaigns side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.clock import DAY, from_instant
from shoal.errors import Refused
from shoal.insight.experiments.telling import chance, difference, figure, percent, span
from shoal.insight.pilots.telling import board_says, money_rows, waterfall
from shoal.stats.intervals import z_value
from shoal.views import charts
from shoal.views import words as w
from shoal.views.report.page import Column, Figure, Fold, Head, Hint, Section, Shown, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.insight.experiments.results import Comparison, Measured, Result
    from shoal.insight.pilots.measuring import Result as Piloted
    from shoal.insight.pilots.scoreboard import Scoreboard
    from shoal.insight.pilots.verdict import Judged
    from shoal.views.report.facts import Facts

_NONE = (
    "Nothing was held against customers who were held out by lot yet, so nothing says what a campaign brings. Write a pilot "
    "(pilots/SLUG.yaml), then run: shoal pilot start SLUG. Or say under trials: in shoal.yaml which campaigns had a control "
    "group."
)
_SHARE_OF_CHANCE = 0.999
"""The band of chance around a planned ratio: as rarely left as the check of sizes fails."""
_MOST_REASONS = 12


def scoreboard(facts: Facts) -> Section | None:
    """All campaigns side by side; None where there is none in the data."""
    tried = facts.tried
    if tried is None:
        return None
    board = tried.board
    if not board.entries and not board.unmeasured:
        return None
    lead = (
        "What each campaign brought beyond what would have come anyway: against customers who were held out by lot. Without such "
        "a group nobody knows, and nothing is claimed."
    )
    blocks = list(_board(board)) if board.entries else [Hint(_NONE)]
    return Section("campaigns", "Scoreboard of campaigns", lead, (*blocks, *_unmeasured(board)))


def _board(board: Scoreboard) -> Iterator[Any]:
    rows = board.rows()
    title, subtitle = board_says(board)

    def draw(width: int) -> Any:
        return charts.scoreboard_bars(rows, title=title, subtitle=subtitle, currency=board.currency, width=width)

    yield Figure("scoreboard", draw, rows, f"{title}. {subtitle}", " ".join(board.says[:1]))
    money = f", {board.currency}"
    columns = (
        Column("name", "Campaign", note="kind"), Column("exposed", "Customers", "count", "Who were drawn to get it.", "held"),
        Column("conversions", "More buyers", "figure", "Who ordered at all, beyond what the holdout leads one to expect."),
        Column("revenue", f"More revenue{money}", "figure", "p is corrected for the number of campaigns (Holm).", "p"),
        Column("shrunk", f"Chance taken off{money}", "money", "What to expect of a repetition: the best of several was picked "
               "for its luck too."),
        Column("profit", f"Profit{money}", "figure", "More margin, less what it cost; – where either isn't known.", "roi"),
    )  # fmt: skip
    yield Table("scoreboard-table", columns, [_entry(row) for row in rows], note=" ".join(board.says[1:]))


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    p, told = row["corrected_p"], {"revenue": row["value"], "revenue_low": row["low"], "revenue_high": row["high"]}
    return {
        "name": row["name"], "kind": row["kind"] if row["over"] else f"{row['kind']}, still running",
        "exposed": row["exposed"], "held": f"{row['holdout']:,}{w.HARD}held{w.HARD}out", "conversions": _ends(row, "conversions"),
        "revenue": _ends(told, "revenue"), "p": "" if p is None else f"p {_chance(p)}", "shrunk": row["shrunk"],
        "profit": _ends(row, "profit"), "roi": _roi(row),
    }  # fmt: skip


def _chance(p: float) -> str:
    return text if (text := chance(p)).startswith("<") else f"= {text}"


def _roi(row: Mapping[str, Any]) -> str:
    found = _ends(row, "roi", share=True)
    return "" if found is None else f"ROI {found}"


def _ends(row: Mapping[str, Any], key: str, *, share: bool = False, digits: int = 0) -> Shown | None:
    """A figure with its interval."""
    found = [row[name] for name in (key, f"{key}_low", f"{key}_high")]
    if any(end is None for end in found):
        return None
    value, low, high = (f"{100 * end:,.0f}{w.HARD}%" if share else f"{end:,.{digits}f}" for end in found)
    return Shown(f"{value} ({low} to {high})".replace("-", "−"), found[0])


def _unmeasured(board: Scoreboard) -> Iterator[Any]:
    if not board.unmeasured:
        return
    reasons: dict[str, list[str]] = {}
    for one in board.unmeasured:
        many = "" if one.customers is None else f" ({w.many(one.customers, 'customer')})"
        reasons.setdefault(one.why, []).append(f"{one.name}{many}")
    summary = f"{w.many(len(board.unmeasured), 'campaign')} that can't be measured, and why"
    yield Fold(summary, [(why, (_shortened(names),)) for why, names in reasons.items()])


def _shortened(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_REASONS} more" if len(names) > _MOST_REASONS else ""
    return f"{', '.join(names[:_MOST_REASONS])}{more}"


# ------------------------------------------------------------ pilots


def pilots(facts: Facts) -> Section | None:
    """Each pilot with its verdict; None without any that began."""
    if facts.tried is None or not facts.tried.pilots:
        return None
    lead = (
        "What each pilot promised, how its KPIs stood before the start, and what came of it against those who were held out by "
        "lot. Met is what the whole interval meets."
    )
    return Section("pilots", "Pilots", lead, tuple(b for one in facts.tried.pilots for b in _pilot(facts, one)))


def _pilot(facts: Facts, found: Piloted) -> Iterator[Any]:
    yield Head(f"{found.pilot.name}: {found.verdict.kind}")
    began, ends = w.day(found.record.began, facts.zone), w.day(found.record.ends - 1, facts.zone)
    sizes = f"{w.many(found.n[1], 'customer')} got it, {found.n[0]:,} were held out by lot"
    yield f"{found.verdict.says} From {began} to {ends}; {sizes}."
    yield _goals(found)
    try:
        rows, title, subtitle = waterfall(found)
    except Refused as refusal:
        yield str(refusal)
    else:
        yield _waterfall(found, rows, title, subtitle)
    if found.segments.each:
        yield _by_segment(found)
    if found.notes:
        yield Fold("What should be known of it", [(found.pilot.name, found.notes)])


def _goals(found: Piloted) -> Table:
    columns = (
        Column("kpi", "KPI", note="goal"), Column("before", "Before the start", "figure"),
        Column("held", "Held out", "figure"), Column("mine", "With it", "figure"),
        Column("effect", "Difference", "figure", "Against the holdout, with its 95 % interval; adjusted by the time before, "
               "where that tells something.", "ends"),
        Column("relative", "In per cent", "figure", "", "relative_ends"), Column("verdict", "Verdict"),
    )  # fmt: skip
    return Table(f"pilot-{found.pilot.slug}-kpis", columns, [_goal(one) for one in found.kpis])


def _goal(one: Judged) -> dict[str, Any]:
    told, unit = one.measured, one.measured.unit
    base = {"kpi": told.name, "goal": one.goal.text, "verdict": one.kind}
    if not told.comparisons:
        return base | dict.fromkeys(("before", "held", "mine", "effect", "ends", "relative", "relative_ends"))
    held, mine = told.figures[0], told.figures[-1]
    before = None if one.baseline is None or one.baseline.value is None else one.baseline.value
    return {
        **base, "before": None if before is None else Shown(figure(before, unit), before),
        "held": Shown(figure(held.value, unit), held.value), "mine": Shown(figure(mine.value, unit), mine.value),
        **_compared(told.comparisons[0], told),
    }  # fmt: skip


def _compared(told: Comparison, of: Measured) -> dict[str, Shown | str | None]:
    """The difference and what it is of the control's figure; the interval of each stands below it."""
    absolute, relative = told.absolute, told.relative
    return {
        "effect": Shown(difference(absolute.value, of.unit).replace("-", "−"), absolute.value),
        "ends": span(absolute, of.unit).replace("-", "−"),
        "relative": None if relative is None else Shown(percent(relative.value).replace("-", "−"), relative.value),
        "relative_ends": "" if relative is None else span(relative, of.unit).replace("-", "−"),
    }


def _waterfall(found: Piloted, rows: list[dict[str, Any]], title: str, subtitle: str) -> Figure:
    def draw(width: int) -> Any:
        return charts.roi_waterfall(rows, title=title, subtitle=subtitle, currency=found.currency, width=width)

    back = found.money.back
    roi = "" if back is None or back.roi is None else (
        f"ROI {100 * back.roi.value:,.0f}{w.HARD}% ({100 * back.roi.low:,.0f} to {100 * back.roi.high:,.0f}{w.HARD}%)"
    )  # fmt: skip
    return Figure(f"pilot-{found.pilot.slug}-money", draw, rows, f"{title}. {subtitle}", roi.replace("-", "−"))


def _by_segment(found: Piloted) -> Table:
    money = f", {found.currency}"
    columns = (
        Column("segment", "Segment"), Column("exposed", "Got it", "count", note="held"),
        Column("revenue", f"More revenue{money}", "figure"), Column("each", "A customer", "figure"),
        Column("drawn", "Chance taken off", "figure", "Drawn towards the mean of segments, by as much as chance moved it."),
        Column("profit", f"Profit{money}", "figure", note="roi"),
    )  # fmt: skip
    rows = [
        {"segment": row["segment"], "exposed": row["exposed"], "held": f"{row['holdout']:,}{w.HARD}held{w.HARD}out",
         "revenue": _ends(row, "revenue"), "each": _ends(row, "each", digits=2), "drawn": _ends(row, "drawn", digits=2),
         "profit": _ends(row, "profit"), "roi": _roi(row)}
        for row in money_rows(found)[1:]
    ]  # fmt: skip
    return Table(f"pilot-{found.pilot.slug}-segments", columns, rows, note=found.segments.says)


# ------------------------------------------------------------ experiments


def experiments(facts: Facts) -> Section | None:
    """Each experiment with its verdict, effects and health; None without any that can be told."""
    if facts.tried is None or not (facts.tried.experiments or facts.tried.missing):
        return None
    lead = (
        "Effects are of arms that chance drew, against the control. An effect that chance may explain is drawn hollow."
    )
    blocks = [b for one in facts.tried.experiments for b in _experiment(one)]
    if facts.tried.missing:
        blocks.append(Fold("Experiments of which nothing can be told", [(n, (why,)) for n, why in facts.tried.missing]))
    return Section("experiments", "Experiments", lead, tuple(blocks))


def _experiment(found: Result) -> Iterator[Any]:
    yield Head(found.name)
    yield found.verdict.says
    rows = _forest(found)
    if rows:
        yield _effects(found, rows)
    yield _table(found)
    sizes = _sizes(found)
    course = found.over_time.rows() if found.over_time else []
    half = bool(sizes) and len({row["at"] for row in course}) > 1
    if half:
        yield _course(found, course)
    if sizes:
        yield _sample(found, sizes, half=half)
    for one in found.dimensions:
        if one.groups:
            yield _segments(found, one)
    notes = [found.plan, found.sample.says, *found.notes, *_methods(found)]
    yield Fold("How this was measured, and what should be known of it", [(found.name, [n for n in notes if n])])


def _methods(found: Result) -> Iterator[str]:
    for metric in found.metrics:
        less = metric.reduction
        saved = "" if not less else f" The time before the exposure lowered the variance by {100 * less:.3g}{w.HARD}%."
        if metric.method:
            yield f"{metric.name}: {metric.method}.{saved}"
        yield from metric.notes


def _forest(found: Result) -> list[dict[str, Any]]:
    if not found.randomised or found.sample.fails:
        return []
    return [
        {"metric": m.name, "arm": c.arm, "value": c.relative.value, "low": c.relative.low, "high": c.relative.high,
         "role": m.role, "better": m.better}
        for m in found.metrics for c in m.comparisons if c.relative is not None
    ]  # fmt: skip


def _effects(found: Result, rows: list[dict[str, Any]]) -> Figure:
    n = sum(found.n.values())
    title = found.verdict.headline.rstrip(".")
    subtitle = f"Relative effect against the control, with its interval; {w.many(n, 'customer')}"

    def draw(width: int) -> Any:
        return charts.effect_forest(rows, title=title, subtitle=subtitle, width=width)

    return Figure(f"experiment-{found.experiment}-effects", draw, rows, f"{title}. {subtitle}", found.progress)


def _table(found: Result) -> Table:
    what = "Difference" if not found.randomised else "Effect"
    columns = (
        Column("metric", "Metric", note="role"), Column("arm", "Arm"), Column("control", "Control", "figure"),
        Column("mine", "Arm's figure", "figure"), Column("effect", what, "figure", "With its interval by the plan.", "ends"),
        Column("relative", "In per cent", "figure", "", "relative_ends"),
        Column("p", "p, corrected", "figure", "For how many metrics and arms were looked at; – where the plan has none."),
    )  # fmt: skip
    rows = [
        row for metric in found.metrics for row in _lines(metric, causal=found.randomised and not found.sample.fails)
    ]
    return Table(f"experiment-{found.experiment}-table", columns, rows)


def _lines(metric: Measured, *, causal: bool) -> Iterator[dict[str, Any]]:
    base = {"metric": metric.name, "role": metric.role if causal else "compared"}
    figures = {one.arm: one for one in metric.figures}
    if metric.refused is not None or not metric.comparisons:
        yield {
            **base,
            "role": metric.refused or metric.role,
            **dict.fromkeys(("arm", "control", "mine", "effect", "ends", "relative", "relative_ends", "p")),
        }
        return
    held = metric.figures[0]
    for told in metric.comparisons:
        mine = figures[told.arm]
        p = told.corrected if causal else None
        yield {
            **base, "arm": told.arm, "control": Shown(figure(held.value, metric.unit), held.value),
            "mine": Shown(figure(mine.value, metric.unit), mine.value), **_compared(told, metric),
            "p": None if p is None or p != p else Shown(chance(p), p),
        }  # fmt: skip


def _course(found: Result, rows: list[dict[str, Any]]) -> Figure:
    over = found.over_time
    assert over is not None
    metric = found.metric(over.metric)
    title = f"{metric.name}: the effect so far, day by day" if not over.says else over.says.rstrip(".")
    subtitle = f"Difference from the control up to each day, {_unit(metric)}; the band holds at all days together"

    def draw(width: int) -> Any:
        return charts.cumulative_effect(rows, title=title, subtitle=subtitle, unit=over.unit, width=width)

    return Figure(f"experiment-{found.experiment}-course", draw, rows, f"{title}. {subtitle}", half=True)


def _unit(metric: Measured) -> str:
    return "in points" if metric.unit == "share" else "a customer"


def _sizes(found: Result) -> list[dict[str, Any]]:
    """The share of each arm by day, beside its weight and what chance lets it be."""
    check = found.sample
    if not check.expected or not check.days:
        return []
    whole = sum(check.expected)
    z = z_value(_SHARE_OF_CHANCE)
    rows = []
    for day in check.days:
        at, n = from_instant(found.began + day.day * DAY).date().isoformat(), sum(day.n)
        for arm, came, planned in zip(check.arms, day.n, check.expected, strict=True):
            share = planned / whole
            half = z * (share * (1 - share) / n) ** 0.5
            rows.append(
                {"arm": arm, "at": at, "share": came / n, "expected": share, "low": max(0.0, share - half),
                 "high": min(1.0, share + half)}
            )  # fmt: skip
    return rows if len(check.days) > 1 else []


def _sample(found: Result, rows: list[dict[str, Any]], *, half: bool) -> Figure:
    title = "Arms aren't as large as they were to be" if found.sample.fails else "Arms are as large as they were to be"
    subtitle = (
        f"Share of each arm in all customers so far; the band is where chance keeps it in 999{w.HARD}of{w.HARD}1,000"
    )

    def draw(width: int) -> Any:
        return charts.sample_ratio_lines(rows, title=title, subtitle=subtitle, width=width)

    p = "" if found.sample.p is None else f"p = {found.sample.p:.3g} at the end"
    return Figure(f"experiment-{found.experiment}-sizes", draw, rows, f"{title}. {subtitle}", p, half=half)


def _segments(found: Result, one: Any) -> Figure:
    rows = one.rows()
    title = one.says.split(". ")[0].rstrip(".")
    subtitle = f"Effect by {one.dimension}: as measured (hollow) and with chance taken off (full); dotted: all together"

    def draw(width: int) -> Any:
        return charts.segment_effects(rows, title=title, subtitle=subtitle, unit=one.unit, width=width)

    return Figure(
        f"experiment-{found.experiment}-{one.arm}-by-{one.dimension}", draw, rows, f"{title}. {subtitle}", one.says
    )
