"""``server:`` in ``shoal.yaml``: where the workspace is served, and how calls are taken."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shoal.sources.section import Section

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d+)?|\*")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a workspace is served; what the command line says goes before it.

    Args:
        host: the address to listen on.
        port: the port to listen on.
        origins: the web origins whose pages may send, as ``https://shop.example``; ``*`` is any.
        strict: refuse calls that the tracking plan doesn't know, instead of marking them.
        keep_ip: write the sender's IP address into the property ``ip`` of events.
        drop_bots: leave out calls of known robots.
        bots: further words that mark a robot's user agent.
        call_bytes: the largest single call, and the largest call in a batch.
        batch_bytes: the largest batch, unpacked.
        rate_per_second: requests a second that one key may make over a while.
        measured_segments: how many segments get delays of their own in the figures; the others share one.
        address: how clients reach this server, as ``https://data.shop.example``; empty: as the request says.
        snapshot_seconds: between two snapshots of the resident state.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    origins: tuple[str, ...] = ("*",)
    strict: bool = False
    keep_ip: bool = False
    drop_bots: bool = True
    bots: tuple[str, ...] = ()
    call_bytes: int = 32 << 10
    batch_bytes: int = 500 << 10
    rate_per_second: int = 100
    measured_segments: int = 200
    address: str = ""
    snapshot_seconds: int = 900


def server_from(value: object, place: str = "server") -> ServerSettings:
    """Read the section ``server:``.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    section = Section.of(value, place, set(ServerSettings.__slots__))
    usual = ServerSettings()
    flags = {key: section.flag(key) for key in ("strict", "keep_ip", "drop_bots")}
    return ServerSettings(
        host=section.text("host") or usual.host,
        port=port_of(section, usual.port),
        origins=_origins(section) or usual.origins,
        bots=section.texts("bots") or usual.bots,
        call_bytes=section.whole("call_bytes") or usual.call_bytes,
        batch_bytes=section.whole("batch_bytes") or usual.batch_bytes,
        rate_per_second=section.whole("rate_per_second") or usual.rate_per_second,
        measured_segments=section.whole("measured_segments") or usual.measured_segments,
        address=_address(section),
        snapshot_seconds=section.whole("snapshot_seconds") or usual.snapshot_seconds,
        **{key: getattr(usual, key) if flag is None else flag for key, flag in flags.items()},
    )


def port_of(section: Section, usual: int) -> int:
    """The port that ``port:`` names.

    Raises:
        ConfigError: there is no such port.
    """
    port = section.whole("port") or usual
    if port > 65_535:
        section.fail("port", f"{port} is not a port.", "Use 1 to 65535.")
    return port


def _origins(section: Section) -> tuple[str, ...]:
    origins = section.texts("origins") or ()
    for index, origin in enumerate(origins):
        if not _ORIGIN.fullmatch(origin):
            Section({}, f"{section.at('origins')}[{index}]").fail(
                "",
                f"{origin!r} is not a web origin.",
                "Write scheme and host in small letters, without a path, as https://shop.example.",
            )
    return origins


def _address(section: Section) -> str:
    address = section.text("address") or ""
    if (address and not _ORIGIN.fullmatch(address)) or address == "*":
        section.fail(
            "address", f"{address!r} is not the address of a server.", "Write it as https://data.shop.example."
        )
    return address
