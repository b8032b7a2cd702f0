"""Models that predict: purchases to come and their value, scores learnt from features, and how well either holds."""
