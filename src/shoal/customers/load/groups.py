"""Rows that make one event together: which belong to it, and what becomes of it where one of them can't be used.

A sum over the rows that happen to be readable is no sum. So where a row of a group is put aside, the others wait with it,
and what an earlier version of the file said of the group stays in force. A line that couldn't be read at all belongs to
the group of the row before or behind it if it holds that group's key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.customers.load import faults
from shoal.customers.load.faults import Test
from shoal.customers.load.rows import ORIGIN
from shoal.customers.load.staging import FILE, ROW
from shoal.sql.encode import quoted

if TYPE_CHECKING:
    from shoal.customers.load.events import EventPlan
    from shoal.customers.load.rows import Column, Rows
    from shoal.sql.store import Store

_EDGE = "[^\\pL\\pN]"
"""What may stand beside a key in a line: neither a letter nor a digit."""


def keys_of(plan: EventPlan) -> list[str]:
    """What the rows of one event have in common; files apart, unless their rows belong together."""
    across = plan.rows.spec.across_files == "join"
    return [plan.group or ORIGIN] if across else [plan.group or ORIGIN, FILE]


def sift_incomplete(store: Store, plan: EventPlan) -> None:
    """Put aside the rows of groups that lack a row, since that can't be used. Nothing is looked at where all can be.

    Args:
        store: the store.
        plan: a plan with a group; ``aside`` says which of its rows were put aside already.
    """
    if plan.aside is None and not plan.rows.staged.rejected:
        return
    keys, broken = keys_of(plan), f"load_broken{plan.number}"
    named = ", ".join(f"{key} AS g{i}" for i, key in enumerate(keys))
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {broken} AS SELECT {named}, {ORIGIN} AS culprit FROM {plan.lean} "
        f"WHERE {plan.aside or 'false'}"
    )
    if plan.rows.staged.rejected:
        _unread(store, plan, named, broken)
    table = f"load_incomplete{plan.number}"
    on = " AND ".join(f"b.g{i} = x.g{i}" for i in range(len(keys)))
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT x.origin, b.culprit FROM (SELECT {named}, {ORIGIN} AS origin "
        f"FROM {plan.lean} WHERE {plan.condition}) AS x JOIN (SELECT * EXCLUDE culprit, min(culprit) AS culprit "
        f"FROM {broken} GROUP BY ALL) AS b ON {on}"
    )
    ((many,),) = store.rows(
        f"INSERT INTO load_faults SELECT {quoted(plan.rows.spec.name)}, CAST(origin >> 40 AS INTEGER), "
        f"origin & {(1 << 40) - 1}, 'incomplete', {_place(plan.rows, 'culprit')} FROM {table}"
    )
    if many:
        waiting = f"{ORIGIN} IN (SELECT origin FROM {table})"
        plan.aside = f"({plan.aside or 'false'} OR {waiting})"
        plan.condition = f"({plan.condition} AND NOT {waiting})"


def _unread(store: Store, plan: EventPlan, named: str, broken: str) -> None:
    """Add the groups that lack a line which couldn't be read."""
    numbers = " ".join(f"WHEN {quoted(n.file.path)} THEN {n.no}" for n in plan.rows.staged.files)
    rejects = (
        f"SELECT CASE path {numbers} END AS f, line, content FROM load_rejects "
        f"WHERE source = {quoted(plan.rows.spec.name)}"
    )
    read = f"SELECT {named}, {FILE} AS f, {ROW} AS l FROM {plan.lean} WHERE {plan.condition}"
    beside = " UNION ALL ".join(
        f"SELECT x.* EXCLUDE (f, l), (CAST(r.f AS BIGINT) << 40) | r.line AS culprit, r.content FROM ({rejects}) AS r "
        f"ASOF JOIN ({read}) AS x ON r.f = x.f AND r.line {sign} x.l"
        for sign in (">", "<")
    )
    store.execute(
        f"INSERT INTO {broken} SELECT * EXCLUDE content FROM ({beside}) "
        f"WHERE regexp_matches(content, '(^|{_EDGE})' || regexp_escape(g0) || '($|{_EDGE})')"
    )


def _place(rows: Rows, origin: str) -> str:
    """The file and line of an origin."""
    paths = " ".join(f"WHEN {n.no} THEN {quoted(n.file.path)}" for n in rows.staged.files)
    return f"CASE {origin} >> 40 {paths} END || ':' || ({origin} & {(1 << 40) - 1})"


def sift_mixed(store: Store, plan: EventPlan, customer: Column) -> None:
    """Put aside the rows of a group that name another customer than its first row."""
    keys = keys_of(plan)
    named = ", ".join(f"{key} AS g{i}" for i, key in enumerate(keys))
    table = f"load_mixed{plan.number}"
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {named}, arg_min({customer.id}, {ORIGIN}) AS __owner "
        f"FROM {plan.lean} WHERE {plan.condition} GROUP BY ALL HAVING min({customer.id}) <> max({customer.id})"
    )
    if not store.rows(f"SELECT 1 FROM {table} LIMIT 1"):
        return
    on = " AND ".join(f"__x.g{i} = {key}" for i, key in enumerate(keys))
    relation = f"{plan.relation}_owned{plan.number}"
    store.execute(
        f"CREATE OR REPLACE TEMP VIEW {relation} AS SELECT __m.*, __x.__owner FROM {plan.relation} AS __m "
        f"LEFT JOIN {table} AS __x ON {on}"
    )
    plan.relation = plan.lean = relation
    test = Test(f"__owner <> {customer.id}", "mixed-group", customer.name)
    plan.condition = faults.sift(store, plan.rows, relation, plan.condition, [test])


def spare(store: Store, plans: list[EventPlan], table: str) -> bool:
    """Make the table of the message ids whose rows were put aside: a row that can't be used corrects nothing.

    Returns:
        Whether there is any.
    """
    parts = [
        f"SELECT {plan.message} AS message_id FROM {plan.relation} WHERE {plan.aside}"
        for plan in plans
        if plan.aside is not None and plan.identified
    ]
    if not parts:
        return False
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT DISTINCT message_id FROM ({' UNION ALL '.join(parts)}) "
        "WHERE message_id IS NOT NULL"
    )
    return True
