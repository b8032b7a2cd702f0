"""Tests of the resident engine, through its public doors."""
