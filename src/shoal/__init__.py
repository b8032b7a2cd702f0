"""Shoal: customer segmentation and personalization on business-intelligence data."""

from __future__ import annotations

__version__ = "0.1.0"
