"""Segments of a workspace: sizes, members, why, and changing the files that define them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.action.activation import Reach, prepare, purpose_of
from shoal.clock import DAY
from shoal.customers.identity import key_of, merged
from shoal.destinations.files import write_table
from shoal.errors import DefinitionError, UnknownName
from shoal.insight import definitions as files
from shoal.insight.history import Published, publish
from shoal.insight.ranks import rank_new
from shoal.lang.build_values import Condition as Built
from shoal.lang.files import slug_of
from shoal.lang.nodes import And, Consents, Definition, Node, Not
from shoal.lang.parse import parse
from shoal.workspace.frames import Form, as_form
from shoal.workspace.moments import local_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from shoal.insight.library import Template
    from shoal.insight.segments import Quality
    from shoal.lang.nodes import Condition
    from shoal.lang.schema import Schema
    from shoal.sql.engine import Evaluation, Explanation, SqlEngine
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace

CHANGE_OVER = 30 * DAY


@dataclass(frozen=True, slots=True)
class HandedOut:
    """Members that were handed out: where to, how many rows, and what consent withheld."""

    segment: str
    at: int
    reach: Reach
    path: Path | None
    rows: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a condition would give, before it is saved.

    ``doubts`` are the parts that can hardly have been meant, though the condition is accepted: what holds for nobody
    whatever the data, as a range whose first end is above the second, and texts that nobody has.
    """

    at: int
    base: int
    size: int
    sentence: str
    doubts: tuple[DefinitionError, ...] = ()


class Known(NamedTuple):
    """What a question about the past is asked of.

    Args:
        engine: evaluates with the segments of then.
        definitions: the segments, by slug.
        at: the instant.
        known_at: only what had been received by then; None for all that is known today.
        catalogue: finds a segment by its names.
    """

    engine: SqlEngine
    definitions: Mapping[str, Definition]
    at: int
    known_at: int | None
    catalogue: files.Catalogue

    def find(self, name: str) -> Definition:
        """A segment by slug or display name; raises where there is none."""
        return self.catalogue.find(name)


class Segments:
    """The segments of an open workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._ws.definitions.values())

    def __getitem__(self, name: str) -> Definition:
        return self._ws.catalogue.find(name)

    def __len__(self) -> int:
        return len(self._ws.definitions)

    def __contains__(self, name: object) -> bool:
        """Whether there is a segment of a slug or display name; a definition is in it too."""
        definitions = self._ws.definitions.values()
        return (
            name in definitions if isinstance(name, Definition) else any(name in (d.slug, d.name) for d in definitions)
        )

    def __repr__(self) -> str:
        return f"Segments({', '.join(self._ws.definitions) or 'none yet'})"

    # ------------------------------------------------------------ evaluation

    def evaluate(self, names: Sequence[str] | None = None, *, as_of: When = None, known_at: When = None) -> Evaluation:
        """Who is in which segment at an instant; all segments together unless names are given.

        Args:
            names: slugs or display names.
            as_of: today's definitions over the data of that instant; now by default.
            known_at: only what had been received by then, with the definitions and merges of then.
        """
        frame = self.known(as_of, known_at)
        chosen = frame.definitions if names is None else {(found := frame.find(n)).slug: found for n in names}
        return frame.engine.evaluate(chosen, frame.at, known_at=frame.known_at)

    def known(self, as_of: When = None, known_at: When = None) -> Known:
        """What a question about the past is asked of; see ``evaluate`` for the two instants."""
        ws = self._ws
        if known_at is None:
            at = ws.instant(as_of)
            return Known(ws.engine, ws.definitions, at, None, ws.catalogue)
        from shoal.sql.engine import SqlEngine

        instant = ws.instant(known_at)
        then = files.known_at(ws.store, instant)
        engine = SqlEngine(ws.store, replace(ws.schema, segments=then))
        return Known(engine, then, instant if as_of is None else ws.instant(as_of), instant, files.Catalogue(then))

    def table(self, *, as_of: When = None, known_at: When = None, form: Form = "arrow") -> Any:
        """Name, size, share, revenue, margin and change over 30 days of every segment.

        Args:
            as_of: today's definitions over the data of that instant; now by default.
            known_at: only what had been received by then, with the definitions and merges of then.
            form: arrow, pandas or polars.

        Returns:
            Columns as of ``insight.segments.segment_table``; of a segment whose scores were first worked out later,
            what rests on them is NULL.
        """
        from shoal.insight.segments import segment_table

        frame = self.known(as_of, known_at)
        now, before = (self.evaluate(as_of=at, known_at=frame.known_at) for at in (frame.at, frame.at - CHANGE_OVER))
        try:
            rule, known = self._ws.config.revenue, frame.known_at
            table = segment_table(self._ws.store, now, frame.definitions, rule, previous=before, known_at=known)
        finally:
            now.close()
            before.close()
        return as_form(table, form)

    def preview(self, where: str | Condition | Built, *, as_of: When = None, known_at: When = None) -> Preview:
        """How many customers a condition holds for, without saving it.

        Args:
            where: the condition, as text or tree.
            as_of: the instant; now by default.
            known_at: only what had been received by then, with the segments and merges of then.

        Raises:
            DefinitionError: if the condition isn't accepted.
        """
        from shoal.lang.say import say

        frame = self.known(as_of, known_at)
        schema = frame.engine.schema
        condition = self._accepted(where, schema)
        draft = Definition("preview", "preview", condition)
        found = frame.engine.evaluate({"preview": draft}, frame.at, known_at=frame.known_at, drafts=True)
        try:
            size, sentence = found.sizes()["preview"], say(condition, schema)
            return Preview(frame.at, found.base(), size, sentence, (*self.doubts(where), *self._unheard(where)))
        finally:
            found.close()

    def doubts(self, where: str | Condition | Built) -> list[DefinitionError]:
        """The parts of a condition that hold for nobody whatever the data: to be shown, not raised.

        Each is an error object that shows its place in the text; a tree is written as text for that.
        """
        from shoal.lang.check import doubts
        from shoal.lang.show import show

        text = where if isinstance(where, str) else show(_node(where))
        return doubts(parse(text), self._ws.schema, text=text)

    def _unheard(self, where: str | Condition | Built) -> list[DefinitionError]:
        from shoal.insight.unheard import unheard
        from shoal.lang.show import show

        text = where if isinstance(where, str) else show(_node(where))
        return unheard(self._ws.store, parse(text), self._ws.schema, text)

    def why(self, customer: str, name: str, *, as_of: When = None, known_at: When = None) -> Explanation:
        """Why a customer is in a segment or not: the tree with values and truths, and until when.

        Raises:
            UnknownName: if there is no such customer or segment.
            DefinitionError: for an instant before the segment's scores were first worked out.
        """
        frame = self.known(as_of, known_at)
        definition, key = frame.find(name), key_of(self._ws.store, customer)
        self.hold_scored(definition, frame)
        if frame.known_at is not None:
            # Who is merged today may have been somebody of their own then.
            ((key,),) = self._ws.store.rows("SELECT key FROM customers WHERE id = ?", [str(customer)])
        return frame.engine.why(definition, key, frame.at, known_at=frame.known_at)

    def unscored(self, *, as_of: When = None) -> dict[str, int]:
        """Segments that nothing can be said of at an instant, since what they rest on was first worked out later.

        Before it nobody is in such a segment, whoever they were.

        Returns:
            By slug the instant from which on it can be asked; empty for today.
        """
        from shoal.insight.standing import unscored

        return unscored(self._ws.store, self._ws.definitions, self._ws.instant(as_of))

    def hold_scored(self, definition: Definition, frame: Known) -> None:
        """Refuse to answer for a segment at an instant before its scores were first worked out.

        Raises:
            DefinitionError: that says from when on it can be asked.
        """
        from shoal.insight.standing import unscored

        asked = {**frame.definitions, definition.slug: definition}
        since = unscored(self._ws.store, asked, frame.at, frame.known_at).get(definition.slug)
        if since is not None:
            raise DefinitionError(
                f"{definition.name!r} rests on scores or ranks that weren't worked out before "
                f"{local_stamp(since, self._ws.config.zone)}, so nobody can say who was in it then.",
                fix="Ask for that time or later.",
            )

    # ------------------------------------------------------------ library and quality

    def library(self, *, as_of: When = None) -> tuple[list[Template], dict[str, str]]:
        """Ready segments that fit the data at hand, with their size; and the others, each with the reason."""
        from shoal.insight.library import library

        ws = self._ws
        return library(ws.store, ws.schema, ws.engine, ws.instant(as_of), rule=ws.config.revenue)

    def template(self, slug: str) -> Template:
        """A ready segment by its slug.

        Raises:
            UnknownName: if there is none; where the data doesn't suffice, the message says what is missing.
        """
        fits, rest = self.library()
        for found in fits:
            if found.slug == slug:
                return found
        if slug in rest:
            raise DefinitionError(f"The template {slug!r} doesn't fit this data: {rest[slug]}")
        raise UnknownName("template", slug, [t.slug for t in fits])

    def quality(self, *, as_of: When = None) -> Quality:
        """Overlap, near-duplicates, distinctness, reach and coverage of all segments."""
        from shoal.insight.segments import quality

        ws = self._ws
        found = self.evaluate(as_of=as_of)
        try:
            consent_at = ws.moment() if as_of is None else None
            return quality(ws.store, found, ws.definitions, ws.schema, ws.config.revenue, consent_at=consent_at)
        finally:
            found.close()

    def similar(self, name: str) -> list[str]:
        """Other segments with nearly the same customers, or the same condition in other words."""
        from shoal.insight.overlap import duplicates, overlaps

        slug = self[name].slug
        found = self.evaluate()
        try:
            twins = duplicates(overlaps(self._ws.store, found), self._ws.definitions)
        finally:
            found.close()
        return sorted({t.a if t.b == slug else t.b for t in twins if slug in (t.a, t.b)})

    # ------------------------------------------------------------ members out

    def members(
        self,
        name: str,
        *,
        as_of: When = None,
        known_at: When = None,
        purpose: str | None = None,
        traits: Sequence[str] = (),
        form: Form = "arrow",
    ) -> Any:
        """The members that may be reached for the segment's purpose, with their ids and the traits asked for.

        Whatever instants are asked for, consent is that of now, and who was merged since is handed out as one.

        Raises:
            PurposeError: if the segment serves no purpose or one for analysis only.
            DefinitionError: for an instant before the segment's scores were first worked out.
        """
        with _Members(self._ws, name, (as_of, known_at), purpose, traits) as out:
            return as_form(out.table(), form)

    def export(
        self,
        name: str,
        path: str | Path,
        *,
        as_of: When = None,
        known_at: When = None,
        purpose: str | None = None,
        traits: Sequence[str] = (),
        format: str | None = None,  # noqa: A002
    ) -> HandedOut:
        """Write the members that may be reached to a CSV, Parquet or JSON-lines file.

        Raises:
            PurposeError: if the segment serves no purpose or one for analysis only.
            DefinitionError: for an instant before the segment's scores were first worked out.
        """
        target = Path(path)
        with _Members(self._ws, name, (as_of, known_at), purpose, traits) as out:
            rows = write_table(target, out.schema, out.batches(), format=format)
            return HandedOut(out.slug, out.at, out.reach, target, rows)

    def reach(self, name: str, *, as_of: When = None, known_at: When = None, purpose: str | None = None) -> HandedOut:
        """How many members may be reached and why the others may not, without handing anyone out."""
        with _Members(self._ws, name, (as_of, known_at), purpose, ()) as out:
            return HandedOut(out.slug, out.at, out.reach, None, 0)

    # ------------------------------------------------------------ changing

    def add(self, name: str, where: str | Condition | Built, *, slug: str | None = None, **details: Any) -> Definition:
        """Save a new segment as a file and publish its members.

        Args:
            name: the display name.
            where: the condition, as text or tree.
            slug: the file's name; made from the name by default.
            details: ``why``, ``purpose`` (by default the workspace's, unless the condition asks for
                those who didn't agree to it), ``owner``, ``always``, ``never``, ``tags``.

        Raises:
            DefinitionError: if it isn't accepted; nothing is written then. What is accepted and holds for nobody is
                told by ``doubts``.
        """
        condition = self._accepted(where)
        details.setdefault("purpose", self._default_purpose(condition))
        definition = Definition(slug or slug_of(name), name, condition, **details)
        return self._save(definition, base=None, new=True, because="segment added")

    def _default_purpose(self, condition: Condition) -> str | None:
        """The workspace's, unless the condition asks for those who didn't agree to it: they can't be handed out for it."""
        purpose = self._ws.config.default_purpose
        parts = condition.parts if isinstance(condition, And) else (condition,)
        refused = purpose is not None and Not(Consents(purpose)) in parts
        return None if refused else purpose

    def edit(self, name: str, /, *, where: str | Condition | Built | None = None, **details: Any) -> Definition:
        """Change a segment, by slug or display name; what isn't given (``name``, ``why`` …) stays.

        Raises:
            DefinitionError: if it isn't accepted; the file stays as it was then.
        """
        old = self[name]
        condition = old.where if where is None else self._accepted(where)
        base = self._ws.catalogue.hashes.get(old.slug)
        return self._save(replace(old, where=condition, **details), base=base, new=False, because="definition changed")

    def _accepted(self, where: str | Condition | Built, schema: Schema | None = None) -> Condition:
        """A condition that the data can answer; a fault shows its place in the text."""
        from shoal.lang.check import check

        condition = parse(where) if isinstance(where, str) else _node(where)
        check(condition, schema or self._ws.schema, text=where if isinstance(where, str) else None)
        return condition

    def _save(self, definition: Definition, *, base: str | None, new: bool, because: str) -> Definition:
        ws = self._ws
        path = files.path_of(ws.config.root, definition.slug)
        try:
            with ws.changing_definitions(definition), files.kept_or_put_back(path), ws.store.transaction():
                files.save(ws.config.root, definition, ws.schema, base=base, new=new)
                ws.follow(because)
        except BaseException:
            ws.refresh()
            raise
        return definition

    def remove(self, name: str) -> Definition | None:
        """Delete a segment's file; its history and versions stay in the store. None where it was never accepted.

        Raises:
            DefinitionError: if another segment names it.
        """
        slug = self.slug(name)
        definition = self._ws.definitions.get(slug)
        files.remove(self._ws.config.root, slug, self._ws.definitions)
        self._ws.follow(None)
        return definition

    def slug(self, name: str) -> str:
        """The slug of a segment, by slug or display name; also of one whose file can't be accepted.

        Raises:
            UnknownName: if there is none.
        """
        return name if name in self._ws.catalogue.faults else self[name].slug

    def publish(self, *, because: str = "evaluation") -> Published:
        """Refresh thresholds, evaluate all segments now and append what changed to their history."""
        ws = self._ws
        with ws.changing():
            at = ws.now()
            if not rank_new(ws.engine, ws.definitions, at):
                ws.engine.refresh_thresholds(ws.definitions, at, at)
            found = ws.engine.evaluate(ws.definitions, at)
            try:
                return publish(ws.store, found, received=at, because=because)
            finally:
                found.close()


def _node(where: Condition | Built) -> Condition:
    node = where.node if isinstance(where, Built) else where
    if not isinstance(node, Node):
        raise DefinitionError(
            f"A condition is a text or is built with shoal.lang.build; this is of type {type(where).__name__}."
        )
    return node


class _Members:
    """One handing-out: evaluates, applies consent, gives the reachable rows, and clears up."""

    def __init__(
        self,
        workspace: Workspace,
        segment: str,
        instants: tuple[When, When],
        purpose: str | None,
        traits: Sequence[str],
    ) -> None:
        self._ws = workspace
        frame = workspace.segments.known(*instants)
        definition = frame.find(segment)
        self.at, self.slug = frame.at, definition.slug
        workspace.segments.hold_scored(definition, frame)
        name, basis = purpose_of(definition, workspace.config.purposes, purpose)
        self._found = frame.engine.evaluate({definition.slug: definition}, self.at, known_at=frame.known_at)
        relation = f'SELECT customer FROM {self._found.table} WHERE "{self._found.columns[definition.slug]}"'
        if frame.known_at is not None:
            # Who was merged since has given or refused consent as the one that they are now.
            relation = f"SELECT DISTINCT customer FROM ({merged(workspace.store, relation)})"
        self.reach = prepare(workspace.store, relation, name, basis, workspace.moment())
        from shoal.customers.profiles import rows_with_traits

        self._query = rows_with_traits(
            workspace.store,
            "SELECT customer FROM handed_out WHERE reason IS NULL",
            traits,
            workspace.schema,
            self.at,
            frame.known_at,
        )
        self.schema = workspace.store.arrow(f"SELECT * FROM ({self._query}) LIMIT 0").schema

    def batches(self) -> Iterator[pa.RecordBatch]:
        yield from self._ws.store.batches(self._query)

    def table(self) -> pa.Table:
        return self._ws.store.arrow(self._query)

    def __enter__(self) -> _Members:
        return self

    def __exit__(self, *_: object) -> None:
        self._found.close()
