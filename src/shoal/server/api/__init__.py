"""The HTTP interface beside the collection: profiles, segments, previews, changes, health."""

from shoal.server.api.app import api

__all__ = ["api"]
