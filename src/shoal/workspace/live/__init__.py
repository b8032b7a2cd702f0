"""A workspace that is live: calls come in, memberships are of this moment, changes go out."""

from shoal.workspace.live.service import Live

__all__ = ["Live"]
