"""The vendors' own Python libraries, unchanged but for the host and the write key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from rudderstack.analytics import Client as Rudder
from segment.analytics import Client as Segment

from .recording import KEY, Running

VENDORS = {"segment": Segment, "rudder": Rudder}


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def packed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_kind_of_call_arrives_exactly_once(live: Running, vendor: str, packed: bool) -> None:
    """Breaks when a library's batch isn't understood, whole or in part."""
    client = VENDORS[vendor](KEY, host=live.address, gzip=packed, upload_interval=0.05, on_error=raises)
    then = datetime(2024, 5, 1, 12, tzinfo=UTC)
    client.identify("u1", {"email": "a@b.example", "born": then}, message_id="m-identify")
    client.track("u1", "Order Completed", {"revenue": 12.5, "products": [{"sku": "s1"}]}, message_id="m-track")
    client.page("u1", "Shop", "Home", {"url": "https://shop.example/"}, message_id="m-page")
    client.screen("u1", "App", "Start", message_id="m-screen")
    client.group("u1", "acme", {"industry": "Retail"}, message_id="m-group")
    client.alias("anon-1", "u1", message_id="m-alias")
    client.track("u1", "Old", timestamp=then, message_id="m-old")
    for number in range(250):
        client.track(f"u{number}", "Counted", message_id=f"n{number}")
    client.flush()
    client.join()
    assert len(live.intake.wait_for(257)) == 257
    assert live.intake.copies() == {}
    got = live.intake.by_message()
    assert got["m-identify"].traits == {"email": "a@b.example", "born": "2024-05-01T12:00:00+00:00"}
    assert got["m-track"].properties == {"revenue": 12.5, "products": [{"sku": "s1"}]}
    assert got["m-page"].properties == {"url": "https://shop.example/", "name": "Home", "category": "Shop"}
    assert got["m-screen"].name == "Screen Viewed"
    assert (got["m-group"].group, got["m-group"].traits) == ("acme", {"industry": "Retail"})
    assert got["m-alias"].identifiers == {"user_id": "u1", "previous_id": "anon-1"}
    old = timedelta(microseconds=got["m-old"].ts) + datetime(1970, 1, 1, tzinfo=UTC)
    assert abs(old - then) < timedelta(seconds=20)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_batch_that_is_refused_for_now_comes_again(live: Running, vendor: str) -> None:
    """Breaks when a library gives up on our 429 or 503, or sends again what was acknowledged."""
    live.intake.busy_once(1)
    live.intake.starting_once()
    client = VENDORS[vendor](KEY, host=live.address, upload_interval=0.05, on_error=raises)
    for number in range(20):
        client.track("u1", "Clicked", message_id=f"n{number}")
    client.flush()
    client.join()
    assert len(live.intake.wait_for(20)) == 20
    assert live.intake.copies() == {}
    assert live.app.counts.requests[429] == 1
    assert live.app.counts.requests[503] == 1


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_wrong_key_is_told_to_the_application(live: Running, vendor: str) -> None:
    """Breaks when our error has another form than the library reads, so that it retries for minutes."""
    told: list[Exception] = []
    client = VENDORS[vendor]("wrong", host=live.address, upload_interval=0.05, on_error=lambda e, _: told.append(e))
    client.track("u1", "Clicked")
    client.flush()
    client.join()
    assert [(e.status, e.code) for e in told] == [(401, "unknown-key")]  # type: ignore[attr-defined]
    assert live.app.counts.requests[401] == 1


def raises(error: Exception, items: object) -> None:
    raise AssertionError(f"The library gave up: {error}")
