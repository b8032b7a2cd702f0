"""``shoal init``: from a folder of files to a workspace with a proposed ``shoal.yaml``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.config import FILE_NAME, parse_config
from shoal.errors import ConfigError
from shoal.sources.propose import Proposal, propose
from shoal.workspace.opening import create_workspace

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposed workspace: where its settings are, their text, the sources, and the questions to look at."""

    path: Path
    text: str
    sources: tuple[str, ...]
    unsure: tuple[str, ...]


def propose_workspace(root: Path, from_: Path | str, *, name: str | None = None, write: bool = True) -> Proposed:
    """Look at files and make a workspace with a mapping for them.

    Args:
        root: the workspace's folder; it is made where it is missing.
        from_: a folder, a file, or the address of a PostgreSQL database.
        name: the display name; the folder's by default.
        write: False proposes only.

    Raises:
        SourceError: if nothing there can be read.
        ConfigError: if there is a workspace already; it stays as it is.
    """
    if write and (root / FILE_NAME).exists():
        raise ConfigError(
            "There is a workspace here already.",
            place=str(root / FILE_NAME),
            fix="Choose another folder, or look at the proposal with --dry-run.",
        )
    found = propose(from_, workspace=root)
    text = settings_text(found, name or root.resolve().name)
    parse_config(text, root=root, place=FILE_NAME)
    path = create_workspace(root, text) if write else root / FILE_NAME
    return Proposed(path, text, found.names, found.unsure)


def settings_text(found: Proposal, name: str) -> str:
    """The whole of a proposed ``shoal.yaml``."""
    ends = 'the newest event is over 90 days old: "now" is the end of the data'
    purposes = found.purposes or ("email_marketing",)
    lines = [
        '# Proposed by shoal init from what the files hold. Lines marked "look:" are guesses.',
        "shoal: 1",
        f"name: {json.dumps(name, ensure_ascii=False)}",
        f"timezone: {found.zone or 'UTC'}" + ("" if found.zone else "             # look: where do days begin?"),
        f"currency: {found.currency or 'USD'}"
        + ("" if found.currency else "             # look: no currency was found"),
        f"clock: {found.clock}" + (f"          # {ends}" if found.clock == "data-end" else ""),
        "purposes:                 # consent: unknown means no. legitimate-interest: yes until objected. none: analysis only",
        *(f"  {purpose}: consent" for purpose in purposes),
        f"default_purpose: {purposes[0]}",
    ]
    return "\n".join(lines) + "\n" + found.revenue.rstrip() + "\n\n" + found.sources.rstrip() + "\n"
