"""What the engine asks of a database beyond plain SQL, and which databases have it.

A function that an emitter calls must stand in ``FUNCTIONS`` with its meaning: that is the list which another dialect has to
fulfil. A dialect that isn't in ``DIALECTS`` is refused by name before anything runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import Unsupported

if TYPE_CHECKING:
    from shoal.sql.store import Store

DIALECTS = frozenset({"duckdb"})

FUNCTIONS: dict[str, str] = {
    "abs": "size of an integer",
    "arg_max": "of the rows whose first argument isn't NULL, that argument where the second is greatest",
    "arg_max_null": "the first argument where the second is greatest, NULL or not",
    "arg_min": "of the rows whose first argument isn't NULL, that argument where the second is least",
    "bit_xor": "exclusive or over all rows",
    "bool_and": "all rows hold",
    "bool_or": "some row holds",
    "chr": "the character of a code point, 0 included",
    "contains": "a text holds another, by code points",
    "count": "rows whose argument isn't NULL",
    "day": "day of the month of a date",
    "lag": "the value of the row before",
    "lead": "the value of the row after",
    "least": "the smaller argument",
    "len": "elements of a list",
    "list_contains": "a list holds a value",
    "list_filter": "the elements for which a function holds",
    "list_has_all": "a list holds all values of another",
    "list_has_any": "a list holds some value of another",
    "list_transform": "the elements changed by a function",
    "max": "greatest value; texts by code point",
    "min": "least value; texts by code point",
    "month": "month of a date, 1 to 12",
    "nullif": "NULL where both arguments are equal",
    "printf": "formatted text, as '%016x'",
    "row": "a tuple, compared part by part",
    "row_number": "number of a row in the order of its window",
    "sha256": "the digest of a text's UTF-8 in lower-case hexadecimal digits",
    "sign": "-1, 0 or 1",
    "starts_with": "a text begins with another",
    "struct_extract": "a field of an object",
    "substr": "part of a text, counted from 1",
    "suffix": "a text ends with another",
    "sum": "total as a 128-bit integer",
    "unnest": "a row for each element of a list",
    "xor": "exclusive or of two integers",
    "year": "year of a date",
}
"""Beside these: ASOF joins (the nearest match in an order), UNION ALL BY NAME, 128-bit integers, temporary tables and views."""


def require(store: Store) -> None:
    """Refuse a store whose database the emitters don't know.

    Raises:
        Unsupported: by the dialect's name.
    """
    if store.dialect not in DIALECTS:
        raise Unsupported(
            f"The SQL engine has no emitters for {store.dialect!r} yet.",
            fix=f"Use a store on {' or '.join(sorted(DIALECTS))}.",
        )
