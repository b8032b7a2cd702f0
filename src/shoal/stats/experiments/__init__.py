"""The statistics of experiments: from moments of arms to effects, intervals and verdicts that hold what they promise."""
