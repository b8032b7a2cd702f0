"""Micro-segments found in the customers' own numbers, with the evidence for them.

The pure part: arrays in, frozen records out. ``discover`` composes what stands beside it:

- ``table``: the columns that come in; ``prepare``: how they are made comparable, with each decision said;
- ``kmeans``: the partition; ``indices``, ``stability``, ``null``, ``separation``: what speaks for a number of groups;
- ``choice``: the verdict (natural, reproducible, constructive) and how many groups the data support;
- ``profile``, ``outcomes``, ``rule``: what a segment is like, whether it matters, and how to say it;
- ``model``: the frozen partition that assigns later rows; ``identity``: the same name across refreshes.

The part that reads the store as of an instant. ``refresh`` composes it:

- ``features``: which values of the segment language are columns; ``reading``: their table, and what came after;
- ``wording``: a rule as text; ``observing``: what segments bought, when, and who may be reached;
- ``personas``, ``cards``: names, portraits and quality, each sentence with its figure; ``record``: what is kept of it;
- ``drifting``: whether customers still look as they did; ``keeping``: versions and proposals in the store.
"""
