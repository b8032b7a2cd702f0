"""Results in the form that the caller works with: Arrow, pandas or Polars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shoal.errors import Unsupported

if TYPE_CHECKING:
    import pyarrow as pa

Form: TypeAlias = Literal["arrow", "pandas", "polars"]


def as_form(table: pa.Table, form: Form) -> Any:
    """An Arrow table as it is, or as a pandas or Polars data frame.

    Raises:
        Unsupported: for another form, or where the library isn't installed; the message says how to install it.
    """
    if form == "arrow":
        return table
    try:
        if form == "pandas":
            return table.to_pandas()
        if form == "polars":
            import polars

            return polars.from_arrow(table)
    except ModuleNotFoundError:
        raise Unsupported(f"{form} is not installed.", fix=f"Install it with: pip install 'shoal[{form}]'") from None
    raise Unsupported(f"Results can't be given as {form!r}.", fix="Use arrow, pandas or polars.")
