"""Operators broken on purpose: small changes of the product's source, applied while it is imported anew.

Inside ``mutated`` the product's modules are compiled from changed source; nothing on disk changes, and the modules of
the other tests stay as they were. The proof has to notice every one of these.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType


@dataclass(frozen=True)
class Mutant:
    """One break: in a module, ``old`` (which stands there once) becomes ``new``.

    ``operator`` begins the names of the operators that it touches, as ``tally.operators`` gives them (``|`` stands
    between several, nothing for all); only definitions that speak of one are evaluated again, to save time.
    """

    name: str
    operator: str
    module: str
    old: str
    new: str

    def touches(self, spoken: set[str]) -> bool:
        """Whether a definition that speaks of these operators may be answered otherwise."""
        return any(operator.startswith(begin) for operator in spoken for begin in self.operator.split("|"))


@contextmanager
def mutated(mutant: Mutant) -> Iterator[None]:
    """While inside, ``import shoal…`` gives modules of their own, one of them broken."""
    ours = _taken_out()
    finder = _Finder(mutant)
    sys.meta_path.insert(0, finder)
    sys.modules.update(_BROKEN.get(mutant.name, {}))
    try:
        importlib.import_module("shoal.sql.engine")  # first: it knows the order in which the others can be imported
        importlib.import_module(mutant.module)
        yield
    finally:
        sys.meta_path.remove(finder)
        _BROKEN.clear()
        _BROKEN[mutant.name] = _taken_out()
        sys.modules.update(ours)


_BROKEN: dict[str, dict[str, ModuleType]] = {}
"""The modules of the mutant that was inside last; importing them takes longer than catching most."""


def _taken_out() -> dict[str, ModuleType]:
    """All modules of the product, which the next import doesn't find any more."""
    names = [name for name in sys.modules if name == "shoal" or name.startswith("shoal.")]
    return {name: sys.modules.pop(name) for name in names}


class _Finder:
    """Finds the broken module, and leaves all others to the usual finders."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's spec with a loader that changes its source."""
        if name != self._mutant.module:
            return None
        spec = PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(name, spec.origin, self._mutant)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, mutant: Mutant) -> None:
        super().__init__(name, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        """The code of the changed source."""
        source = self.get_source(fullname) or ""
        if source.count(self._mutant.old) != 1:
            raise LookupError(f"mutant {self._mutant.name!r}: {self._mutant.old!r} isn't there once; mend the mutant")
        return compile(source.replace(self._mutant.old, self._mutant.new), self.path, "exec")
