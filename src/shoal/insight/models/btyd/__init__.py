"""Buy till you die: when customers come back, how much they spend, and which have left, from their purchases alone.

A model is fitted by maximum likelihood on the summary of a log (:func:`summarise`) and answers per customer. Everything is
pure: arrays in, arrays out; time is in the unit that the summary names, and nothing reads a clock.
"""

from __future__ import annotations

from shoal.errors import Refused
from shoal.insight.models.btyd.betageometric import BetaGeometric, ModifiedBetaGeometric
from shoal.insight.models.btyd.contract import ShiftedBetaGeometric
from shoal.insight.models.btyd.discrete import BetaBernoulli, BetaGeometricBetaBernoulli, Occasions
from shoal.insight.models.btyd.holdout import (
    ByFrequency,
    Choice,
    Score,
    Split,
    Tracking,
    assess,
    baselines,
    by_frequency,
    choose,
    split,
    track,
)
from shoal.insight.models.btyd.likelihood import Fit
from shoal.insight.models.btyd.nbd import NegativeBinomial
from shoal.insight.models.btyd.pareto import ParetoNBD
from shoal.insight.models.btyd.refusals import Needs
from shoal.insight.models.btyd.repeat import NextOrder, RepeatModel
from shoal.insight.models.btyd.spend import GammaGamma
from shoal.insight.models.btyd.summary import Purchases, summarise
from shoal.insight.models.btyd.value import Bootstrap, Value, bootstrap, value

__all__ = [
    "BetaBernoulli",
    "BetaGeometric",
    "BetaGeometricBetaBernoulli",
    "Bootstrap",
    "ByFrequency",
    "Choice",
    "Fit",
    "GammaGamma",
    "ModifiedBetaGeometric",
    "Needs",
    "NegativeBinomial",
    "NextOrder",
    "Occasions",
    "ParetoNBD",
    "Purchases",
    "Refused",
    "RepeatModel",
    "Score",
    "ShiftedBetaGeometric",
    "Split",
    "Tracking",
    "Value",
    "assess",
    "baselines",
    "bootstrap",
    "by_frequency",
    "choose",
    "split",
    "summarise",
    "track",
    "value",
]
