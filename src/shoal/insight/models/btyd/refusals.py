"""What a purchase model needs, and the refusal when it isn't there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoal.errors import Refused
from shoal.wording import noun

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Needs:
    """The fewest customers, and the fewest of them who bought again, that a fit is made from."""

    customers: int = 100
    repeaters: int = 30

    def check(self, customers: int, repeaters: int) -> None:
        """Refuse too small a base.

        Raises:
            Refused: fewer customers, or fewer who bought again, than needed.
        """
        if customers < self.customers:
            raise Refused(
                f"A purchase model needs at least {self.customers} customers; there {noun(customers, 'is', 'are')} {customers}.",
                fix="Wait for more customers, or fit over a wider base.",
            )
        if repeaters < self.repeaters:
            raise Refused(
                f"A purchase model needs at least {self.repeaters} customers who bought again; "
                f"there {noun(repeaters, 'is', 'are')} {repeaters}.",
                fix="Take a longer history: repeat purchases are all that the model learns from.",
            )


USUAL = Needs()


def refuse_unless(fine: bool | np.bool_, problem: str, fix: str) -> None:
    """Raise a refusal unless all is well.

    Raises:
        Refused: ``fine`` is false.
    """
    if not fine:
        raise Refused(problem, fix=fix)


def refuse_constant(values: NDArray[np.float64], what: str) -> None:
    """Refuse a column in which everybody has the same.

    Raises:
        Refused: all values are equal.
    """
    refuse_unless(
        values.size > 0 and values.min() < values.max(),
        f"All customers have the same {what}, so nothing can be learnt from how they differ.",
        "Check that the purchases were loaded with their dates and amounts.",
    )
