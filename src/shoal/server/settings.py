"""What can be set of the collection server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoal.config import ServerSettings


@dataclass(frozen=True, slots=True)
class CollectSettings:
    """How calls are taken.

    Args:
        call_bytes: the largest single call, and the largest call in a batch.
        batch_bytes: the largest batch, unpacked.
        batch_calls: the most calls in a batch.
        origins: the web origins whose pages may send, as ``https://shop.example``; ``*`` is any.
        strict: refuse calls that the tracking plan doesn't know, instead of marking them.
        keep_ip: write the sender's IP address into the property ``ip`` of events.
        ahead_seconds: how far in the future an event may lie before its clock is taken for a wrong one.
        drop_bots: leave out calls of known robots.
        bots: further words that mark a robot's user agent.
        address: how clients reach this server, as ``https://data.shop.example``; empty: as the request says.
        most_values: how many properties or traits a call may bear.
    """

    call_bytes: int = 32 << 10
    batch_bytes: int = 500 << 10
    batch_calls: int = 2_500
    origins: tuple[str, ...] = ("*",)
    strict: bool = False
    keep_ip: bool = False
    ahead_seconds: int = 86_400
    drop_bots: bool = True
    bots: tuple[str, ...] = ()
    address: str = ""
    most_values: int = 500


def collecting(settings: ServerSettings) -> CollectSettings:
    """How calls are taken, as ``server:`` of a workspace says."""
    return CollectSettings(
        call_bytes=settings.call_bytes,
        batch_bytes=settings.batch_bytes,
        origins=settings.origins,
        strict=settings.strict,
        keep_ip=settings.keep_ip,
        drop_bots=settings.drop_bots,
        bots=settings.bots,
        address=settings.address,
    )
