"""Fixtures that several folders of tests share."""

from __future__ import annotations

from postgres_server import postgres_address

__all__ = ["postgres_address"]
