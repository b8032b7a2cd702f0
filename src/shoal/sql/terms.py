"""Small builders of SQL expressions over SQLGlot, so that emitters read like the language page.

Two-valued logic rests on one rule: a condition may come out as NULL, which means false. ``not_`` is the only builder
that would let a NULL through as something else, so it settles it; whoever selects a condition as a column uses
``settled``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from shoal.sql.dialects import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.sql.store import Store

Sql: TypeAlias = exp.Expression

_COMPARISONS: dict[str, type[exp.Binary]] = {
    "=": exp.EQ,
    "!=": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
_OPERATORS: dict[str, type[exp.Binary]] = {
    "+": exp.Add,
    "-": exp.Sub,
    "*": exp.Mul,
    "//": exp.IntDiv,
    "%": exp.Mod,
    "||": exp.DPipe,
}
_COMPOUND = (exp.Binary, exp.Connector, exp.Not, exp.Neg, exp.Is, exp.In, exp.Between)


def column(name: str, table: str | None = None) -> exp.Column:
    """A column, as ``r.ts``."""
    return exp.column(name, table=table)


def integer(value: int) -> Sql:
    """A whole number of any size up to 38 digits."""
    return exp.Neg(this=exp.Literal.number(-value)) if value < 0 else exp.Literal.number(value)


def text(value: str) -> Sql:
    """A text literal; a NUL, which SQL text can't hold, is joined in as a character."""
    if "\0" not in value:
        return exp.Literal.string(value)
    parts: list[Sql] = []
    for index, part in enumerate(value.split("\0")):
        parts += [call("chr", integer(0))] * (index > 0) + [exp.Literal.string(part)]
    return wrapped(joined("||", *parts))


def null(type_: str | None = None) -> Sql:
    """NULL, of a type where one is given."""
    return exp.Null() if type_ is None else cast(exp.Null(), type_)


def true() -> Sql:
    """TRUE."""
    return exp.Boolean(this=True)


def false() -> Sql:
    """FALSE."""
    return exp.Boolean(this=False)


def wrapped(value: Sql) -> Sql:
    """The expression in parentheses where another operator could tear it apart."""
    return exp.Paren(this=value) if isinstance(value, _COMPOUND) else value


def call(name: str, *arguments: Sql) -> Sql:
    """A function of the database by its own name; never translated.

    Raises:
        KeyError: if ``dialects`` doesn't list it.
    """
    if name not in FUNCTIONS:
        raise KeyError(name)
    return exp.Anonymous(this=name, expressions=list(arguments))


def cast(value: Sql, type_: str) -> Sql:
    """``CAST(value AS type)``."""
    return exp.Cast(this=value, to=exp.DataType.build(type_, dialect="duckdb"))


def huge(value: Sql) -> Sql:
    """The value as a 128-bit integer."""
    return cast(value, "HUGEINT")


def joined(operator: str, *values: Sql) -> Sql:
    """``a + b + c`` and the like, from the left."""
    result, *rest = values
    for value in rest:
        result = _OPERATORS[operator](this=wrapped(result), expression=wrapped(value))
    return result


def compared(left: Sql, operator: str, right: Sql) -> Sql:
    """``left >= right`` and the like; ``!=`` too."""
    return _COMPARISONS[operator](this=wrapped(left), expression=wrapped(right))


def all_of(parts: Iterable[Sql | None]) -> Sql:
    """All hold; TRUE where there is none."""
    given = [p for p in parts if p is not None and p != true()]
    return _connected(exp.And, given) if given else true()


def any_of(parts: Iterable[Sql]) -> Sql:
    """At least one holds; FALSE where there is none."""
    given = list(parts)
    return _connected(exp.Or, given) if given else false()


def _connected(kind: type[exp.Connector], parts: list[Sql]) -> Sql:
    """Halved again and again, so that a hundred parts don't nest a hundred deep."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return kind(this=wrapped(_connected(kind, parts[:middle])), expression=wrapped(_connected(kind, parts[middle:])))


def settled(condition: Sql) -> Sql:
    """The condition as TRUE or FALSE: NULL is false."""
    if isinstance(condition, exp.Boolean) or _is_never_null(condition):
        return condition
    return coalesce(condition, false())


def unsettled(condition: Sql) -> Sql:
    """The condition as it was before ``settled``, for places where NULL is false anyway."""
    if isinstance(condition, exp.Coalesce) and condition.expressions == [false()]:
        return condition.this
    return condition


def _is_never_null(condition: Sql) -> bool:
    if isinstance(condition, exp.Coalesce):
        return bool(condition.expressions) and isinstance(condition.expressions[-1], exp.Boolean)
    if isinstance(condition, exp.Not):
        return _is_never_null(condition.this)
    if isinstance(condition, exp.Paren):
        return _is_never_null(condition.this)
    return isinstance(condition, exp.Is | exp.Exists)


def not_(condition: Sql) -> Sql:
    """The condition doesn't hold; of a NULL, which is false, TRUE."""
    return exp.Not(this=wrapped(settled(condition)))


def coalesce(value: Sql, otherwise: Sql) -> Sql:
    """The value, or another where it is NULL."""
    return exp.Coalesce(this=value, expressions=[otherwise])


def is_null(value: Sql) -> Sql:
    """``value IS NULL``."""
    return exp.Is(this=wrapped(value), expression=exp.Null())


def is_known(value: Sql) -> Sql:
    """``value IS NOT NULL``."""
    return exp.Not(this=exp.Paren(this=is_null(value)))


def when(condition: Sql, value: Sql, otherwise: Sql | None = None) -> Sql:
    """``CASE WHEN condition THEN value [ELSE otherwise] END``; the value itself where the condition is TRUE."""
    if condition == true():
        return value
    return exp.Case(ifs=[exp.If(this=condition, true=value)], default=otherwise)


def cases(pairs: Iterable[tuple[Sql, Sql]], otherwise: Sql | None = None) -> Sql:
    """``CASE WHEN … THEN … WHEN … THEN … END``."""
    return exp.Case(ifs=[exp.If(this=condition, true=value) for condition, value in pairs], default=otherwise)


def one_of(value: Sql, options: Iterable[Sql]) -> Sql:
    """``value IN (…)``."""
    return exp.In(this=wrapped(value), expressions=list(options))


def among(value: Sql, query: exp.Query) -> Sql:
    """``value IN (SELECT …)``."""
    return exp.In(this=wrapped(value), query=exp.Subquery(this=query))


def within(value: Sql, low: Sql | None, high: Sql) -> Sql:
    """``low ≤ value < high``; without ``low``, from the beginning."""
    return all_of([None if low is None else compared(value, ">=", low), compared(value, "<", high)])


def floor_mod(value: Sql, by: int) -> Sql:
    """The remainder from 0 up, whatever the sign of the value."""
    return joined("%", joined("+", joined("%", value, integer(by)), integer(by)), integer(by))


def floor_div(value: Sql, by: int) -> Sql:
    """The quotient rounded down, whatever the sign of the value (the engine's own rounds towards zero)."""
    return joined("//", joined("-", value, floor_mod(value, by)), integer(by))


def named(value: Sql, name: str) -> exp.Alias:
    """``value AS name``."""
    return exp.alias_(value, name, copy=False)


def table(name: str, alias: str | None = None) -> exp.Table:
    """A table, under another name where one is given."""
    found = exp.to_table(name)
    return exp.alias_(found, alias, table=True) if alias else found


def sub(query: exp.Query, alias: str) -> exp.Subquery:
    """``(SELECT …) AS alias``, to stand in FROM."""
    return query.subquery(alias, copy=False)


def select(columns: Iterable[Sql], source: exp.Expression, where: Sql | None = None) -> exp.Select:
    """``SELECT columns FROM source WHERE …``."""
    query = exp.Select(expressions=list(columns)).from_(source, copy=False)
    return query if where is None or where == true() else query.where(where, copy=False)


def joins(query: exp.Select, source: exp.Expression, on: Sql, *, left: bool = False, as_of: bool = False) -> exp.Select:
    """The query with one more table joined; ``as_of`` takes only the nearest match in the order of the last part."""
    kind = "ASOF LEFT" if as_of and left else "ASOF" if as_of else "LEFT" if left else "INNER"
    return query.join(source, on=on, join_type=kind, copy=False)


def tables_in(expression: Sql) -> set[str]:
    """The tables whose columns an expression reads."""
    return {found.table for found in expression.find_all(exp.Column) if found.table}


def sql_of(query: Sql, store: Store) -> str:
    """The text of a query in the store's dialect."""
    return str(query.sql(dialect=store.dialect))
