"""Restoring a backup: a workspace as it was, without those who were erased since."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from shoal.config import FILE_NAME
from shoal.customers.identity.normalise import Normaliser
from shoal.customers.identity.rules import USER_ID, IdentityRules
from shoal.customers.privacy import Tombstones
from shoal.customers.privacy.person import ID, form_of
from shoal.customers.privacy.tombstones import marks_of, read_secret, write_marks
from shoal.customers.tracking import PREVIOUS_ID, Call, decode, encode
from shoal.errors import StoreError, unwritten
from shoal.log import Log
from shoal.workspace.backup import SEGMENTS, definition_files, opened
from shoal.workspace.lock import WorkspaceLock
from shoal.workspace.opening import IGNORED, STATE, STORE
from shoal.workspace.privacy import (
    KEY_FILE,
    LOG_FOLDER,
    MARKS_FILE,
    SNAPSHOTS,
    config_or_none,
    tombstones_beside,
    without_erased,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from shoal.log import Entry

REPLACED = "replaced"
"""In ``.shoal``: the definition files that a restore has put others in the place of."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore has set aside; None where there was nothing.

    Args:
        store: the store that stood there.
        log: its log.
        files: the folder with the definition files.
    """

    store: Path | None = None
    log: Path | None = None
    files: Path | None = None

    @property
    def kept(self) -> list[Path]:
        """All of it."""
        return [path for path in (self.store, self.log, self.files) if path is not None]


def restore_backup(path: Path, root: Path, *, replace: bool = False, wait: float = 10.0) -> Restored:
    """Make a folder the workspace of a backup. Whoever was erased there since the backup was made stays erased.

    Args:
        path: the backup; it stays as it is.
        root: the folder. It is made where it is missing.
        replace: put it in the place of the workspace that stands there; what it had is set aside within ``.shoal``.
        wait: seconds to wait for whoever has that workspace open; a server isn't waited for.

    Raises:
        StoreLocked: the workspace is in use.
        StoreError: the backup can't be used, or there is something in the folder; nothing is changed then.
    """
    with opened(path) as archive:
        _refuse_others(root, replace)
        made = [folder for folder in (root, *root.parents) if not folder.exists()]
        lock = WorkspaceLock(root / STATE / "lock", wait=wait)
        apart = root / STATE / "restoring"
        done = False
        try:
            shutil.rmtree(apart, ignore_errors=True)
            apart.mkdir()
            archive.extract(apart)
            _without_erased(path, apart, root / STATE)
            _without_sign_ins(apart)
            restored = _put(apart, root)
            done = True
            return restored
        except OSError as error:
            raise unwritten(error, root) from error
        finally:
            shutil.rmtree(apart, ignore_errors=True)
            lock.release()
            if not done and made:
                shutil.rmtree(root, ignore_errors=True)
                for folder in made[1:]:
                    with suppress(OSError):
                        folder.rmdir()


def _refuse_others(root: Path, replace: bool) -> None:
    """A folder that holds something is left alone, unless it is a workspace and was said to be replaced."""
    if not root.exists() or not any(root.iterdir()):
        return
    if not (root / FILE_NAME).exists() and not (root / STATE).exists():
        raise StoreError(
            "The folder holds something that is no workspace.",
            place=str(root),
            fix="Choose an empty folder, or a new name.",
        )
    if not replace:
        raise StoreError(
            "There is a workspace already.",
            place=str(root),
            fix="Choose an empty folder, or say that it is to be replaced.",
        )


def _without_sign_ins(apart: Path) -> None:
    """Whoever was signed in when the backup was made may have signed out, or been removed, since."""
    from shoal.sql.duck import open_store
    from shoal.workspace.sign_ins import sign_everybody_out

    with open_store(apart / STORE) as store:
        sign_everybody_out(store)


# ------------------------------------------------------------ the erased


def _without_erased(path: Path, apart: Path, state: Path) -> None:
    """Take out of a backup that was laid out whoever has a tombstone at the place that it goes to."""
    marks = tombstones_beside(state, state / STORE)
    here, theirs = read_secret(state / KEY_FILE), read_secret(apart / KEY_FILE)
    if not marks:
        return
    if here is not None and theirs is not None and here != theirs:
        raise StoreError(
            "People were erased here, and in the backup, by different secrets; nobody could say who must stay so.",
            place=str(path),
            fix="Restore it into an empty folder; nothing was changed.",
        )
    if here is not None:
        shutil.copyfile(state / KEY_FILE, apart / KEY_FILE)
        (apart / KEY_FILE).chmod(0o600)
    config = config_or_none(apart)
    without_erased(apart, apart / STORE, marks, config)
    if (apart / LOG_FOLDER).exists():
        from shoal.sql.duck import open_store

        rules = IdentityRules() if config is None else config.identity
        with open_store(apart / STORE) as store, Log.open(apart / LOG_FOLDER) as log:
            log.rewrite(_cleaned(Tombstones(store, read_secret(apart / KEY_FILE) or b""), rules))


def _cleaned(tombstones: Tombstones, rules: IdentityRules) -> Callable[[Entry], bytes | None]:
    """What rewrites an entry of the log without those who have a tombstone; None leaves a hole."""
    from shoal.workspace.live.entries import CALLS, COMMAND, decode_command, encode_command

    normaliser = Normaliser(rules)

    def change(entry: Entry) -> bytes | None:
        if entry.kind == CALLS:
            calls = decode(entry.payload)
            left = [_unsaid(call, tombstones) for call in calls if not _is_erased(call, tombstones, rules, normaliser)]
            return encode(left) if left else None
        if entry.kind == COMMAND:
            command = decode_command(entry.payload)
            body = _unlisted(command.body, tombstones)
            return None if body is None else encode_command(msgspec.structs.replace(command, body=body))
        return entry.payload

    return change


def _is_erased(call: Call, tombstones: Tombstones, rules: IdentityRules, normaliser: Normaliser) -> bool:
    """Whether a call is of somebody who was erased after it."""
    named: dict[str, Any] = dict(call.identifiers)
    if call.kind == "identify" and call.traits:
        named = {kind: call.traits[trait] for trait, kind in rules.traits.items() if trait in call.traits} | named
    for kind, value in named.items():
        own = USER_ID if kind == PREVIOUS_ID else kind
        if isinstance(value, str) and (
            tombstones.covers(value, own, at=call.ts)
            or tombstones.covers(form_of(own, value, normaliser), own, at=call.ts)
        ):
            return True
    return False


def _unsaid(call: Call, tombstones: Tombstones) -> Call:
    """A call of somebody else without what it says of those who were erased."""
    properties, traits = _unmentioned(call.properties, tombstones), _unmentioned(call.traits, tombstones)
    if properties is call.properties and traits is call.traits:
        return call
    return msgspec.structs.replace(call, properties=properties, traits=traits)


def _unmentioned(values: dict[str, Any] | None, tombstones: Tombstones) -> dict[str, Any] | None:
    if values is None or not tombstones.mentioned(json.dumps(values, default=str, ensure_ascii=False)):
        return values
    return {n: v for n, v in values.items() if not tombstones.mentioned(json.dumps(v, default=str, ensure_ascii=False))}


def _unlisted(body: Mapping[str, Any], tombstones: Tombstones) -> dict[str, Any] | None:
    """The body of a command without those who were erased; None where nothing is left of it."""
    if any(isinstance(v, str) and tombstones.covers(v, ID) for n, v in body.items() if n in ("kept", "gone")):
        return None
    listed = body.get("customers")
    if not isinstance(listed, list):
        return dict(body)
    left = [one for one in listed if not tombstones.covers(one, ID)]
    return {**body, "customers": left} if left or not listed else None


# ------------------------------------------------------------ into place


def _put(apart: Path, root: Path) -> Restored:
    """Bring all files to their places. The settings come last: where they stand, the workspace is whole."""
    from shoal.sql.backup import name_aside, restore

    state = root / STATE
    target, log = state / STORE, state / LOG_FOLDER
    kept = Restored(name_aside(target) if target.exists() else None)
    if (apart / KEY_FILE).exists():
        os.replace(apart / KEY_FILE, state / KEY_FILE)
    restore(apart / STORE, target, replace=True)
    if log.exists() and any(log.iterdir()):
        kept = replace(kept, log=_aside(log))
        log.rename(kept.log or log)
    if (apart / LOG_FOLDER).exists():
        shutil.rmtree(log, ignore_errors=True)
        os.replace(apart / LOG_FOLDER, log)
    shutil.rmtree(state / SNAPSHOTS, ignore_errors=True)
    _write_marks(target, state)
    old = definition_files(root)
    if old:
        kept = replace(kept, files=_move(old, root, _numbered(state / REPLACED)))
    (root / SEGMENTS).mkdir(exist_ok=True)
    if not (root / ".gitignore").exists():
        (root / ".gitignore").write_text(IGNORED)
    for file in sorted(definition_files(apart), key=lambda p: p.name == FILE_NAME):
        place = root / file.relative_to(apart)
        place.parent.mkdir(exist_ok=True)
        os.replace(file, place)
    return kept


def _write_marks(store: Path, state: Path) -> None:
    from shoal.sql.duck import open_store

    with open_store(store) as opened_store:
        marks = marks_of(opened_store)
    if marks:
        write_marks(state / MARKS_FILE, marks)


def _move(files: list[Path], root: Path, to: Path) -> Path:
    for file in files:
        place = to / file.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, place)
    return to


def _aside(path: Path) -> Path:
    return _numbered(path.with_name(f"{path.name}.before"))


def _numbered(path: Path) -> Path:
    """The path, or where that is taken with the next number that is free."""
    names = (path if number == 1 else path.with_name(f"{path.name}.{number}") for number in count(1))
    return next(name for name in names if not name.exists())
