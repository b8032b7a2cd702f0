"""SQL that turns a cell as it was read into the store's physical form, and that into what expressions see.

Physical: numbers BIGINT millionths (half to even, beyond ± 10^12 NULL), dates INTEGER days, instants BIGINT
microseconds, yes/no BOOLEAN, text VARCHAR. In expressions: numbers DECIMAL(38, 6), dates DATE, instants TIMESTAMP in
UTC. A cell that doesn't convert is NULL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.clock import DAY, SECOND
from shoal.customers.load import times
from shoal.lang.schema import Kind
from shoal.sql.encode import LIMIT, quoted, text_of_millionths

if TYPE_CHECKING:
    from shoal.lang.calendar import Zone

YES = ("yes", "y", "true", "t", "1", "on")
NO = ("no", "n", "false", "f", "0", "off")
_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_WIDE = {"UBIGINT", "HUGEINT", "UHUGEINT"}
_TIMESTAMPS = {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
_SIGNS = "€$£¥₹₽₺₩₪₦₴₫฿ "


@dataclass(frozen=True, slots=True)
class Writing:
    """How texts of a column are to be understood.

    Args:
        zone: the zone of times that bear none.
        decimal: the sign before decimals.
        thousands: the sign between groups of three digits; empty for none.
        dates: iso, day-first, month-first or a pattern; None takes ISO and months as words.
        yes: words for yes, in lower case.
        no: words for no.
        span: the least and the greatest time written in the column, as microseconds, where that is known.
    """

    zone: Zone
    decimal: str = "."
    thousands: str = ""
    dates: str | None = None
    yes: tuple[str, ...] = YES
    no: tuple[str, ...] = NO
    span: tuple[int, int] | None = None


def native_kind(sql_type: str) -> Kind | None:
    """The type that a database column has by itself; None for text, whose type is learned."""
    base = sql_type.split("(")[0]
    if base in _INTEGERS | _WIDE | {"DOUBLE", "FLOAT", "DECIMAL"}:
        return Kind.NUMBER
    if base in _TIMESTAMPS or base == "TIMESTAMP WITH TIME ZONE":
        return Kind.INSTANT
    if sql_type.endswith("[]"):
        return Kind.OBJECTS if sql_type.startswith("STRUCT") else Kind.TEXTS
    return {"BOOLEAN": Kind.YESNO, "DATE": Kind.DATE}.get(base)


def is_whole(sql_type: str) -> bool:
    """Whether a database column holds whole numbers."""
    return sql_type in _INTEGERS


def text_of(raw: str, sql_type: str) -> str:
    """VARCHAR of a cell, the form in which ids are compared: numbers in their shortest form."""
    base = sql_type.split("(")[0]
    if base == "VARCHAR":
        return raw
    if base in ("DOUBLE", "FLOAT"):
        whole = f"abs({raw}) < 1e15 AND {raw} = trunc({raw})"
        return f"CASE WHEN {whole} THEN CAST(CAST({raw} AS BIGINT) AS VARCHAR) ELSE CAST({raw} AS VARCHAR) END"
    if base == "DECIMAL" and not sql_type.endswith(",0)"):
        return f"rtrim(rtrim(CAST({raw} AS VARCHAR), '0'), '.')"
    if base in _TIMESTAMPS:
        return f"strftime({raw}, '%Y-%m-%dT%H:%M:%S')"
    if base == "BOOLEAN":
        return f"CASE WHEN {raw} THEN 'yes' WHEN NOT {raw} THEN 'no' END"
    return f"CAST({raw} AS VARCHAR)"


def id_of(raw: str, sql_type: str) -> str:
    """VARCHAR id of a cell: its text without blanks around it; NULL where nothing is left."""
    text = text_of(raw, sql_type)
    return f"nullif(trim({text}), '')" if sql_type == "VARCHAR" else text


def physical(raw: str, sql_type: str, kind: Kind, how: Writing) -> str:
    """The physical form of a cell.

    Args:
        raw: the cell, an SQL expression.
        sql_type: its type in the database.
        kind: what it is to be.
        how: how texts are understood.
    """
    match kind:
        case Kind.TEXT:
            return text_of(raw, sql_type)
        case Kind.NUMBER:
            return _number(raw, sql_type, how)
        case Kind.YESNO:
            return raw if sql_type == "BOOLEAN" else _yes_no(text_of(raw, sql_type), how)
        case Kind.DATE:
            return _date(raw, sql_type, how)
        case Kind.INSTANT:
            return _instant(raw, sql_type, how)
        case Kind.TEXTS if sql_type.endswith("[]"):
            return raw if sql_type == "VARCHAR[]" else f"CAST({raw} AS VARCHAR[])"
        case _:
            return "NULL"


def logical(column: str, kind: Kind) -> str:
    """What an expression sees, from the physical form in ``column``."""
    match kind:
        case Kind.NUMBER:
            return f"CAST({column} AS DECIMAL(38, 0)) * CAST(0.000001 AS DECIMAL(6, 6))"
        case Kind.DATE:
            return f"DATE '1970-01-01' + {column}"
        case Kind.INSTANT:
            return f"make_timestamp({column})"
        case _:
            return column


def from_logical(expression: str, sql_type: str, kind: Kind) -> str:
    """The physical form of an expression's value, given the type that the database found for it."""
    match kind:
        case Kind.NUMBER:
            return _number(expression, sql_type, Writing(times.zone_named("UTC")))
        case Kind.DATE:
            return f"CAST({expression} - DATE '1970-01-01' AS INTEGER)"
        case Kind.INSTANT:
            return f"epoch_us({expression})"
        case Kind.TEXT:
            return f"CAST({expression} AS VARCHAR)"
        case _:
            return expression


def physical_text(column: str, kind: Kind) -> str:
    """The text of a physical value, as an id or a text property bears it."""
    match kind:
        case Kind.NUMBER:
            return text_of_millionths(column)
        case Kind.YESNO:
            return f"CASE WHEN {column} THEN 'yes' WHEN NOT {column} THEN 'no' END"
        case Kind.DATE:
            return f"CAST(DATE '1970-01-01' + {column} AS VARCHAR)"
        case Kind.INSTANT:
            return f"strftime(make_timestamp({column}), '%Y-%m-%dT%H:%M:%S.%fZ')"
        case _:
            return column


def coerced(column: str, kind: Kind, wanted: Kind, how: Writing) -> str:
    """A physical value as another type, where that makes sense; NULL elsewhere."""
    if kind is wanted:
        return column
    if wanted is Kind.TEXT and kind not in (Kind.TEXTS, Kind.OBJECTS):
        return physical_text(column, kind)
    if kind is Kind.TEXT:
        return physical(column, "VARCHAR", wanted, how)
    if kind is Kind.DATE and wanted is Kind.INSTANT:
        return times.local_to_instant(f"(CAST({column} AS BIGINT) * {DAY})", how.zone, how.span)
    return "NULL"


def object_fields(sql_type: str) -> dict[str, str]:
    """The fields of a list of objects and their types, from a type such as STRUCT(sku VARCHAR, "n o" BIGINT)[]."""
    inner = sql_type.removesuffix("[]").removeprefix("STRUCT(").removesuffix(")")
    found, depth, quoted_, start = [], 0, False, 0
    for at, sign in enumerate(inner):
        quoted_ ^= sign == '"'
        depth += 0 if quoted_ else (sign == "(") - (sign == ")")
        if sign == "," and depth == 0 and not quoted_:
            found.append(inner[start:at])
            start = at + 1
    parts = [re.fullmatch(r'\s*("(?:[^"]|"")*"|\S+)\s+(.*)', part) for part in (*found, inner[start:])]
    return {p[1].strip('"').replace('""', '"'): p[2].strip() for p in parts if p}


def is_beyond(raw: str, sql_type: str, how: Writing) -> str:
    """Whether a cell is a number that is too large to be kept."""
    base = sql_type.split("(")[0]
    if base in {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"}:
        return "false"
    value = _of_text(raw, how, "DOUBLE") if base == "VARCHAR" else raw
    double = value if base in ("VARCHAR", "DOUBLE", "FLOAT") else f"CAST({value} AS DOUBLE)"
    return f"coalesce(abs({double}) > {LIMIT} AND NOT isnan({double}), false)"


def double(raw: str, sql_type: str, how: Writing) -> str:
    """A number of a cell as floating point, unrounded."""
    return _of_text(raw, how, "DOUBLE") if sql_type == "VARCHAR" else f"CAST({raw} AS DOUBLE)"


def place(latitude: str, longitude: str) -> str:
    """The physical form of a place on earth, from degrees as DOUBLE; NULL for what is none (see ``customers.values``)."""
    phi, lam = f"radians({latitude})", f"radians({longitude})"
    parts = {"x": f"cos({phi}) * cos({lam})", "y": f"cos({phi}) * sin({lam})", "z": f"sin({phi})"}
    packed = ", ".join(f"{name} := CAST(round_even({part} * 1e9, 0) AS BIGINT)" for name, part in parts.items())
    return f"CASE WHEN abs({latitude}) <= 90 AND abs({longitude}) <= 180 THEN struct_pack({packed}) END"


def _number(raw: str, sql_type: str, how: Writing) -> str:
    base = sql_type.split("(")[0]
    if base in _INTEGERS:
        return f"CASE WHEN {raw} BETWEEN -{LIMIT} AND {LIMIT} THEN CAST({raw} AS BIGINT) * 1000000 END"
    if base in _WIDE:
        return f"CASE WHEN {raw} BETWEEN -{LIMIT} AND {LIMIT} THEN CAST(CAST({raw} AS HUGEINT) * 1000000 AS BIGINT) END"
    if base == "DOUBLE":
        exact = _of_decimal(f"TRY_CAST(CAST({raw} AS VARCHAR) AS DECIMAL(38, 18))")
        # Far from the middle between two millionths, floating point can't err; near it the shortest text decides.
        clear = f"abs({raw}) < 1e9 AND abs({raw} * 1e6 - round({raw} * 1e6)) < 0.25"
        return f"CASE WHEN {clear} THEN CAST({raw} * 1e6 AS BIGINT) ELSE {exact} END"
    if base == "FLOAT":
        return _of_decimal(f"TRY_CAST(CAST({raw} AS VARCHAR) AS DECIMAL(38, 18))")
    if base == "DECIMAL":
        return _of_decimal(raw, _scale(sql_type))
    if base == "BOOLEAN":
        return f"CASE WHEN {raw} THEN 1000000 WHEN NOT {raw} THEN 0 END"
    if base == "VARCHAR":
        return _of_decimal(_of_text(raw, how, "DECIMAL(38, 18)"))
    return "CAST(NULL AS BIGINT)"


def _scale(sql_type: str) -> int:
    return int(sql_type.rstrip(")").split(",")[1])


def _of_decimal(value: str, scale: int = 18) -> str:
    """BIGINT millionths of a decimal, half to even; ``round_even`` is exact on decimals."""
    rounded = f"round_even({value}, 6)" if scale > 6 else value
    micro = f"TRY_CAST(CAST({rounded} AS DECIMAL(38, 6)) * 1000000 AS BIGINT)"
    return f"CASE WHEN abs({value}) <= {LIMIT} THEN {micro} END"


def _of_text(raw: str, how: Writing, sql_type: str) -> str:
    """A number that stands as text; most are plain, and only the others are taken apart."""
    # Words have no digits; looking first spares them the taking apart.
    numeric = f"regexp_matches({raw}, '^[^0-9]{{0,8}}[0-9][^/:]{{0,40}}$')"
    cleaned = f"CASE WHEN {numeric} THEN TRY_CAST({_no_underscore(_plain_number(raw, how))} AS {sql_type}) END"
    if how.decimal == "." and not how.thousands:
        plain = f"TRY_CAST({raw} AS {sql_type})"
        return f"CASE WHEN {plain} IS NULL OR contains({raw}, '_') THEN {cleaned} ELSE {plain} END"
    return f"CASE WHEN regexp_matches({raw}, '[^0-9]') THEN {cleaned} ELSE TRY_CAST({raw} AS {sql_type}) END"


def looks_number(raw: str, how: Writing) -> str:
    """Whether a text is a number; cheaper than ``physical``."""
    return f"{_of_text(raw, how, 'DOUBLE')} IS NOT NULL AND NOT regexp_matches({raw}, '(?i)nan|inf')"


def _plain_number(raw: str, how: Writing) -> str:
    """A number as a program would write it, from one as people do: € 1.234,50 or (1,234.50) or 12.50-."""
    text = f"replace(trim({raw}), '−', '-')"
    bare = f"translate({text}, {quoted(_SIGNS + chr(0xA0) + chr(0x202F))}, '')"
    bare = f"regexp_replace({bare}, '^([+-]?)[A-Z]{{3}}|[A-Z]{{3}}$', '\\1')"
    signed = f"regexp_replace({bare}, '^\\((.*)\\)$|^(.*[0-9])-$', '-\\1\\2')"
    if how.thousands.strip("\u00a0\u202f "):
        grouped = f"'^[+-]?[0-9]{{1,3}}([{_in_class(how.thousands)}][0-9]{{3}})+([{_in_class(how.decimal)}][0-9]*)?$'"
        bare_groups = f"replace({signed}, {quoted(how.thousands)}, '')"
        signed = f"CASE WHEN regexp_matches({signed}, {grouped}) THEN {bare_groups} ELSE {signed} END"
    if how.decimal == ",":
        # A point that isn't the sign of thousands is no number here.
        signed = f"CASE WHEN NOT contains({signed}, '.') THEN replace({signed}, ',', '.') END"
    return signed


def _no_underscore(text: str) -> str:
    return f"CASE WHEN NOT contains({text}, '_') THEN {text} END"


def _in_class(sign: str) -> str:
    return re.sub(r"([\\\]\[^-])", r"\\\1", sign).replace("'", "''")


def _yes_no(text: str, how: Writing) -> str:
    yes, no = (", ".join(quoted(w) for w in words) for words in (how.yes, how.no))
    word = f"lower(trim({text}))"
    return f"CASE WHEN {word} IN ({yes}) THEN true WHEN {word} IN ({no}) THEN false END"


def _date(raw: str, sql_type: str, how: Writing) -> str:
    base = sql_type.split("(")[0]
    if base == "DATE":
        return f"CAST({raw} - DATE '1970-01-01' AS INTEGER)"
    if base in _TIMESTAMPS:
        return times.day_of_micros(f"epoch_us(CAST({raw} AS TIMESTAMP))")
    if base == "TIMESTAMP WITH TIME ZONE":
        return "CAST(NULL AS INTEGER)"
    text = text_of(raw, sql_type)
    compact = f"CASE WHEN regexp_matches({text}, '^(19|20)[0-9]{{6}}$') THEN try_strptime({text}, '%Y%m%d') END"
    moment = times.written(text, how.dates)
    if not (how.dates and "%" in how.dates):
        moment = f"coalesce({moment}, {compact})"
    return times.day_of_micros(f"epoch_us({moment})")


def _instant(raw: str, sql_type: str, how: Writing) -> str:
    base = sql_type.split("(")[0]
    if base == "TIMESTAMP WITH TIME ZONE":
        return f"epoch_us({raw})"
    if base in _TIMESTAMPS:
        return times.local_to_instant(f"epoch_us({raw})", how.zone, how.span)
    if base == "DATE":
        return times.local_to_instant(f"epoch_us(CAST({raw} AS TIMESTAMP))", how.zone, how.span)
    if base == "VARCHAR":
        text = times.instant_of_text(raw, how.dates, how.zone)
        counted = _since_1970(f"TRY_CAST({raw} AS DECIMAL(38, 6))", raw, how)
        return f"CASE WHEN regexp_matches({raw}, '^[0-9]+([.][0-9]+)?$') THEN {counted} ELSE {text} END"
    if native_kind(sql_type) is Kind.NUMBER:
        return _since_1970(f"CAST({raw} AS DECIMAL(38, 6))", text_of(raw, sql_type), how)
    return "CAST(NULL AS BIGINT)"


def _since_1970(value: str, text: str, how: Writing) -> str:
    """An instant written as a number: eight digits are a date, else seconds, milli- or microseconds since 1970."""
    compact = f"regexp_matches({text}, '^(19|20)[0-9]{{6}}$')"
    day = times.local_to_instant(f"epoch_us(try_strptime({text}, '%Y%m%d'))", how.zone)
    scale = f"CASE WHEN {value} < 100000000000 THEN {SECOND} WHEN {value} < 100000000000000 THEN 1000 ELSE 1 END"
    return f"CASE WHEN {compact} THEN {day} ELSE TRY_CAST({value} * {scale} AS BIGINT) END"
