"""Whom conditions hold of, asked of the store: for conditions that the engine in memory would ask of each customer alone."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from shoal.lang.nodes import Definition
from shoal.lang.parse import parse

if TYPE_CHECKING:
    from shoal.workspace.opening import Workspace


def packed(workspace: Workspace, conditions: list[str], at: int) -> list[str]:
    """For each condition the ids of whom it holds of at an instant, packed for the way between processes."""
    drafts = {f"c{i}": Definition(f"c{i}", f"c{i}", parse(text)) for i, text in enumerate(conditions)}
    found = workspace.engine.evaluate(drafts, at, drafts=True)
    try:
        return [_packed(workspace, found.table, found.columns[slug]) for slug in drafts]
    finally:
        found.close()


def _packed(workspace: Workspace, table: str, column: str) -> str:
    rows = workspace.store.rows(
        f'SELECT c.id FROM {table} AS e JOIN customers AS c ON c.key = e.customer WHERE e."{column}"'
    )
    return b64encode(zlib.compress("\n".join(row[0] for row in rows).encode(), 1)).decode()


def unpacked(told: str) -> list[str]:
    """The ids that were packed.

    >>> unpacked(b64encode(zlib.compress(b"ann\\nbob")).decode()), unpacked(b64encode(zlib.compress(b"")).decode())
    (['ann', 'bob'], [])
    """
    text = zlib.decompress(b64decode(told)).decode()
    return text.split("\n") if text else []
