"""Types that ``shoal.yaml`` names hold for files too, from the first load on."""

from __future__ import annotations

from pathlib import Path

import pytest

import shoal
from shoal.errors import ShoalError

SETTINGS = """\
shoal: 1
name: shop
traits:
  zip: text
sources:
  people:
    from: people.csv
    traits: [{customer: id, take: [zip, age]}]
"""


def test_a_named_type_counts_before_what_the_file_suggests(tmp_path: Path) -> None:
    """Breaks if ``traits:`` counts while serving alone, so that a load makes numbers of postcodes."""
    (tmp_path / "shoal.yaml").write_text(SETTINGS)
    (tmp_path / "people.csv").write_text("id,zip,age\nann,1234,30\nbob,999,41\n")
    with shoal.open(tmp_path) as ws:
        ws.data.load()
        found = {name: kind.value for name, kind in ws.schema.traits.items()}
        assert (found["zip"], found["age"]) == ("text", "number")
        assert ws.segments.preview('zip = "1234" and age < 40').size == 1
        with pytest.raises(ShoalError):
            ws.segments.preview("zip > 1000")
