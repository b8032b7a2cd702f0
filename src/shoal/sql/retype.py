"""Changing the type of stored values, which only a declaration does. What doesn't convert becomes missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.lang.schema import Kind
from shoal.sql.encode import in_millionths, local_day, offset_case, text_of_millionths
from shoal.sql.layout import zone_of

if TYPE_CHECKING:
    from shoal.sql.store import Store

_WITH_ZONE = ":[0-9][0-9]([.][0-9]+)?(Z|[+-][0-9][0-9](:?[0-9][0-9])?)$"

_CONVERSIONS: dict[tuple[Kind, Kind], str] = {
    (Kind.NUMBER, Kind.TEXT): text_of_millionths("{0}"),
    (Kind.YESNO, Kind.TEXT): "CASE WHEN {0} THEN 'yes' WHEN NOT {0} THEN 'no' END",
    (Kind.DATE, Kind.TEXT): "CAST(DATE '1970-01-01' + {0} AS VARCHAR)",
    (Kind.INSTANT, Kind.TEXT): "strftime(make_timestamp({0}), '%Y-%m-%dT%H:%M:%S.%fZ')",
    (Kind.TEXTS, Kind.TEXT): "CASE WHEN len({0}) = 1 THEN {0}[1] END",
    (Kind.TEXT, Kind.NUMBER): in_millionths("TRY_CAST(trim({0}) AS DECIMAL(38, 18))"),
    (Kind.TEXT, Kind.YESNO): "CASE WHEN lower(trim({0})) IN ('yes', 'true', 'y', '1') THEN true "
    "WHEN lower(trim({0})) IN ('no', 'false', 'n', '0') THEN false END",
    (Kind.TEXT, Kind.DATE): "date_diff('day', DATE '1970-01-01', TRY_CAST(trim({0}) AS DATE))",
    (Kind.TEXT, Kind.INSTANT): f"CASE WHEN regexp_matches(trim({{0}}), '{_WITH_ZONE}') "
    "THEN instant_of(trim({0})) END",
    (Kind.TEXT, Kind.TEXTS): "CASE WHEN {0} IS NOT NULL THEN [{0}] END",
    (Kind.NUMBER, Kind.YESNO): "CASE {0} WHEN 1000000 THEN true WHEN 0 THEN false END",
    (Kind.YESNO, Kind.NUMBER): "CASE WHEN {0} THEN 1000000 WHEN NOT {0} THEN 0 END",
    (Kind.DATE, Kind.INSTANT): "(SELECT starts FROM calendar WHERE day = {0})",
}


@dataclass(frozen=True, slots=True)
class Retyping:
    """A column of a table that gives way to a new one of another type.

    Args:
        table: the table.
        old: the column that goes.
        new: the column that comes; it must not exist.
        before: the type of ``old``.
        after: the type of ``new``.
        physical: the SQL type of ``new``.
    """

    table: str
    old: str
    new: str
    before: Kind
    after: Kind
    physical: str


def retype(store: Store, change: Retyping) -> int:
    """Replace a column by one of another type.

    Returns:
        How many stored values couldn't be converted and are missing now.
    """
    store.execute(f"ALTER TABLE {change.table} ADD COLUMN {change.new} {change.physical}")
    expression = _expression(store, change)
    if expression is not None:
        store.execute(f"UPDATE {change.table} SET {change.new} = {expression} WHERE {change.old} IS NOT NULL")
    ((lost,),) = store.rows(
        f"SELECT count(*) FROM {change.table} WHERE {change.old} IS NOT NULL AND {change.new} IS NULL"
    )
    store.execute(f"ALTER TABLE {change.table} DROP COLUMN {change.old}")
    return int(lost)


def _expression(store: Store, change: Retyping) -> str | None:
    if (change.before, change.after) == (Kind.INSTANT, Kind.DATE):
        low, high = store.rows(f"SELECT min({change.old}), max({change.old}) FROM {change.table}")[0]
        if low is None:
            return None
        return local_day(change.old, offset_case(zone_of(store), change.old, low, high))
    template = _CONVERSIONS.get((change.before, change.after))
    return None if template is None else template.format(change.old)
