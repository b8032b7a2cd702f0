"""Experiments: who is in which arm, what came of it, and how far that can be trusted."""
