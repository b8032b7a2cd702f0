"""What stands in the log: calls as they came, ticks of the clock, and commands. All that changes state goes through it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

CALLS: Final = 1
"""Tracking calls, as ``customers.tracking`` encodes them."""
TICK: Final = 2
"""The clock reached an instant at which a membership was due."""
COMMAND: Final = 3
"""What a person or the workspace itself asked for: see ``Command``."""


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """A change that isn't a tracking call.

    Args:
        what: ``start``, ``define``, ``list``, ``merge``, ``unmerge``, ``refresh``, ``score`` or ``forget``.
        at: the workspace's instant at which it was asked for.
        body: its particulars, by name.
    """

    what: str
    at: int
    body: dict[str, Any] = msgspec.field(default_factory=dict)


_commands = msgspec.msgpack.Decoder(Command)


def encode_command(command: Command) -> bytes:
    """A command as bytes for the log."""
    return msgspec.msgpack.encode(command)


def decode_command(payload: bytes) -> Command:
    """The command of an entry."""
    return _commands.decode(payload)


def encode_tick(at: int) -> bytes:
    """A tick as bytes for the log."""
    return at.to_bytes(8, "big", signed=True)


def decode_tick(payload: bytes) -> int:
    """The instant of a tick."""
    return int.from_bytes(payload, "big", signed=True)
