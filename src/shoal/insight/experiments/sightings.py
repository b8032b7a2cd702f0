"""Who was seen in which arm, and when: one query of rows (``who``, ``ts``, ``arm``) for each way in which exposures are said.

``arm`` is the place of the arm among the experiment's, the control 0, and -1 where what was said is no arm of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.customers.identity import merged
from shoal.customers.load.times import instant_of_text, local_to_instant
from shoal.errors import ConfigError, Refused, UnknownName, nearest
from shoal.insight.experiments.definition import EVENT, EXPERIMENT_PROPERTIES, InFile, InTrait, Viewed
from shoal.lang.nodes import Definition
from shoal.lang.schema import Kind
from shoal.sql.encode import quoted
from shoal.sql.engine import SqlEngine
from shoal.sql.registry import CUSTOMER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from shoal.insight.experiments.definition import Experiment
    from shoal.insight.experiments.state import State
    from shoal.insight.models.asof import AsOf
    from shoal.sql.registry import EventType

UNKNOWN_ARM = -1
_MICRO = 1_000_000
_POPULATION = "population"


class Sightings(NamedTuple):
    """Rows of who was seen when in which arm.

    Args:
        rows: a query of ``who`` (surviving customer's key), ``ts`` and ``arm``.
        strangers: ids in a file that no customer bears.
        undated: rows of a file whose instant can't be read.
    """

    rows: str
    strangers: int = 0
    undated: int = 0


class Unexposed(Refused):
    """Nothing that says who was exposed has come yet."""


@contextmanager
def sightings(known: AsOf, experiment: Experiment, state: State) -> Iterator[Sightings]:
    """The rows of an experiment, up to the instant that is known.

    Raises:
        UnknownName: there is no such event, property or trait.
        Refused: what says the exposures isn't there, or not in a form that can be read.
        ConfigError: the file isn't there.
    """
    exposure = experiment.exposure
    if isinstance(exposure, Viewed):
        yield Sightings(_viewed(known, experiment, exposure))
    elif isinstance(exposure, InTrait):
        yield Sightings(_in_trait(known, experiment, exposure))
    elif isinstance(exposure, InFile):
        with _in_file(known, experiment, exposure) as found:
            yield found
    else:
        with _at_start(known, experiment, state) as rows:
            yield Sightings(rows)


# ------------------------------------------------------------ events and traits


def _viewed(known: AsOf, experiment: Experiment, exposure: Viewed) -> str:
    event = known.events.get(exposure.event)
    if event is None and not experiment.elsewhere and not nearest(exposure.event, known.events):
        raise Unexposed(
            f'Nobody was exposed to {experiment.slug!r} yet: there is no event "{exposure.event}".',
            fix="Send it when a customer would see a difference, or name under exposure: what says so; see docs/experiments.md.",
        )
    if event is None:
        raise UnknownName("event", exposure.event, known.events)
    named = [name for name in exposure.arm if name in event.properties]
    if not named:
        raise UnknownName(f'property of "{event.name}"', exposure.arm[0], event.properties)
    arms = [_arm(event.properties[n].col, event.properties[n].kind, experiment, exposure.values) for n in named]
    return (
        f"SELECT customer AS who, ts, CAST(coalesce({', '.join(arms)}, {UNKNOWN_ARM}) AS SMALLINT) AS arm "
        f"FROM ({known.event(event.name)}) e WHERE {_of_it(event, experiment, exposure)}"
    )


def _of_it(event: EventType, experiment: Experiment, exposure: Viewed) -> str:
    """Which of the events are of the experiment."""
    only = exposure.only or tuple((name, (experiment.slug, experiment.name)) for name in _experiment_names(exposure))
    if not only:
        return "true"
    tests = []
    for name, values in only:
        if name in event.properties:
            prop = event.properties[name]
            tests += [test for value in values if (test := _equals(prop.col, prop.kind, value))]
    if not any(name in event.properties for name, _ in only):
        raise UnknownName(f'property of "{event.name}"', only[0][0], event.properties)
    return f"({' OR '.join(tests)})" if tests else "false"


def _experiment_names(exposure: Viewed) -> tuple[str, ...]:
    return EXPERIMENT_PROPERTIES if exposure.event == EVENT else ()


def _in_trait(known: AsOf, experiment: Experiment, exposure: InTrait) -> str:
    trait = known.registry.trait(exposure.trait)
    if trait is None or trait.unset:
        raise UnknownName("trait", exposure.trait, [one.name for one in known.traits])
    if trait.scope != CUSTOMER or trait.kind not in (Kind.TEXT, Kind.NUMBER, Kind.YESNO):
        raise Refused(f"The trait {trait.name} is {trait.kind.value}: it can't say an arm.", fix="Take a text.")
    arm = _arm("value", trait.kind, experiment, exposure.values)
    rows = (
        f"SELECT owner AS who, ts, CAST(coalesce({arm}, {UNKNOWN_ARM}) AS SMALLINT) AS arm FROM {trait.table} "
        f"WHERE retired IS NULL AND ts <= {known.at:d} AND value IS NOT NULL"
    )
    return merged(known.engine.store, rows, "who")


def said_for(experiment: Experiment, values: Iterable[tuple[str, str]]) -> dict[str, int]:
    """What may stand in the data for each arm: its name, or what the definition says in its place."""
    places = {name: place for place, name in enumerate(experiment.arms)}
    other = {text: places[name] for text, name in values}
    replaced = set(other.values())
    return other | {name: place for name, place in places.items() if place not in replaced and name not in other}


def _arm(column: str, kind: Kind, experiment: Experiment, values: Iterable[tuple[str, str]]) -> str:
    cases = [
        f"WHEN {test} THEN {place}"
        for text, place in said_for(experiment, values).items()
        if (test := _equals(column, kind, text))
    ]
    return f"CASE {' '.join(cases)} END" if cases else "NULL"


def _equals(column: str, kind: Kind, text: str) -> str | None:
    """Whether a stored value is what a text says; None where it can't be, by its type."""
    if kind is Kind.TEXT:
        return f"{column} = {quoted(text)}"
    if kind is Kind.YESNO:
        said = {"yes": "true", "true": "true", "no": "false", "false": "false"}.get(text.casefold())
        return said and f"{column} = {said}"
    if kind is Kind.NUMBER:
        try:
            return f"{column} = {int(Decimal(text) * _MICRO):d}"
        except (InvalidOperation, ValueError, OverflowError):
            return None
    return None


# ------------------------------------------------------------ everybody, from the start


@contextmanager
def _at_start(known: AsOf, experiment: Experiment, state: State) -> Iterator[str]:
    """The population as it was at the start and as it was known then: what came to light later changes nobody's arm."""
    assert state.started is not None
    store = known.engine.store
    engine = SqlEngine(store, replace(known.schema, segments={**known.schema.segments, **state.segments}))
    asked = {} if experiment.population is None else {_POPULATION: _population(experiment)}
    # The merges of then too: who was one customer later was drawn by the id of then.
    found = engine.evaluate(asked, state.started, known_at=state.started, drafts=True)
    try:
        within = f' WHERE e."{found.columns[_POPULATION]}"' if asked else ""
        rows = (
            f"SELECT e.customer AS who, CAST({state.started:d} AS BIGINT) AS ts, "
            f"CAST({assigned(experiment, state, 'c.id')} AS SMALLINT) AS arm FROM {found.table} e "
            f"JOIN customers c ON c.key = e.customer{within}"
        )
        yield merged(store, f"SELECT * FROM ({rows}) r WHERE arm IS NOT NULL", "who")
    finally:
        found.close()


def _population(experiment: Experiment) -> Definition:
    assert experiment.population is not None
    return Definition(_POPULATION, _POPULATION, experiment.population)


# ------------------------------------------------------------ buckets


def place(salt: str, column: str) -> str:
    """The SQL of a bucket in millionths, as ``assignment.place_of`` says it of an id."""
    salted = f"{quoted(salt)} || chr(0) || {column}"
    return f"(CAST('0x' || substr(sha256({salted}), 1, 15) AS BIGINT) % {_MICRO})"


def assigned(experiment: Experiment, state: State, column: str) -> str:
    """The SQL of the arm's place for a customer's id; NULL where they take no part."""
    found = state.assignment(experiment)
    tests = [f"NOT {in_span(one.salt, one.span, column)}" for one in found.holdouts]
    if found.slot is not None:
        tests.append(in_span(found.slot.salt, found.slot.span, column))
    # How many of the ends it has passed, as a sum: so the database works the hash out once, which it doesn't in a CASE.
    drawn = place(found.salt, column)
    chosen = " + ".join(f"CAST({drawn} >= {span.end} AS TINYINT)" for span in list(found.spans.values())[:-1])
    return f"CASE WHEN {' AND '.join(tests)} THEN {chosen} END" if tests else chosen


def in_span(salt: str, span: tuple[int, int], column: str) -> str:
    """The SQL of whether an id lies in a range of a bucket."""
    drawn = place(salt, column)
    return f"{drawn} < {span[1]:d}" if not span[0] else f"{drawn} BETWEEN {span[0]:d} AND {span[1] - 1:d}"


# ------------------------------------------------------------ files


@contextmanager
def _in_file(known: AsOf, experiment: Experiment, exposure: InFile) -> Iterator[Sightings]:
    table = read_file(exposure)
    store = known.engine.store
    with known.beside(table) as name:
        at = _instant(table, known)
        cases = " ".join(f"WHEN {quoted(t)} THEN {p}" for t, p in said_for(experiment, exposure.values).items())
        made = f"sighted_{name}"
        store.execute(
            f"CREATE TEMP TABLE {made} AS SELECT c.key AS who, {at} AS ts, "
            f"CAST(CASE f.arm {cases} ELSE {UNKNOWN_ARM} END AS SMALLINT) AS arm FROM {name} f "
            f"LEFT JOIN customers c ON c.id = f.customer"
        )
        try:
            ((strangers, undated),) = store.rows(
                f"SELECT count(*) FILTER (who IS NULL), count(*) FILTER (who IS NOT NULL AND ts IS NULL) FROM {made}"
            )
            rows = f"SELECT * FROM {made} WHERE who IS NOT NULL AND ts <= {known.at:d}"
            yield Sightings(merged(store, rows, "who"), int(strangers), int(undated))
        finally:
            store.execute(f"DROP TABLE IF EXISTS {made}")


def _instant(table: pa.Table, known: AsOf) -> str:
    import pyarrow as pa

    kind = table.schema.field("at").type
    if pa.types.is_string(kind):
        return instant_of_text("f.at", None, known.zone)
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return "epoch_us(f.at)"
    return local_to_instant("epoch_us(CAST(f.at AS TIMESTAMP))", known.zone)


def read_file(exposure: InFile) -> pa.Table:
    """The columns ``customer``, ``arm`` and ``at`` of a file; texts in all of them where it is a CSV.

    Raises:
        ConfigError: it isn't there, can't be read, or lacks a column.
    """
    path = (exposure.root or Path()) / exposure.path
    wanted = {"customer": exposure.customer, "arm": exposure.arm, "at": exposure.at}
    try:
        table = _read(path)
    except FileNotFoundError:
        raise ConfigError(f"There is no file {exposure.path}.", fix="Its path is within the workspace.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"It can't be read: {error}.", place=exposure.path) from None
    for name in wanted.values():
        if name not in table.column_names:
            raise UnknownName("column", name, table.column_names, place=exposure.path)
    import pyarrow as pa

    found = {name: table[column] for name, column in wanted.items()}
    texts = {name: found[name].cast(pa.string()) for name in ("customer", "arm")}
    return pa.table({**texts, "at": found["at"]})


def _read(path: Path) -> Any:
    """A file's table. ArrowInvalid is a ValueError."""
    if path.suffix.casefold() == ".parquet":
        from pyarrow import parquet

        return parquet.read_table(path)
    import pyarrow as pa
    from pyarrow import csv

    with path.open("rb") as file:
        head = file.readline()
    delimiter = max((",", ";", "\t"), key=lambda sign: head.count(sign.encode()))
    names = _columns(path, delimiter)
    kinds = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    return csv.read_csv(path, parse_options=csv.ParseOptions(delimiter=delimiter), convert_options=kinds)


def _columns(path: Path, delimiter: str) -> Sequence[str]:
    from pyarrow import csv

    with csv.open_csv(path, parse_options=csv.ParseOptions(delimiter=delimiter)) as reader:
        return list(reader.schema.names)


def arm_samples(known: AsOf, experiment: Experiment) -> Mapping[str, int]:
    """What stands in events in the place of an arm and is none, with how often, the most frequent first."""
    exposure = experiment.exposure
    event = known.events.get(exposure.event) if isinstance(exposure, Viewed) else None
    if event is None or not isinstance(exposure, Viewed):
        return {}
    shown = [event.properties[n] for n in exposure.arm if n in event.properties]
    arms = ", ".join(_arm(p.col, p.kind, experiment, exposure.values) for p in shown)
    text = ", ".join(f"CAST({_plain(p.col, p.kind)} AS VARCHAR)" for p in shown)
    table = known.arrow(
        f"SELECT coalesce({text}, 'nothing') AS said, count(*) AS n FROM ({known.event(event.name)}) e "
        f"WHERE {_of_it(event, experiment, exposure)} AND coalesce({arms}) IS NULL GROUP BY 1 ORDER BY n DESC, said LIMIT 3"
    )
    return dict(zip(table["said"].to_pylist(), table["n"].to_pylist(), strict=True))


def _plain(column: str, kind: Kind) -> str:
    return f"{column} / {_MICRO}" if kind is Kind.NUMBER else column
