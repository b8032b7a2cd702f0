"""Loops for numba: segments of many customers or of one, and events into tables. See ``machine`` for what they are given.

Everything stands at addresses that rows of integers name (``layout``), so that a call takes a handful of arguments however
many tables there are. Each loop gives the numbers of ``plain``; 0 means that the interpreter has to be asked.
"""

from shoal.live.loops.block import block
from shoal.live.loops.pack import pack
from shoal.live.loops.single import single
from shoal.live.loops.take import alone, take

__all__ = ["alone", "block", "pack", "single", "take"]
