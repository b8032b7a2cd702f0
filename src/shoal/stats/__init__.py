"""Statistics that the domains share: intervals, quantiles, effect sizes. Plain numbers in, plain numbers out."""
