"""Pilots: what a campaign for some segments is to reach, measured before, held against those who were kept out by lot."""
