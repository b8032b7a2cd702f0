"""Next best actions: for each segment the few things to do, what each rests on, and what is at stake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shoal.insight.actions.table import lines
from shoal.views import charts, theme
from shoal.views import words as w
from shoal.views.report.page import Column, Figure, Fold, Hint, Section, Shown, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shoal.insight.actions import Action
    from shoal.insight.actions import Table as Found
    from shoal.views.report.facts import Facts

_TITLE = "Next best actions"
_MOST_BARS, _NARROW_BARS = 10, 7
_MOST_ROWS = 20


def next_best_actions(facts: Facts) -> Section:
    """The few actions of each segment, those with most at stake first."""
    found = facts.actions
    if isinstance(found, str):
        return Section("actions", _TITLE, "", (Hint(found),))
    if not found.actions:
        hint = "No action fits one segment clearly more often than all other customers."
        return Section("actions", _TITLE, "", (Hint(hint), *found.notes))
    lead = (
        f"For each segment at most three actions: those that fit its customers clearly more often than all others. At "
        f"stake is what goes or comes over {found.days} days if nobody does anything else than before. It is no gain: what "
        "an action adds is known only where a trial with a control group measured it."
    )
    return Section("actions", _TITLE, lead, tuple(_blocks(found)))


def _blocks(found: Found) -> Iterator[Any]:
    measured = [action for action in found.actions if action.gain is not None]
    staked = [action for action in found.actions if action.stake is not None]
    if measured:
        yield _gains(found, measured)
    if staked:
        yield _stakes(found, staked)
    yield _table(found)
    yield Fold("What each rests on, and how its figure came about", tuple(_reasons(found)))
    if found.without:
        yield f"Nothing stands out for: {w.listed(found.without)}."
    if not measured:
        yield (
            "No gain is named yet: it takes a campaign with a control group. Say which campaigns had one under trials: in "
            "shoal.yaml, and what they measured shows here."
        )
    yield from found.notes


# ------------------------------------------------------------ charts


def _stakes(found: Found, staked: list[Action]) -> Figure:
    rows = [
        {"segment": a.segment_name, "action": _what(a), "low": a.stake.low, "high": a.stake.high, "value": None}
        for a in sorted(staked, key=lambda a: (-(a.stake.low if a.stake else 0), a.segment, a.action)) if a.stake
    ]  # fmt: skip
    title = f"Most is at stake with {rows[0]['segment']}: {str(rows[0]['action']).lower()}"
    subtitle = f"What goes or comes unaided over {found.days} days, {found.currency}, by its least; no gain"
    return _ranges("actions-stake", found, rows, title, subtitle)


def _gains(found: Found, measured: list[Action]) -> Figure:
    pairs = sorted(((a.gain, a) for a in measured if a.gain), key=lambda pair: -pair[0][0])
    rows = [
        {"segment": a.segment_name, "action": _what(a), "low": low, "high": high, "value": value}
        for (value, low, high), a in pairs
    ]
    sure = next((a for (_, low, _), a in pairs if low > 0), None)
    title = (
        "No measured gain can be told from nothing"
        if sure is None
        else f"Worth doing beyond chance: {_what(sure).lower()}, {sure.segment_name}"
    )
    subtitle = f"Measured effect times those whom consent reaches, {found.currency}, with its 95 % interval"
    return _ranges("actions-gain", found, rows, title, subtitle)


def _ranges(name: str, found: Found, rows: list[dict[str, Any]], title: str, subtitle: str) -> Figure:
    def draw(width: int) -> Any:
        most = _NARROW_BARS if width <= theme.NARROW else _MOST_BARS
        return charts.action_ranges(rows[:most], title=title, subtitle=subtitle, currency=found.currency, width=width)

    more = f"The first {_MOST_BARS} ({_NARROW_BARS} on a phone) of {len(rows)}; the CSV holds all."
    note = more if len(rows) > _NARROW_BARS else ""
    return Figure(name, draw, rows, f"{title}. {subtitle}", note)


# ------------------------------------------------------------ the table


def _table(found: Found) -> Table:
    columns = [
        Column("segment", "Segment"),
        Column("what", "What to do", note="why"),
        Column("fits", "Fits", "count", "How many customers of the segment it fits."),
        Column("share", "Of it", "share", "Of the segment's customers."),
        Column("elsewhere", "Elsewhere", "share", "The share of all other customers that it fits; – where the segment's "
               "profile speaks for it."),
        Column("reachable", "Reachable", "share", "Of those that it fits, the share that consent to the purpose reaches."),
        Column("stake", f"At stake, {found.currency}", "figure", f"Over {found.days} days, unaided: no gain."),
    ]  # fmt: skip
    if any(action.gain is not None for action in found.actions):
        columns.append(
            Column("gain", f"Measured gain, {found.currency}", "figure", "Of a trial by lot, with its 95 % interval.")
        )
    rows = [_row(action) for action in found.actions]
    more = f"{len(rows) - _MOST_ROWS} more: shoal actions" if len(rows) > _MOST_ROWS else ""
    return Table("actions-table", tuple(columns), rows[:_MOST_ROWS], note=more)


def _reasons(found: Found) -> Iterator[tuple[str, Sequence[str]]]:
    for action in found.actions:
        yield f"{action.segment_name}: {_what(action)}", tuple(lines(action, found.currency))


def _row(action: Action) -> dict[str, Any]:
    return {
        "segment": action.segment_name, "what": _what(action), "why": next(iter(action.rests), ""),
        "fits": action.fits, "share": action.share, "elsewhere": action.elsewhere,
        "reachable": None if action.reachable is None else action.reachable / action.fits,
        "stake": _stake(action), "gain": _gain(action),
    }  # fmt: skip


def _what(action: Action) -> str:
    return f"{action.title}: {action.what}" if action.what else action.title


def _stake(action: Action) -> Shown | None:
    if action.stake is None:
        return None
    low, high = f"{action.stake.low:,.0f}", f"{action.stake.high:,.0f}"
    return Shown(low if low == high else f"{low} to {high}", action.stake.low)


def _gain(action: Action) -> Shown | None:
    if action.gain is None:
        return None
    value, low, high = (f"{end:+,.0f}".replace("-", "−") for end in action.gain)
    return Shown(f"{value} ({low} to {high})", action.gain[0])
