"""A workspace: a folder with ``shoal.yaml``, ``segments/`` and the store. The only place that wires the parts."""

from __future__ import annotations

from shoal.workspace.opening import Workspace, create_workspace, find_root, open_workspace

__all__ = ["Workspace", "create_workspace", "find_root", "open_workspace"]
