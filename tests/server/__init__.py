"""Tests of the collection server, over HTTP."""
