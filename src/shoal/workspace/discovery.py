"""The micro-segments of a workspace: finding them, assigning customers between fits, and what changed."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shoal import clock
from shoal.errors import Refused, UnknownName
from shoal.sql.layout import meta, set_meta
from shoal.workspace.frames import Form, as_form
from shoal.workspace.moments import local_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from shoal.insight.discovery.keeping import Proposal, Version
    from shoal.insight.discovery.model import Standing
    from shoal.insight.discovery.reading import Read
    from shoal.insight.discovery.record import Asked, Found, MicroSegment
    from shoal.insight.discovery.refresh import Before, Fit
    from shoal.insight.discovery.table import Ints
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import Definition
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace

    Step = Callable[[str, int, int], None]

BY = "discovery"
LOOKED = "micro_segments_looked"
"""In ``meta``: when customers were last looked at by the frozen groups."""
SLUG = "micro-{id}"
TAG = "micro-segment"


@dataclass(frozen=True, slots=True)
class Discovered:
    """What a discovery came to.

    Args:
        found: what the data support, and the micro-segments.
        version: the version that it is; None where nothing was written.
        changed: customers whose recorded micro-segment is another than before.
        outliers: ids of customers far from everything; they are in their nearest segment all the same.
        entered: memberships that began with it.
        left: memberships that ended with it.
    """

    found: Found
    version: int | None
    changed: int
    outliers: tuple[str, ...]
    entered: int = 0
    left: int = 0

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "as_of": clock.iso(self.found.at),
            "version": self.version,
            "changed": self.changed,
            "memberships": {"entered": self.entered, "left": self.left},
            "outliers": list(self.outliers),
            **self.found.document(),
        }


@dataclass(frozen=True, slots=True)
class Assigned:
    """What a look at all customers between fits came to.

    Args:
        at: the instant.
        version: whose frozen groups they were assigned to.
        customers: how many were looked at.
        new: who had no segment yet.
        moved: who is in another one now.
        watched: who is nearer to another one, and moves if that is so at the next look.
        gone: who isn't of the population any more.
        proposal: to refit, where customers have changed.
        entered: memberships that began with it.
        left: memberships that ended with it.
    """

    at: int
    version: int
    customers: int
    new: int
    moved: int
    watched: int
    gone: int
    proposal: Proposal | None
    entered: int = 0
    left: int = 0

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        from dataclasses import asdict

        proposal = None if self.proposal is None else self.proposal.document()
        return {**asdict(self), "at": clock.iso(self.at), "proposal": proposal}


@dataclass(frozen=True, slots=True)
class WrittenSegments:
    """Which files of segments were written, and which were left as they are, with the reason."""

    written: tuple[str, ...]
    kept: Mapping[str, str] = field(default_factory=dict)


class Discoveries:
    """Micro-segments of an open workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def __repr__(self) -> str:
        from shoal.insight.discovery import keeping

        held = keeping.in_force(self._ws.store)
        return "Discoveries(none yet)" if held is None else f"Discoveries({', '.join(held.model.segments)})"

    # ------------------------------------------------------------ finding

    def discover(
        self,
        *,
        groups: tuple[int, int] | None = None,
        among: str | None = None,
        as_of: When = None,
        write: bool = True,
        afresh: bool = False,
        progress: Step | None = None,
    ) -> Discovered:
        """Find micro-segments, record them as a new version, and write every customer's as the trait ``micro_segment``.

        The search begins with the groups in force, and leaves them as they are, or moves or resizes them, unless a fresh
        one finds materially better ones. Those that share most of their customers with one in force keep its id.

        Args:
            groups: the range of numbers of groups; that of ``shoal.yaml`` by default.
            among: a segment, or a condition, that names the population; that of ``shoal.yaml`` by default.
            as_of: look at the data of an earlier instant; nothing is written then.
            write: False to look only.
            afresh: take what a search from nothing finds, whatever is in force; ids are matched all the same.
            progress: is called with (what, done, total).

        Raises:
            Refused: too few customers, no column that tells them apart, or the trait's name is taken.
            DefinitionError: the condition isn't accepted.
        """
        asked = self._asked(groups, among)
        return self._discover(asked, as_of, write and as_of is None, progress or _silent, afresh=afresh)

    def accept(self, *, progress: Step | None = None) -> Discovered:
        """Find micro-segments anew, as drift has proposed, with the settings of the version in force.

        Raises:
            Refused: nothing is proposed.
        """
        from shoal.insight.discovery import keeping

        held = keeping.version(self._ws.store)
        if keeping.open_proposal(self._ws.store, held.number) is None:
            raise Refused("Nothing is proposed.", fix="To discover anew all the same: shoal discover")
        return self._discover(held.found.asked, None, True, progress or _silent)

    def _discover(self, asked: Asked, as_of: When, write: bool, step: Step, *, afresh: bool = False) -> Discovered:
        from shoal.insight.discovery.refresh import Setting, fitted

        ws = self._ws
        purpose = ws.config.default_purpose
        with ws.models.as_of(as_of) as known, ws.models.as_of(ws.moment()) as consents:
            before = self._before(known, afresh=afresh)
            setting = Setting(consents, ws.config.purposes, purpose, ws.config.currency, ws.config.trials)
            fit = fitted(known, asked, setting, before, step)
        if not write:
            return Discovered(fit.found, None, 0, fit.outliers)
        step("recording", 5, 5)
        return self._record(fit)

    def _before(self, known: AsOf, *, afresh: bool) -> Before | None:
        """What a search begins with; None before the first one."""
        from shoal.insight.discovery import keeping
        from shoal.insight.discovery.refresh import Before, members

        held = keeping.in_force(self._ws.store)
        if held is None:
            return None
        # Of all versions: who goes back to an earlier one must not give the ids of the later one to others.
        number = max(v.next_number for v in keeping.versions(self._ws.store))
        inside = members(known, held.model.segments, number)
        return Before(inside, held.model, held.features, held.found.asked, starts=not afresh)

    def use(self, number: int) -> Assigned:
        """Put another version in force, as the one before a refit that didn't please, and assign all customers by it.

        Each gets the nearest of its frozen groups. Nothing is lost: the other version may be put in force again.

        Args:
            number: of the version.

        Raises:
            UnknownName: there is no such version.
            Refused: nothing was discovered yet, or it is in force already.
        """
        from shoal.insight.discovery import keeping

        held = keeping.version(self._ws.store, number)
        if held.in_force:
            raise Refused(f"Version {number} is in force already.", fix="To see all versions: shoal discover history")
        return self._assign(held, put_in_force=True)

    def _record(self, fit: Fit) -> Discovered:
        from shoal.insight.discovery import keeping

        at = fit.found.at
        self._check_trait(at)
        with self._written() as moved:
            version = keeping.keep(self._ws.store, fit, at)
            nobody = np.full(len(fit.owners), -1, dtype=np.int64)
            changed = self._write(at, version.number, fit.model.segments, fit.owners, fit.places, nobody, at)
        return Discovered(fit.found, version.number, changed, fit.outliers, *moved)

    def _check_trait(self, at: int) -> None:
        """Refuse before anything is kept where the trait can't be written.

        Raises:
            Refused: a trait of this name is there, and isn't ours.
        """
        from shoal.customers.scores import Scores
        from shoal.insight.discovery.refresh import CANDIDATE, TRAIT
        from shoal.lang.schema import Kind

        for name in (TRAIT, CANDIDATE):
            why = Scores(self._ws.store, at, at, by=BY).refusal(name, Kind.TEXT)
            if why is not None:
                raise Refused(f"The trait {name} can't be written. {why}", fix="Name the other trait otherwise.")

    def _asked(self, groups: tuple[int, int] | None, among: str | None) -> Asked:
        from shoal.insight.discovery.record import Asked

        said = self._ws.config.discovery
        fewest, most = groups or (said.fewest, said.most)
        return Asked(fewest, most, self._who(among or said.who), said.without, said.horizon)

    def _who(self, said: str | None) -> str | None:
        """The condition that names the population: of a segment's name, its members."""
        from shoal.lang.lex import quoted

        if said is None or said not in self._ws.segments:
            return said
        return f"member of {quoted(self._ws.segments[said].slug)}"

    # ------------------------------------------------------------ between fits

    def assign(self) -> Assigned:
        """Look at all customers again by the frozen groups, and record who is in another one now.

        To be called after loads or once a day. A customer moves when another group is nearer by a tenth of the
        distance at two looks in a row that are a day apart, or nearer by a third at one look; who has no segment yet
        gets the nearest. What has drifted since the fit becomes a proposal, and changes nothing.

        Raises:
            Refused: nothing was discovered yet.
        """
        from shoal.insight.discovery import keeping

        return self._assign(keeping.version(self._ws.store), put_in_force=False)

    def _assign(self, held: Version, *, put_in_force: bool) -> Assigned:
        """Look at all customers by the frozen groups of a version; where it comes into force, by nothing of before."""
        from shoal.insight.discovery import drifting, keeping
        from shoal.insight.discovery.reading import read
        from shoal.insight.discovery.refresh import standing_of

        at = self._ws.now()
        last = None if put_in_force else self._last_look()
        counts = last is None or at - last >= clock.DAY
        with self._ws.models.as_of(at) as known:
            mine = read(known, held.features, held.found.asked.who)
            segment, rival = standing_of(known, mine.owners, held.model.segments)
            gone = self._gone(known, mine)
        now = _looked(held, mine, segment, rival, counts=counts, anew=put_in_force)
        shifts = drifting.shifts(held.references, mine.table, now.segment) if len(mine.owners) else []
        with self._written() as moved:
            if put_in_force:
                keeping.put_in_force(self._ws.store, held.number, at)
            looked = at if counts or last is None else last
            self._write(at, held.number, held.model.segments, mine.owners, now.segment, now.rival, looked)
            proposal = self._proposed(held, at, shifts)
        return Assigned(
            at,
            held.number,
            len(mine.owners),
            int((segment < 0).sum()),
            int(((segment >= 0) & (now.segment != segment)).sum()),
            int((now.rival >= 0).sum()),
            gone,
            proposal,
            *moved,
        )

    def _proposed(self, held: Version, at: int, shifts: list[Any]) -> Proposal | None:
        from shoal.insight.discovery import drifting, keeping

        why = drifting.reasons(shifts)
        if why:
            return keeping.propose(self._ws.store, held.number, at, why, shifts)
        return keeping.open_proposal(self._ws.store, held.number)

    def _gone(self, known: AsOf, mine: Read) -> int:
        from shoal.insight.discovery.refresh import TRAIT, recorded

        owners, _ = recorded(known, TRAIT)
        return int((~np.isin(owners, mine.owners)).sum())

    def _last_look(self) -> int | None:
        looked = meta(self._ws.store).get(LOOKED)
        return None if looked is None else int(looked)

    @contextmanager
    def _written(self) -> Iterator[list[int]]:
        """One transaction for all that is written, or beside a server entries of its log; who enters and leaves is counted."""
        ws = self._ws
        moved: list[int] = []
        with ws.models.writing():
            yield moved
            ws.refresh()
            moved += ws.models.publish()
        ws.refresh()

    def _write(
        self, at: int, version: int, ids: tuple[str, ...], owners: Ints, places: Ints, rivals: Ints, looked: int
    ) -> int:
        """Write both traits; how many customers are in another segment than before.

        Raises:
            Refused: a trait of this name is there, and isn't ours.
        """
        from shoal.insight.discovery.refresh import CANDIDATE, TRAIT
        from shoal.insight.models.model import Score
        from shoal.lang.schema import Kind

        named = np.array([*ids, None], dtype=object)
        says = "The micro-segment of the customer: the nearest group, with hysteresis; see shoal discover."
        beside = "The micro-segment that was nearer at the last look; the customer moves if it is so at the next."
        scores = [
            Score(TRAIT, Kind.TEXT, says, owners, named[places]),
            Score(CANDIDATE, Kind.TEXT, beside, owners, named[rivals]),
        ]
        changed, skipped = self._ws.models.put(BY, scores, at, {"version": version})
        if skipped:
            name, why = next(iter(skipped.items()))
            raise Refused(f"The trait {name} can't be written. {why}", fix="Name the other trait otherwise.")
        # Beside the traits and not with them: a look that changes nobody counts as a look too.
        set_meta(self._ws.store, LOOKED, str(looked))
        return changed[TRAIT]

    # ------------------------------------------------------------ looking

    def found(self, version: int | None = None) -> Found:
        """What a version found; that in force by default.

        Raises:
            Refused: nothing was discovered yet.
            UnknownName: there is no such version.
        """
        from shoal.insight.discovery import keeping

        return keeping.version(self._ws.store, version).found

    def table(self, *, form: Form = "arrow") -> Any:
        """The micro-segments in force: id, name, customers, share, revenue, standing, stability, fidelity, rule."""
        import pyarrow as pa

        rows = [
            {
                "id": s.id,
                "name": s.name,
                "customers": s.size,
                "share": s.share,
                "revenue": s.revenue,
                "revenue_share": s.revenue_share,
                "standing": s.standing,
                "distinct": s.distinct,
                "jaccard": s.jaccard,
                "fidelity": s.rule.fidelity,
                "rule": s.rule.where,
            }
            for s in self.found().segments
        ]
        return as_form(pa.Table.from_pylist(rows), form)

    def persona(self, segment: str) -> MicroSegment:
        """A micro-segment in force with its portrait, rule and quality card.

        Raises:
            UnknownName: there is no such micro-segment.
        """
        held = self.found().segments
        for one in held:
            if segment in (one.id, one.name):
                return one
        names = [name for one in held for name in (one.id, one.name)]
        listed = ", ".join(f"{one.id} ({one.name})" for one in held)
        raise UnknownName("micro-segment", segment, names, otherwise=f"In force are: {listed}.")

    def proposal(self) -> Proposal | None:
        """What drift proposes of the version in force; None where nothing is."""
        from shoal.insight.discovery import keeping

        held = keeping.in_force(self._ws.store)
        return None if held is None else keeping.open_proposal(self._ws.store, held.number)

    def history(self) -> list[Version]:
        """All versions, the newest first, each with what was born, merged, split and died."""
        from shoal.insight.discovery import keeping

        return keeping.versions(self._ws.store)

    def migration(self, start: When, end: When = None, *, form: Form = "arrow") -> Any:
        """Who was in which micro-segment at two instants: ``from``, ``to``, ``customers``; NULL is none.

        Raises:
            Refused: the first instant is after the second.
        """
        import pyarrow as pa

        from shoal.insight.discovery.refresh import TRAIT, recorded

        with self._ws.models.as_of(end) as after, after.before(self._ws.instant(start)) as before:
            was, now = (
                {int(who): one for who, one in zip(*recorded(known, TRAIT), strict=True)} for known in (before, after)
            )
        counted = Counter((was.get(who), now.get(who)) for who in {*was, *now})
        pairs = sorted(counted.items(), key=lambda one: (one[0][0] or "", one[0][1] or ""))
        text = pa.string()
        table = pa.table(
            {
                "from": pa.array([pair[0] for pair, _ in pairs], text),
                "to": pa.array([pair[1] for pair, _ in pairs], text),
                "customers": pa.array([n for _, n in pairs], pa.int64()),
            }
        )
        return as_form(table, form)

    # ------------------------------------------------------------ files

    def write_segments(self, ids: Iterable[str] | None = None) -> WrittenSegments:
        """Write micro-segments in force as files of segments, ``segments/micro-m01.yaml`` and so on.

        A file that somebody has changed since it was written here stays as it is.

        Args:
            ids: which ones; all by default.

        Raises:
            UnknownName: there is no such micro-segment.
        """
        held = self.found()
        chosen = held.segments if ids is None else [self.persona(one) for one in ids]
        written: list[str] = []
        kept: dict[str, str] = {}
        for segment in chosen:
            slug = SLUG.format(id=segment.id)
            why = self._by_hand(slug)
            if why is None:
                self._put(slug, segment, held)
                written.append(slug)
            else:
                kept[slug] = why
        return WrittenSegments(tuple(written), kept | (self._ended(held) if ids is None else {}))

    def _ended(self, found: Found) -> dict[str, str]:
        """The files of micro-segments that are no more: somebody may go by them, so they stay."""
        from shoal.insight.discovery import keeping

        now = {SLUG.format(id=s.id) for s in found.segments}
        old = [d.slug for d in self._ws.segments if d.slug not in now]
        return {
            slug: "Its micro-segment has ended; remove it if nobody needs it: shoal segment remove " + slug
            for slug in old
            if keeping.written(self._ws.store, slug) is not None
        }

    def _by_hand(self, slug: str) -> str | None:
        """Why a segment's file isn't ours to write; None where it is."""
        from shoal.insight.discovery import keeping

        if slug in self._ws.catalogue.faults:
            return "Its file can't be accepted as it is; mend or remove it first."
        held = self._ws.definitions.get(slug)
        if held is None or _said(held) == keeping.written(self._ws.store, slug):
            return None
        return "Somebody has changed it since it was written."

    def _put(self, slug: str, segment: MicroSegment, found: Found) -> None:
        from shoal.insight.discovery import keeping
        from shoal.insight.discovery.refresh import TRAIT
        from shoal.lang.lex import quoted

        ws = self._ws
        where = segment.rule.where or f"{TRAIT} = {quoted(segment.id)}"
        name = segment.name
        if any(d.name == name and d.slug != slug for d in ws.segments):
            name = f"{name} ({segment.id})"
        why = self._why(segment, found)
        held = ws.definitions.get(slug)
        if held is None:
            made = ws.segments.add(name, where, slug=slug, why=why, tags=(TAG,))
        else:
            made = ws.segments.edit(slug, where=where, name=name, why=why)
        with ws.changing(), ws.store.transaction():
            keeping.note_written(ws.store, slug, _said(made), ws.now())

    def _why(self, segment: MicroSegment, found: Found) -> str:
        when = local_stamp(found.at, self._ws.config.zone)
        said = " ".join(s.text for s in (*segment.persona.portrait[:1], *segment.persona.different[:2]))
        return (
            f"Micro-segment {segment.id} ({segment.standing}), found as of {when}. {said} "
            f"This rule names its members with a fidelity of {segment.rule.fidelity:.2f} (F1)."
        )


def _looked(held: Version, mine: Read, segment: Ints, rival: Ints, *, counts: bool, anew: bool) -> Standing:
    """Where customers stand after a look; ``anew`` forgets where they stood."""
    from shoal.insight.discovery.model import Standing, reassign
    from shoal.insight.discovery.refresh import AT_ONCE, MARGIN, TIMES

    stood = Standing(segment, rival, (rival >= 0).astype(np.int64))
    if anew:
        stood = Standing.new(len(segment))
    return reassign(held.model, mine.table, stood, margin=MARGIN, times=TIMES, at_once=AT_ONCE, counts=counts)


def _said(definition: Definition) -> str:
    """What a definition says, however its file is laid out and commented."""
    from shoal.lang.files import definition_document

    return json.dumps(definition_document(definition), ensure_ascii=False, sort_keys=True)


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""
