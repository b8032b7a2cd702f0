"""Learnt scores: a calibrated classifier on a table, judged out of fold beside plain baselines."""
