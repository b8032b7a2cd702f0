"""A workspace on real data for the pages: a quarter of the households of The Complete Journey, a grocery chain (CC0).

It is made once, kept beside pytest's cache under the hash of all that it depends on, and copied for who serves it.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq

import shoal
from shoal.clock import Clock

ROOT = Path(__file__).parents[2]
GROCERY = ROOT / "examples" / "grocery"
ONE_IN = 4
ROLES = {"admin": "Ada Admin", "editor": "Edith Editor", "viewer": "Vic Viewer", "privacy officer": "Olu Officer"}
"""Who works with it, by their role."""
PASSWORD = "a long word of theirs"
_RESTS_ON = (
    "customers", "lang", "live", "log", "sources", "sql", "insight/definitions.py", "insight/resident.py", "insight/traits.py",
    "workspace/data.py", "workspace/live", "workspace/people.py",
)  # fmt: skip
"""What decides on the workspace's files, below ``src/shoal``; a new machine makes them anew in any case."""
FRESH = 1_800
"""Seconds for which it serves again: its clock goes on from the data's end, and two hours later is another year."""
_LEFT_OUT = ("baby-households", "private-label")
"""Segments that look at each product of each order: reading those takes longer than all else."""


class Known(NamedTuple):
    """The keys of the workspace, as ``Served`` wants them of one that it is a copy of."""

    write_key: str
    key: str


def copied(cache: Path, folder: Path) -> Known:
    """Copy the workspace, which is made where there is none that is fresh, by one process at a time; returns its keys."""
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.copytree(_made(cache), folder)
    return Known(*(folder / ".shoal" / "keys").read_text().split())


def _made(cache: Path) -> Path:
    folder = cache / _hash()
    if not folder.exists() or time.time() - folder.stat().st_mtime > FRESH:
        for old in cache.glob("*"):
            if old.is_dir():
                shutil.rmtree(old)
        half = cache / "half"
        _load(half)
        half.rename(folder)
    return folder


def _hash() -> str:
    parts = [ROOT / "src" / "shoal" / part for part in _RESTS_ON]
    files = [p for part in parts for p in (part.rglob("*.py") if part.is_dir() else [part])]
    found = hashlib.sha256()
    for path in sorted([*files, *GROCERY.rglob("*.*"), Path(__file__)]):
        if "__pycache__" not in path.parts:
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _load(folder: Path) -> None:
    sys.path.insert(0, str(GROCERY))
    from demo import data_folder, write_consent

    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    for file in sorted(data_folder().glob("*.parquet")):
        if file.stem != "promotions":
            pq.write_table(_fewer(pq.read_table(file)), folder / "data" / file.name)
    write_consent(folder / "data")
    shutil.copy(GROCERY / "shoal.yaml", folder)
    shutil.copytree(GROCERY / "segments", folder / "segments", ignore=lambda _, names: [
        name for name in names if name.removesuffix(".yaml") in _LEFT_OUT
    ])  # fmt: skip
    with shoal.open(folder) as workspace:
        workspace.load()
        now = Clock().now()
        for role, name in ROLES.items():
            person = workspace.people.add(name, address(role), role, now)
            workspace.people.choose(person.id, PASSWORD)
        keys = [workspace.keys.create(scope, [scope], now)[1] for scope in ("collect", "admin")]
    (folder / ".shoal" / "keys").write_text("\n".join(keys))


def address(role: str) -> str:
    """With which a role signs in."""
    return f"{role.replace(' ', '.')}@shop.example"


def _fewer(table):  # type: ignore[no-untyped-def]
    """The rows of a quarter of the households; what is about none of them stays whole."""
    if "household_id" not in table.column_names:
        return table
    household = pc.cast(table["household_id"], "int64")
    rest = pc.subtract(household, pc.multiply(pc.divide(household, ONE_IN), ONE_IN))
    return table.filter(pc.equal(rest, 1))
