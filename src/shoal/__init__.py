"""Shoal: customer segmentation and personalization on business-intelligence data.

``shoal.open("my-shop")`` opens a workspace; everything else hangs on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["MembershipChange", "ShoalError", "Workspace", "__version__", "follow", "open"]

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from shoal.errors import ShoalError
    from shoal.workspace import Workspace
    from shoal.workspace.changes import MembershipChange


def open(path: str | Path = ".", *, wait: float = 10.0) -> Workspace:  # noqa: A001
    """Open the workspace in a folder.

    Args:
        path: the folder that holds ``shoal.yaml``.
        wait: seconds to wait while another process has it open.

    Raises:
        ConfigError: if ``shoal.yaml`` is missing or can't be accepted.
        StoreLocked: if another process has it open.
    """
    from shoal.workspace import open_workspace

    return open_workspace(path, wait=wait)


def follow(
    url: str,
    key: str,
    *,
    after: int | None = None,
    segments: Iterable[str] = (),
    timeout: float | None = None,
) -> Iterator[MembershipChange]:
    """The changes of memberships of a running server, as they happen. A lost connection is made again, and goes on there.

    Args:
        url: of the server, as ``https://data.shop.example``.
        key: one of the scope ``read``.
        after: the ``id`` of the last change that is known; 0 for all there were, None for those from now on.
        segments: the slugs whose changes are wanted; empty for all.
        timeout: end after so many seconds without a change; None to go on for ever.

    Raises:
        ConfigError: the server doesn't take the key, or there is no Shoal at the address.
        StoreError: with a ``timeout``, the server couldn't be reached in that time.
    """
    from shoal.workspace.changes import follow

    return follow(url, key, after=after, segments=frozenset(segments), timeout=timeout)


def __getattr__(name: str) -> object:
    if name == "Workspace":
        from shoal.workspace import Workspace

        return Workspace
    if name == "MembershipChange":
        from shoal.workspace.changes import MembershipChange

        return MembershipChange
    if name == "ShoalError":
        from shoal.errors import ShoalError

        return ShoalError
    raise AttributeError(f"module 'shoal' has no attribute {name!r}")
