"""Which channels conversions are credited to: by rules over the touches before each, or by what a channel's removal takes away.

A path is the touches of one customer up to a conversion: those after the conversion before, and not older than a window. What
led to no conversion is a path too, which the removal effect needs. No model here is causal: each shares out what happened, and
an experiment says what would have happened without.
"""

from shoal.insight.attribution.credit import MODELS, Credit, credits_of
from shoal.insight.attribution.paths import Paths
from shoal.insight.attribution.reading import WINDOW, paths_of
from shoal.insight.attribution.removal import removal_effects
from shoal.insight.attribution.rules import HALF_LIFE

__all__ = ["HALF_LIFE", "MODELS", "WINDOW", "Credit", "Paths", "credits_of", "paths_of", "removal_effects"]
