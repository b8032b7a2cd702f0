"""Values of the language as columns: for each customer the number or word that a definition would compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.sql import terms as s
from shoal.sql.emit.registry import value
from shoal.sql.scopes import Scope
from shoal.sql.values import Rational

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from shoal.lang.nodes import Node
    from shoal.sql.execute import Run
    from shoal.sql.plan import Plan
    from shoal.sql.values import Value


def measured(plan: Plan, run: Run, values: Mapping[str, Node]) -> pa.Table:
    """The values of some nodes as of the plan's instant.

    Args:
        plan: of one instant.
        run: runs it; the plan's subjects are there already.
        values: nodes of values by name.

    Returns:
        Ordered by ``k``, the customer's key: a column a name, numbers as DOUBLE and all else in stored form; NULL is
        missing.
    """
    scope = Scope(plan)
    columns = {name: column(plan, value(node, scope)) for name, node in values.items()}
    tables = run.leaves()
    shown = ", ".join(f'{sql} AS "v{at}"' for at, sql in enumerate(columns.values()))
    joins = " ".join(f"JOIN {table} USING (k)" for table in tables)
    head = f"m.k{', ' if shown else ''}{shown}"
    found = plan.store.arrow(f"SELECT {head} FROM {plan.frame.subjects} m {joins} ORDER BY m.k")
    return found.rename_columns(["k", *columns])


def column(plan: Plan, found: Value) -> str:
    """The SQL of a value over the columns of the plan's leaves: numbers as DOUBLE, all else in stored form."""
    if not isinstance(found, Rational):
        return plan.output(found.sql)
    factor = repr(float(found.factor))
    if found.num is None:
        return f"CAST({factor} AS DOUBLE)"
    # As DOUBLE already where it is laid out: half as wide as a sum of 128 bits, and converted once however often it is read.
    whole = plan.output(s.cast(found.num, "DOUBLE"))
    # Divided first: a count over a count is then the nearest DOUBLE to the exact share.
    share = whole if found.den is None else f"{whole} / {plan.output(s.cast(found.den, 'DOUBLE'))}"
    if found.factor.numerator == 1:
        return f"({share}) / {float(found.factor.denominator)!r}"
    return f"({share}) * {factor}"
