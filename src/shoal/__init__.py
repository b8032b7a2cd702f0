"""Shoal: customer segmentation and personalization on business-intelligence data.

``shoal.open("my-shop")`` opens a workspace; everything else hangs on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["ShoalError", "Workspace", "__version__", "open"]

if TYPE_CHECKING:
    from pathlib import Path

    from shoal.errors import ShoalError
    from shoal.workspace import Workspace


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


def __getattr__(name: str) -> object:
    if name == "Workspace":
        from shoal.workspace import Workspace

        return Workspace
    if name == "ShoalError":
        from shoal.errors import ShoalError

        return ShoalError
    raise AttributeError(f"module 'shoal' has no attribute {name!r}")
