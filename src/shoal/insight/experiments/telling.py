"""Figures and effects of experiments in words: one way for the verdict, the command and the report."""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoal.insight.metrics.definition import Unit
    from shoal.stats.experiments.comparing import Effect

_SMALL = 1e-4


def figure(value: float, unit: Unit) -> str:
    """A figure of an arm.

    >>> figure(0.1514, "share"), figure(1.07724, "money"), figure(12345.6, "count"), figure(0.0, "share")
    ('15.14 %', '1.077', '12,346', '0 %')
    """
    return f"{plain(100 * value)} %" if unit == "share" else plain(value)


def plain(value: float) -> str:
    """Four digits that count, and whole numbers from a thousand on."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}".rstrip(".")


def difference(value: float, unit: Unit) -> str:
    """A difference with its sign; of shares in points.

    >>> difference(0.04523, "share"), difference(-0.5, "money"), difference(float("inf"), "money")
    ('+4.523 points', '-0.5000', '∞')
    """
    if isinf(value):
        return "∞" if value > 0 else "−∞"
    told = f"{100 * value:+#.4g}" if unit == "share" else f"{value:+,.0f}" if abs(value) >= 1000 else f"{value:+#.4g}"
    return f"{told.rstrip('.')} points" if unit == "share" else told.rstrip(".")


def percent(value: float) -> str:
    """A relative effect.

    >>> percent(0.426), percent(-0.0123)
    ('+42.6 %', '-1.23 %')
    """
    return f"{100 * value:+.3g} %" if abs(value) < 10 else f"{100 * value:+,.0f} %"


def span(effect: Effect, unit: Unit) -> str:
    """The interval of an effect: ``+3.900 to +5.147 points``."""
    if effect.relative:
        return f"{percent(effect.low)} to {percent(effect.high)}"
    return between(effect.low, effect.high, unit)


def between(low: float, high: float, unit: Unit) -> str:
    """The ends of an interval of a difference.

    >>> between(-0.01, 0.02, "share"), between(1.5, 20, "money")
    ('-1.000 to +2.000 points', '+1.500 to +20.00')
    """
    return f"{difference(low, unit).removesuffix(' points')} to {difference(high, unit)}"


def chance(p: float | None) -> str:
    """A p-value.

    >>> chance(0.0312), chance(1e-9), chance(None)
    ('0.0312', '< 0.0001', '–')
    """
    if p is None or p != p:
        return "–"
    return f"< {_SMALL:.4f}" if p < _SMALL else f"{p:.4f}"
