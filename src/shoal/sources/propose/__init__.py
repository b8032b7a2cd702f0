"""The proposal of ``shoal init``: what a folder of files holds, and a mapping to begin with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from shoal.clock import DAY, Clock, to_instant
from shoal.errors import SourceError
from shoal.shapes import ORDER_COMPLETED, ORDER_REFUNDED
from shoal.sources.dates import day_of
from shoal.sources.files import ignored
from shoal.sources.propose import orders, people, places, streams
from shoal.sources.propose.context import Context
from shoal.sources.propose.draft import Draft, flow, format_of
from shoal.sources.propose.keys import Keys
from shoal.sources.propose.look import Look, drop_copies, look_around, look_at_database, name_all
from shoal.sources.propose.meaning import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OLD = 90 * DAY

_STEPS: tuple[Callable[[Context, Look], bool], ...] = (
    streams.draft_spend,
    people.draft_consent,
    streams.draft_event_stream,
    streams.draft_survey,
    people.draft_accounts,
    people.draft_people,
    streams.draft_sends,
    streams.draft_other_events,
)
"""What a table may be, besides orders, in the order in which it is tried."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to write into ``shoal.yaml``, and what to look at.

    Args:
        sources: the section ``sources:`` as YAML text with comments.
        names: the names of the sources.
        unsure: questions for the reader, in plain words.
        zone: the likeliest time zone; None where nothing tells.
        currency: the likeliest currency; None where nothing tells.
        clock: ``data-end`` where the newest event is over 90 days old, else ``now``.
        newest: the day of the newest event, an instant; None where no event was found.
        purposes: the purposes that consent was found for.
        revenue: the section ``revenue:`` as YAML text; empty where no orders were found.
        left_out: tables and files that nothing was made of.
    """

    sources: str
    names: tuple[str, ...]
    unsure: tuple[str, ...]
    zone: str | None = None
    currency: str | None = None
    clock: str = "now"
    newest: int | None = None
    purposes: tuple[str, ...] = ()
    revenue: str = ""
    left_out: tuple[str, ...] = field(default=())


def propose(from_: Path | str, *, workspace: Path | None = None, now: int | None = None) -> Proposal:
    """Look at all files of a folder and propose a mapping.

    Args:
        from_: a folder, a file, or the address of a PostgreSQL database (``${NAME}`` allowed, and kept).
        workspace: the folder of ``shoal.yaml``, from which the paths in ``from:`` start; by default ``from_``.
        now: the current instant; the clock's by default.

    Raises:
        SourceError: nothing is there that can be read.
    """
    looks, broken = _looks(from_, workspace)
    looks, copies = drop_copies([look for look in looks if look.sample.num_rows])
    name_all(looks)
    context = Context(Keys(looks))
    orders.draft_orders(context)
    for step in _STEPS:
        for look in context.open:
            step(context, look)
    drafts = [context.drafts[look.name] for look in looks if look.name in context.drafts]
    drafts = sorted((draft for draft in drafts if _has_use(draft, drafts)), key=_rank)
    if not drafts:
        raise _nothing_found(str(from_), broken, [w for look in looks if len(look.columns) == 1 for w in look.warnings])
    for draft in drafts:
        _complete(context, draft)
    used = {draft.name for draft in drafts}
    unused = [look.shown for look in looks if look.name not in used]
    return _proposal(context, drafts, [*broken, *copies], unused + _ignored(from_), now)


def _nothing_found(from_: str, broken: list[str], odd: list[str]) -> SourceError:
    """Files that couldn't be read come first: the table that was meant may be among them."""
    fix = "A table needs a column such as customer_id or email. Or write the mapping by hand."
    said = " ".join(["No table was found that speaks of customers.", *broken[:3], *odd[:1]])
    if len(broken) > 3:
        said += f" {len(broken) - 3} more files couldn't be read."
    return SourceError(said, place=from_, fix="Mend them, then try again." if broken else fix)


def _looks(from_: Path | str, workspace: Path | None) -> tuple[list[Look], list[str]]:
    if str(from_).startswith(("postgres", "${")):
        return look_at_database(str(from_))
    root = Path(from_)
    if not root.exists():
        raise SourceError("There is no such folder or file.", place=str(from_), fix="Mend the path after --from.")
    base = workspace or (root if root.is_dir() else root.parent)
    return look_around(root, base.resolve())


def _ignored(from_: Path | str) -> list[str]:
    return ignored(Path(from_)) if not str(from_).startswith(("postgres", "${")) and Path(from_).is_dir() else []


def _rank(draft: Draft) -> int:
    """Events first, what is only looked up last."""
    return 0 if draft.events else 1 if draft.traits or draft.consent or draft.spend else 2


def _has_use(draft: Draft, drafts: list[Draft]) -> bool:
    made = draft.events or draft.traits or draft.consent or draft.spend
    return bool(made) or any(one["from"] == draft.name for other in drafts for one in other.lookup)


def _complete(context: Context, draft: Draft) -> None:
    """Say how the values of the columns that are used are written."""
    found, types, unsure = format_of(draft.look, [c for c in draft.look.columns if c in draft.used()])
    draft.format = found | draft.format
    draft.types = types | draft.types
    if len(draft.look.files) > 1:
        draft.notes.append(f"{len(draft.look.files)} files")
    for question in [*draft.look.warnings, *unsure]:
        context.ask(question if draft.look.shown in question else f"{draft.look.shown}: {question}")
    if draft.events or draft.traits or draft.consent or draft.spend:
        draft.reference = False


def _proposal(
    context: Context, drafts: list[Draft], notes: list[str], left_out: list[str], now: int | None
) -> Proposal:
    country = places.main_country(context.looks)
    place = places.zone_and_currency(country) if country else None
    zone, currency = place or (None, None)
    currency = _written_currency(drafts) or currency
    _ask_for_place(context, country, zone, currency)
    purposes = tuple(people.purposes(context))
    if not purposes:
        context.ask(
            "There is no consent data: nobody can be handed out until a source says who agreed (consent: in its mapping), "
            "or a purpose under purposes: rests on legitimate-interest."
        )
    newest = _newest(context)
    instant = Clock().now() if now is None else now
    for draft in drafts:
        draft.notes += [
            f"look: {' '.join(question.split())}" for question in context.unsure if draft.look.shown in question
        ]
    unsure = [*notes, *context.unsure]
    if left_out:
        unsure.append(f"Nothing was made of: {', '.join(left_out[:20])}.")
    return Proposal(
        sources="\n".join(["sources:", *_source_lines(drafts)]) + "\n",
        names=tuple(draft.name for draft in drafts),
        unsure=tuple(unsure),
        zone=zone,
        currency=currency,
        clock="data-end" if newest is not None and newest < instant - _OLD else "now",
        newest=newest,
        purposes=purposes,
        revenue=_revenue(context, drafts),
        left_out=tuple(left_out),
    )


def _written_currency(drafts: list[Draft]) -> str | None:
    """The currency that signs beside numbers, columns of codes (the most frequent) or names of columns tell, if one."""
    found: set[str] = set()
    most: set[str] = set()
    for draft in drafts:
        for column in draft.used():
            guess = draft.look.columns[column]
            named = [code for code, pattern in _CURRENCY_WORDS.items() if re.search(pattern, words(column))]
            found |= {guess.pattern.currency} if guess.pattern.currency else set(named)
            if column in draft.look.means.all("currency"):
                most |= set(orders.currencies(draft.look, column)[:1])
    found |= most if len(most) == 1 else set()
    codes = {code for code in found if re.fullmatch("[A-Z]{3}", code)}
    return codes.pop() if len(codes) == 1 else None


_CURRENCY_WORDS = {"USD": r"\b(dollars?|usd)\b", "EUR": r"\b(euros?|eur)\b", "GBP": r"\b(pounds? sterling|gbp)\b"}


def _source_lines(drafts: list[Draft]) -> Iterator[str]:
    for number, draft in enumerate(drafts):
        if number:
            yield ""
        yield from draft.lines()


def _ask_for_place(context: Context, country: str | None, zone: str | None, currency: str | None) -> None:
    if zone is None:
        context.ask("Nothing tells the time zone, so days begin in UTC. Set timezone: to where your customers are.")
    elif country and places.has_several_zones(country):
        context.ask(f"Most rows are from {country}, which has several time zones; {zone} was taken.")
    if currency is None:
        context.ask("Nothing tells the currency, so USD was taken. Set currency: if it is another.")
    elif zone and country:
        context.ask(f"Most rows are from {country}, so the currency was taken for {currency}.")


def _revenue(context: Context, drafts: list[Draft]) -> str:
    bearing = [e for d in drafts for e in d.events if "revenue" in e.get("properties", {})]
    names = [n for n in (ORDER_COMPLETED, ORDER_REFUNDED) if any(e["event"] == n for e in bearing)]
    if not names:
        return ""
    lines = ["revenue:", f"  orders: {ORDER_COMPLETED}", f"  events: {flow(dict.fromkeys(names, 'revenue'))}"]
    if context.cost:
        costs = {e["event"]: "cost" for e in bearing if "cost" in e["properties"]}
        lines.append(f"  cost: {flow(costs)}")
    return "\n".join(lines) + "\n"


def _newest(context: Context) -> int | None:
    days = [day for look, column in context.moments if (day := _last_day(look, column)) is not None]
    return max(days, default=None)


def _last_day(look: Look, column: str) -> int | None:
    """The last day in a column of the sample, as an instant."""
    values = look.known(column)
    if pa.types.is_temporal(values.type):
        last = pc.max(values.cast(pa.date32(), safe=False)).as_py() if len(values) else None
    else:
        order = look.columns[column].pattern.dates
        last = max((day for v in pc.unique(values).to_pylist() if (day := day_of(str(v), order))), default=None)
    return to_instant(datetime.combine(last, time(), UTC)) if last else None
