"""Retention of contracts: who stays how long, by group, and what that foretells."""

from __future__ import annotations

from shoal.insight.contracts.reading import Spells, read
from shoal.insight.contracts.retention import Group, Projection, Retention, Step, retention

__all__ = ["Group", "Projection", "Retention", "Spells", "Step", "read", "retention"]
