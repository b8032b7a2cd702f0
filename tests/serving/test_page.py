"""A vendor's library on a page, pointed at ``shoal serve``: it changes a segment at once, and time alone takes it back."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from server import npm
from server.test_js_clients import PAGE, Quiet

from .served import Served


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A shop's page in Chromium, of another origin than the server."""
    libraries = npm.libraries()
    (libraries / "shop.html").write_text(PAGE)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(libraries))) as shop:
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        opened = browser.new_page()
        opened.goto(f"http://127.0.0.1:{shop.server_port}/shop.html")
        yield opened
        opened.close()
        shop.shutdown()


@pytest.mark.browser
def test_a_click_enters_at_once_and_time_alone_leaves(served: Served, page: Any) -> None:
    """Breaks if a vendor's snippet doesn't reach a segment, its visitor isn't who signs in, or a window's end is late."""
    served.track("zoe", "Order Completed", revenue=1)
    served.wait_for("buyers", {"zoe"})
    address = str(served.http.base_url)
    assert page.evaluate("([host, key]) => start(host, key, {})", [address.rstrip("/"), served.write_key])
    page.evaluate("() => analytics.track('Product Viewed', { price: 3 })")
    page.evaluate("() => analytics.track('Order Completed', { revenue: 120 })")
    clicked = time.time()
    page.evaluate("() => analytics.identify('ann', { plan: 'pro' })")
    served.wait_for_change("just-bought", "ann", "left", 60)
    told = [c for c in served.changes() if c["customer"] == "ann"]
    kinds = [(c["segment"], c["change"]) for c in told]
    assert kinds[-1] == ("just-bought", "left")
    # Whoever was anonymous until now is "ann": what the visitor was in went over to her, or she entered herself.
    assert {s for s, change in kinds if change in ("entered", "merged")} >= {"buyers", "big", "just-bought"}
    bought = next(e for e in served.get("/v1/profiles/ann")["events"] if "Order Completed" in e.values())
    left = told[-1]
    assert left["because"] == "time"
    assert _instant(left["at"]) - _instant(bought["at"]) == dt.timedelta(seconds=2)
    assert abs(_instant(bought["at"]).timestamp() - clicked) < 5


def _instant(stamp: str) -> dt.datetime:
    return dt.datetime.fromisoformat(stamp)
