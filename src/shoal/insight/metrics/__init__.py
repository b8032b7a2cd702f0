"""Metrics: what is counted or summed, per whom and over which time; and their figures."""
