"""Dashboards: what a workspace's files ``dashboards/*.yaml`` say, those that ship, and how they are put on paper."""

from __future__ import annotations

from shoal.views.dashboards.answers import Answer
from shoal.views.dashboards.catalogue import Dashboards, read_dashboards
from shoal.views.dashboards.definition import Dashboard, Tile
from shoal.views.dashboards.reading import read_dashboard
from shoal.views.dashboards.writing import written

__all__ = ["Answer", "Dashboard", "Dashboards", "Tile", "read_dashboard", "read_dashboards", "written"]
