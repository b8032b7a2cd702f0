"""A person's rights in a workspace: erased from store, log, snapshots and caches; handed all that is kept; old events gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.customers.identity.rules import IdentityRules
from shoal.customers.load.erased import customer_columns
from shoal.customers.privacy import Erased, Person, Tombstones, find, forget, preview, reapply
from shoal.customers.privacy.forget import COMPACT_DUE, message_ids
from shoal.customers.privacy.person import ID, split
from shoal.customers.privacy.retention import expire
from shoal.customers.privacy.tombstones import (
    ensure_secret,
    has_tombstones,
    marks_of,
    read_marks,
    read_secret,
    write_marks,
)
from shoal.errors import ConfigError, ShoalError, StoreError, UnknownName
from shoal.sql.layout import meta

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from shoal.config import Config
    from shoal.customers.privacy.calls import Traces
    from shoal.log.rewrite import Entry
    from shoal.sql.store import Store
    from shoal.workspace.opening import Workspace

KEY_FILE, MARKS_FILE = "tombstone.key", "tombstones"
LOG_FOLDER, SNAPSHOTS = "log", "snapshots"


class Forgotten(NamedTuple):
    """What an erasure did.

    Args:
        erased: from the store.
        segments: files of the log that were written anew.
        snapshots: that were removed.
        copies: of the store beside it, which hold the person still; remove them by hand.
    """

    erased: Erased
    segments: int
    snapshots: int
    copies: list[Path]


class Privacy:
    """Erasure, export and retention in an open workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace
        self._state: Path = workspace.config.root / ".shoal"
        self.rules: IdentityRules = workspace.config.identity
        self.columns: Mapping[str, frozenset[str]] = id_columns(workspace.config)

    def __repr__(self) -> str:
        return f"Privacy({self._ws.config.name!r})"

    @property
    def tombstones(self) -> Tombstones | None:
        """Who was erased; None where nobody ever was.

        Raises:
            StoreError: the secret that they were made with is gone, or another one.
        """
        if not has_tombstones(self._ws.store):
            return None
        return Tombstones(self._ws.store, _secret_of(self._state))

    def find(self, identifier: str) -> Person:
        """The person whom an id, or ``KIND:VALUE`` as ``email:a.lee@example.com``, means.

        Raises:
            UnknownName: nobody bears it; the message offers near ones.
            Ambiguous: several customers bear it.
        """
        return find(self._ws.store, identifier, self.rules)

    def is_erased(self, identifier: str) -> bool:
        """Whether an identifier is that of somebody who was erased."""
        tombstones = self.tombstones
        kind, value = split(self._ws.store, identifier, self.rules)
        kinds = [kind] if kind else [ID, *(rule.name for rule in self.rules.kinds)]
        return tombstones is not None and any(tombstones.covers(value, each) for each in kinds)

    # ------------------------------------------------------------ forgetting

    def preview(self, person: Person) -> dict[str, int]:
        """How many rows ``forget`` would remove, by what they are."""
        return preview(self._ws.store, person, self.columns)

    def forget(self, identifier: str) -> Forgotten:
        """Erase a person from everything in the workspace's folder; a second time only finishes what was left over.

        The log comes first and the store last: after a crash in between, the store still knows whom to look for.

        Raises:
            UnknownName: nobody bears the identifier or ever did.
            StoreError: the log holds entries that the store hasn't taken yet.
        """
        self._refuse_untaken()
        try:
            person = self.find(identifier)
        except UnknownName:
            if not self.is_erased(identifier):
                raise
            write_marks(self._state / MARKS_FILE, marks_of(self._ws.store))
            self.compact()
            return Forgotten(Erased((), again=True), 0, self.drop_snapshots(), self.copies())
        segments = self._clean_log(self.traces(person))
        snapshots = self.drop_snapshots()
        erased = self.erase(self._ws.store, person)
        self._ws.refresh()
        self.compact()
        return Forgotten(erased, segments, snapshots, self.copies())

    def erase(self, store: Store, person: Person) -> Erased:
        """Erase a person from the store alone, and put up the tombstones; ``compact`` is still to come."""
        erased = forget(store, person, self._ws.now(), ensure_secret(self._state / KEY_FILE), self.columns)
        write_marks(self._state / MARKS_FILE, marks_of(store))
        self.drop_figures()
        return erased

    def traces(self, person: Person) -> Traces:
        """By what a person's calls are known; ask before they are erased from the store."""
        from shoal.customers.privacy.calls import Traces

        return Traces(person, message_ids(self._ws.store, person), self.rules)

    def compact(self) -> bool:
        """Write the store anew if rows were erased since it last was, so that their bytes leave the file."""
        if COMPACT_DUE not in meta(self._ws.store):
            return False
        self._ws.compact()
        self._ws.store.execute("DELETE FROM meta WHERE key = ?", [COMPACT_DUE])
        return True

    def copies(self) -> list[Path]:
        """Copies of the store beside it, left by ``shoal restore``."""
        return sorted(self._state.glob("*.before*"))

    def drop_snapshots(self) -> int:
        """Remove all snapshots of the resident state; it is built again from the store."""
        files = [path for path in (self._state / SNAPSHOTS).glob("**/*") if path.is_file()]
        for path in files:
            path.unlink()
        return len(files)

    def drop_figures(self) -> None:
        """Remove the figures that are kept of periods that are over; they are worked out again."""
        from shoal.insight.metrics.kept import drop

        drop(self._state)

    def _clean_log(self, traces: Traces) -> int:
        """Write the log without a person; the number of files that changed."""
        from shoal.log import Log

        if not self._has_log():
            return 0
        with Log.open(self._state / LOG_FOLDER) as log:
            return log.rewrite(cleaned(traces))

    def _has_log(self) -> bool:
        return any((self._state / LOG_FOLDER).glob("*.log"))

    def _refuse_untaken(self) -> None:
        from shoal.log import Log

        if not self._has_log():
            return
        taken = int(meta(self._ws.store).get("log_position", "0"))
        with Log.open(self._state / LOG_FOLDER, check_all=False) as log:
            after = max(taken, log.first - 1)
            if next(log.read(after), None) is not None:
                raise StoreError(
                    "The log holds entries that the store hasn't taken, since the server didn't stop in good order.",
                    place=str(log.folder),
                    fix="Start it once with shoal serve, stop it, and try again.",
                )

    # ------------------------------------------------------------ export and retention

    def export(self, identifier: str) -> dict[str, Any]:
        """Everything that is kept about a person, ready for JSON."""
        from shoal.customers.privacy.export import export_person

        return export_person(self._ws.store, self.find(identifier), self._ws.now(), self.columns)

    def export_zip(self, identifier: str, path: Path) -> dict[str, Any]:
        """The same as a ZIP with a page to read, the JSON and CSV files; returns the document."""
        from shoal.customers.privacy.archive import write_archive

        document = self.export(identifier)
        write_archive(path, document)
        return document

    def expire(self, *, dry_run: bool = False) -> dict[str, int]:
        """Remove the events that ``retention:`` keeps no longer; how many, by event. ``compact`` is still to come."""
        rules = self._ws.config.retention
        if not rules or dry_run:
            return expire(self._ws.store, rules, self._ws.now(), dry_run=True) if rules else {}
        with self._ws.changing():
            gone = expire(self._ws.store, rules, self._ws.now())
            if gone:
                self.drop_snapshots()
                self.drop_figures()
        return gone


def id_columns(config: Config) -> dict[str, frozenset[str]]:
    """By source, the columns of its files that hold ids of customers."""
    return {name: customer_columns(spec) for name, spec in config.sources.items()}


def cleaned(traces: Traces) -> Callable[[Entry], bytes | None]:
    """What rewrites an entry of the log without a person; None leaves a hole."""
    from shoal.customers.privacy.calls import without, without_in_command
    from shoal.customers.tracking import decode, encode
    from shoal.workspace.live.entries import CALLS, COMMAND, Command, decode_command, encode_command

    def change(entry: Entry) -> bytes | None:
        if entry.kind == CALLS:
            calls = decode(entry.payload)
            left = without(calls, traces)
            return entry.payload if left is calls else None if left is None else encode(left)
        if entry.kind == COMMAND:
            command = decode_command(entry.payload)
            body = without_in_command(command.what, command.body, traces)
            if body is command.body:
                return entry.payload
            return None if body is None else encode_command(Command(command.what, command.at, dict(body)))
        return entry.payload

    return change


# ------------------------------------------------------------ restoring


def _secret_of(state: Path) -> bytes:
    secret = read_secret(state / KEY_FILE)
    if secret is None:
        raise StoreError(
            "People were erased from this store, and without the secret nobody can say who must stay so.",
            place=str(state / KEY_FILE),
            fix="Put the file back from a copy of it.",
        )
    return secret


def tombstones_beside(state: Path, store: Path) -> list[tuple[str, int]]:
    """The tombstones of a store that is about to be replaced, and those kept beside it, in case it is damaged."""
    from shoal.sql.duck import DuckStore

    found = read_marks(state / MARKS_FILE)
    if store.exists():
        try:
            with DuckStore.open(store, temporary="") as old:
                found += marks_of(old)
        except ShoalError:
            # A damaged store is what a backup is restored over; and a store of layout 1 has no tombstones.
            return found
    return found


def without_erased(state: Path, store: Path, marks: list[tuple[str, int]], config: Config | None) -> Erased:
    """Carry tombstones over into a store that isn't open, and erase again whoever they are of."""
    from shoal.sql.backup import compact
    from shoal.sql.duck import open_store

    secret = _secret_of(state)
    with open_store(store) as opened:
        Tombstones(opened, secret).carry(marks)
        rules = IdentityRules() if config is None else config.identity
        erased = reapply(opened, secret, rules, None if config is None else id_columns(config))
        opened.execute("DELETE FROM meta WHERE key = ?", [COMPACT_DUE])
    compact(store)
    return erased


def config_or_none(root: Path) -> Config | None:
    """The settings, None where they can't be read: a backup can be restored all the same."""
    from shoal.config import read_config

    try:
        return read_config(root)
    except ConfigError:
        return None
