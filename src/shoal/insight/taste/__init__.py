"""Taste: what customers lean to beyond the base, who is like whom, and the needs behind what they buy."""
