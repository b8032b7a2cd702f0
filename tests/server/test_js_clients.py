"""The vendors' JavaScript libraries, unchanged but for the host and the write key: in node, and on a page in Chromium."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from . import npm
from .recording import KEY, Running

PAGE = "<!doctype html><title>Shop</title><h1>Shop</h1><script src=page_client.bundle.js></script>"


@pytest.fixture(scope="module")
def libraries() -> Path:
    return npm.libraries()


def test_node_sends_every_kind_exactly_once(live: Running, libraries: Path) -> None:
    """Breaks when analytics-node's batches aren't understood, or its retry after a 429 doubles them."""
    live.intake.busy_once(1)
    told = json.loads(npm.run(["node", "node_client.mjs", live.address, KEY]))
    assert told == {"failures": []}
    assert len(live.intake.wait_for(107)) == 107
    assert live.intake.copies() == {}
    assert live.app.counts.requests[429] == 1
    got = live.intake.by_message()
    assert got["m-anonymous"].identifiers == {"anonymous_id": "anon-1"}
    assert got["m-identify"].identifiers == {"user_id": "u1", "anonymous_id": "anon-1", "email": "a@b.example"}
    assert got["m-identify"].traits == {"email": "a@b.example", "createdAt": "2024-05-01T00:00:00.000Z"}
    assert got["m-track"].properties == {"revenue": 12.5, "products": [{"sku": "s1"}]}
    assert got["m-page"].properties == {"url": "https://shop.example/", "name": "Home", "category": "Shop"}
    assert got["m-screen"].name == "Screen Viewed"
    assert (got["m-group"].group, got["m-group"].traits) == ("acme", {"industry": "Retail"})
    assert got["m-alias"].identifiers == {"user_id": "u1", "previous_id": "anon-1"}


# --------------------------------------------------------------------------- a page


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, the next page as slowly as a shop does."""

    def do_GET(self) -> None:
        if self.path == "/bye.html":
            time.sleep(0.2)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def shop(libraries: Path) -> Iterator[str]:
    """The address of a shop's page, another origin than the collection server's."""
    (libraries / "shop.html").write_text(PAGE)
    (libraries / "bye.html").write_text("<!doctype html><title>Bye</title>")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(libraries))) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


@pytest.fixture
def page(browser: Any, shop: str) -> Iterator[Any]:
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(f"{shop}/shop.html")
    yield opened
    context.close()


def start(page: Any, live: Running, options: dict[str, Any] | None = None) -> None:
    assert page.evaluate("([host, key, options]) => start(host, key, options)", [live.address, KEY, options or {}])


CALLS = """async () => {
    await analytics.page('Shop', 'Home')
    await analytics.track('Product Viewed', { price: 3 })
    await analytics.alias('u1')
    await analytics.identify('u1', { email: 'a@b.example', address: { city: 'Kisumu' } })
    await analytics.track('Order Completed', { revenue: 12.5, products: [{ sku: 's1' }] })
    await analytics.group('acme', { industry: 'Retail' })
    await analytics.screen('App', 'Start')
}"""


@pytest.mark.browser
@pytest.mark.parametrize("strategy", ["one by one", "in batches"])
def test_a_page_sends_every_kind_exactly_once(live: Running, page: Any, strategy: str) -> None:
    """Breaks when the settings, the short paths, the preflight or the form of analytics-next aren't served."""
    batching = {"strategy": "batching", "config": {"size": 3, "timeout": 100}}
    chosen = {"integrations": {"Segment.io": {"deliveryStrategy": batching}}} if strategy == "in batches" else None
    start(page, live, chosen)
    page.evaluate(CALLS)
    calls = live.intake.wait_for(7)
    assert sorted(call.kind for call in calls) == ["alias", "group", "identify", "page", "screen", "track", "track"]
    assert live.intake.copies() == {}
    by_name = {call.name or call.kind: call for call in calls}
    viewed, known, bought = by_name["Product Viewed"], by_name["identify"], by_name["Order Completed"]
    assert set(viewed.identifiers) == {"anonymous_id"}
    assert known.identifiers == {**viewed.identifiers, "user_id": "u1", "email": "a@b.example"}
    assert known.traits == {"email": "a@b.example", "address.city": "Kisumu"}
    assert {**viewed.identifiers, "user_id": "u1"}.items() <= bought.identifiers.items()
    assert bought.properties == {"revenue": 12.5, "products": [{"sku": "s1"}]}
    seen = by_name["Page Viewed"].properties or {}
    assert (seen["name"], seen["category"], seen["title"]) == ("Home", "Shop", "Shop")
    assert str(seen["url"]).endswith("/shop.html")
    assert (by_name["group"].group, by_name["group"].traits) == ("acme", {"industry": "Retail"})
    anonymous = viewed.identifiers["anonymous_id"]
    assert by_name["alias"].identifiers == {"user_id": "u1", "anonymous_id": anonymous, "previous_id": anonymous}


@pytest.mark.browser
def test_a_page_comes_again_after_a_429(live: Running, page: Any) -> None:
    """Breaks when the page can't read Retry-After and comes too early, or sends again what was acknowledged."""
    start(page, live)
    live.intake.busy_once(3)
    page.evaluate("() => { for (const n of [1, 2, 3]) analytics.track('Clicked', { n }) }")
    calls = live.intake.wait_for(3)
    assert sorted((call.properties or {})["n"] for call in calls) == [1, 2, 3]
    assert live.intake.copies() == {}
    assert live.app.counts.requests[429] == 1
    assert live.intake.times[-1] - live.intake.times[0] > 2.5


@pytest.mark.browser
def test_rudderstack_on_a_page_sends_every_kind_exactly_once(live: Running, page: Any) -> None:
    """Breaks when the source's configuration or the paths and headers of analytics-js aren't served, or its retry doubles."""
    live.intake.busy_once(1)
    page.evaluate(
        """([host, key]) => {
            startRudder(host, key)
            rudder.page('Shop', 'Home')
            rudder.track('Product Viewed', { price: 3 })
            rudder.identify('u1', { email: 'a@b.example' })
            rudder.group('acme', { industry: 'Retail' })
            rudder.alias('u1', 'old')
        }""",
        [live.address, KEY],
    )
    calls = {call.kind: call for call in live.intake.wait_for(5)}
    assert live.intake.copies() == {}
    assert live.app.counts.requests[429] == 1
    anonymous = calls["track"].identifiers
    assert set(anonymous) == {"anonymous_id"}
    assert calls["identify"].identifiers == {**anonymous, "user_id": "u1", "email": "a@b.example"}
    assert calls["identify"].traits == {"email": "a@b.example"}
    assert (calls["group"].group, calls["group"].traits) == ("acme", {"industry": "Retail"})
    assert calls["alias"].identifiers["previous_id"] == "old"
    assert (calls["page"].properties or {})["category"] == "Shop"


@pytest.mark.browser
def test_what_a_visitor_does_last_arrives(live: Running, page: Any, shop: str) -> None:
    """Breaks when a call made as the visitor leaves dies with the page: the settings must ask for keepalive."""
    start(page, live)
    live.intake.delay = 0.5
    page.evaluate(
        """(next) => {
            analytics.track('Clicked')
            location.href = next
        }""",
        f"{shop}/bye.html",
    )
    page.wait_for_url("**/bye.html")
    assert [call.name for call in live.intake.wait_for(1)] == ["Clicked"]
    # The page left before its answer came, so the library sends again when the visitor is back: the same message.
    page.goto(f"{shop}/shop.html")
    start(page, live)
    page.evaluate("() => analytics.track('Back')")
    live.intake.wait_until(lambda calls: any(call.name == "Back" for call in calls))
    assert sorted(call.name for call in live.intake.by_message().values()) == ["Back", "Clicked"]


@pytest.mark.browser
def test_a_batch_that_waits_is_sent_as_the_visitor_leaves(live: Running, page: Any, shop: str) -> None:
    """Breaks when the keepalive request that the library makes on unload isn't taken."""
    batching = {"strategy": "batching", "config": {"size": 50, "timeout": 60_000}}
    start(page, live, {"integrations": {"Segment.io": {"deliveryStrategy": batching}}})
    page.evaluate("async () => { await analytics.track('Viewed'); await analytics.track('Clicked') }")
    assert live.intake.calls == []
    page.goto(f"{shop}/bye.html")
    assert [call.name for call in live.intake.wait_for(2)] == ["Viewed", "Clicked"]
    assert live.intake.copies() == {}


@pytest.mark.browser
def test_a_beacon_arrives_exactly_once(live: Running, page: Any, shop: str) -> None:
    """Breaks when text/plain without an authorization header, sent as the page dies, isn't taken."""
    page.evaluate(
        """([host, key, next]) => {
            addEventListener('pagehide', () => navigator.sendBeacon(host + '/v1/t', JSON.stringify(
                { event: 'Left', anonymousId: 'a1', messageId: 'beacon', writeKey: key })))
            location.href = next
        }""",
        [live.address, KEY, f"{shop}/bye.html"],
    )
    page.wait_for_url("**/bye.html")
    (call,) = live.intake.wait_for(1)
    assert (call.message_id, call.name) == ("beacon", "Left")
