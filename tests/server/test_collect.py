"""The collection endpoint over HTTP, on a real server: every kind of call, every way to name the key, every refusal."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from base64 import b64encode

import httpx
import pytest
from msgspec import structs

from shoal.clock import SECOND, StoppedClock
from shoal.errors import StoreError
from shoal.server.body import unpacked
from shoal.server.faults import Refused
from shoal.server.settings import CollectSettings

from .recording import KEY, Running, running

NOON = 1_796_000_000 * SECOND
PATHS = [
    ("track", "t", {"event": "Signed Up"}),
    ("identify", "i", {"traits": {"plan": "pro"}}),
    ("page", "p", {"name": "Home"}),
    ("screen", "s", {"name": "Start"}),
    ("group", "g", {"groupId": "acme"}),
    ("alias", "a", {"previousId": "old"}),
]


@pytest.mark.parametrize(("kind", "short", "body"), PATHS, ids=[kind for kind, _, _ in PATHS])
@pytest.mark.parametrize("prefix", ["/v1", ""])
def test_every_kind_is_taken_under_its_long_and_short_path(
    live: Running, kind: str, short: str, body: dict[str, object], prefix: str
) -> None:
    """Breaks when a library's path isn't served."""
    for path in (kind, short):
        answer = live.post(f"{prefix}/{path}", {"userId": "u1", **body})
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert [call.kind for call in live.intake.calls] == [kind, kind]


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/batch", "/b", "/beacon/v1/batch"])
def test_a_batch_is_taken_in_its_order(live: Running, path: str) -> None:
    """Breaks when calls of a batch change places or kind."""
    batch = [{"type": kind, "userId": "u1", **body} for kind, _, body in PATHS]
    assert live.post(path, {"batch": batch}).status_code == 200
    assert [call.kind for call in live.intake.calls] == [kind for kind, _, _ in PATHS]
    assert live.intake.requests == 1


def test_what_is_kept_of_each_kind(live: Running) -> None:
    """Breaks when an id, a property, a trait or an account gets lost on the way."""
    context = {
        "device": {"id": "d1"}, "ip": "1.2.3.4", "page": {"url": "https://shop.example/x"}, "library": {"name": "me"},
        "externalIds": [
            {"id": "L-7", "type": "loyalty_id", "collection": "users", "encoding": "none"},
            {"id": "x", "type": "hashed", "collection": "users", "encoding": "sha256"},
        ],
        "consent": {"categoryPreferences": {"email_marketing": True, "ads": False}},
    }  # fmt: skip
    both = {"userId": 7, "anonymousId": "a1", "context": context, "integrations": {"All": False}}
    live.post("/v1/track", {**both, "messageId": "m1", "event": "Order Completed", "properties": {"revenue": 12.5}})
    live.post("/v1/page", {**both, "name": "Home", "category": "Shop"})
    live.post("/v1/identify", {**both, "traits": {"email": "a@b.example", "address": {"city": "Kisumu"}, "age": None}})
    live.post("/v1/group", {**both, "groupId": 12, "traits": {"email": "office@acme.example"}})
    live.post("/v1/alias", {"userId": "u2", "previousId": "a1"})
    track, page, identify, group, alias = live.intake.calls
    ids = {"user_id": "7", "anonymous_id": "a1", "device_id": "d1", "loyalty_id": "L-7"}
    assert (track.message_id, track.name, track.properties) == ("m1", "Order Completed", {"revenue": 12.5})
    assert track.identifiers == ids
    assert track.consents == {"email_marketing": True, "ads": False}
    assert page.name == "Page Viewed"
    assert page.properties == {"name": "Home", "category": "Shop", "url": "https://shop.example/x"}
    assert identify.traits == {"email": "a@b.example", "address.city": "Kisumu", "age": None}
    assert identify.identifiers == {**ids, "email": "a@b.example"}
    assert (group.group, group.traits) == ("12", {"email": "office@acme.example"})
    assert group.identifiers == ids
    assert alias.identifiers == {"user_id": "u2", "previous_id": "a1"}


def test_a_message_without_an_id_gets_a_fresh_one(live: Running) -> None:
    """Breaks when two equal clicks count as one because their ids are made from what they say."""
    for _ in range(2):
        live.post("/v1/track", {"userId": "u1", "event": "Clicked", "timestamp": "2026-01-01T00:00:00Z"})
    assert len(live.intake.by_message()) == 2


# --------------------------------------------------------------------------- keys


def test_the_key_is_found_wherever_libraries_put_it(live: Running) -> None:
    """Breaks when a library's way of naming its key isn't known."""
    call = {"userId": "u1", "event": "E"}
    text = {"content-type": "text/plain"}
    first = {"type": "track", "writeKey": KEY, **call}
    answers = [
        live.post("/v1/t", call),
        live.post("/v1/t", {**call, "writeKey": KEY}, auth=None),
        live.post("/v1/t", json.dumps({**call, "writeKey": KEY}).encode(), auth=None, headers=text),
        live.post(f"/v1/t?writeKey={KEY}", call, auth=None),
        live.post("/v1/b", {"batch": [{"type": "track", **call}], "writeKey": KEY}, auth=None),
        live.post("/v1/b", {"batch": [first]}, auth=None),
        live.post(f"/beacon/v1/batch?writeKey={KEY}", {"batch": [{"type": "track", **call}]}, auth=None),
        live.post("/v1/t", call, auth=None, headers={"authorization": f"basic {b64encode(KEY.encode()).decode()}"}),
    ]
    assert [a.status_code for a in answers] == [200] * len(answers)
    assert len(live.intake.calls) == len(answers)


@pytest.mark.parametrize(
    "more",
    [
        {"auth": None},
        {"auth": ("other", "")},
        {"auth": None, "headers": {"authorization": "Basic %%%"}},
        {"auth": None, "headers": {"authorization": "Basic /w=="}},
        {"auth": None, "headers": {"authorization": "Bearer x"}},
    ],
)
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
def test_without_a_known_key_nothing_is_taken(live: Running, path: str, more: dict[str, object]) -> None:
    """Breaks when calls come in without a key, or the error doesn't say how to send one."""
    answer = live.post(path, {"userId": "u", "event": "E", "batch": []}, **more)
    assert answer.status_code == 401
    assert {"code", "message", "place", "fix"} <= answer.json().keys()
    assert live.intake.requests == 0


# --------------------------------------------------------------------------- trouble


def test_a_busy_intake_is_a_429_that_says_when(live: Running) -> None:
    """Breaks when clients drop calls, or come back at once, because the answer doesn't say when to."""
    live.intake.busy_once(2.3)
    live.intake.starting_once()
    live.intake.troubles.append(StoreError("No room on /secret/path."))
    call = {"userId": "u1", "event": "E"}
    answers = [live.post("/v1/track", call, headers={"origin": "https://a.example"}) for _ in range(4)]
    assert [a.status_code for a in answers] == [429, 503, 503, 200]
    assert [a.headers.get("retry-after") for a in answers] == ["3", "2", "2", None]
    assert answers[0].headers["access-control-expose-headers"] == "retry-after"
    assert "secret" not in answers[2].text
    assert len(live.intake.calls) == 1


BAD = {
    "truncated gzip": (gzip.compress(b'{"userId":"u"}' * 50)[:-12], {"content-encoding": "gzip"}, 400, "bad-gzip"),
    "damaged gzip": (b"\x1f\x8b" + b"x" * 40, {"content-encoding": "gzip"}, 400, "bad-gzip"),
    "not gzip": (b'{"userId":"u"}', {"content-encoding": "gzip"}, 400, "bad-gzip"),
    "gzip bomb": (gzip.compress(b" " * 50_000_000), {"content-encoding": "gzip"}, 413, "too-large"),
    "bomb in a beacon": (gzip.compress(b" " * 50_000_000), {}, 413, "too-large"),
    "brotli": (b"x", {"content-encoding": "br"}, 415, "encoding"),
    "no JSON": (b"hello", {}, 400, "bad-json"),
    "nothing": (b"", {}, 400, "bad-json"),
    "half JSON": (b'{"userId":', {}, 400, "bad-json"),
    "not UTF-8": (b'{"userId":"\xff"}', {}, 400, "bad-json"),
    "a list": (b"[1]", {}, 400, "bad-call"),
    "deep": (b'{"userId":"u","event":"e","properties":' + b'{"a":' * 5_000, {}, 400, "too-deep"),
    "10 MB": (b" " * 10_000_000, {}, 413, "too-large"),
    "NaN": (b'{"userId":"u","event":"e","properties":{"x":NaN}}', {}, 400, "bad-json"),
}


@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_body_is_a_clear_refusal(live: Running, path: str, name: str) -> None:
    """Breaks when rubbish makes a 500, fills memory, or is answered without a place and a fix."""
    body, headers, status, code = BAD[name]
    answer = live.post(path, body, headers=headers)
    if path == "/v1/batch" and name in ("deep", "NaN", "not UTF-8"):
        code = answer.json()["code"]  # There is no list of calls in it either.
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["place"]
    assert answer.json()["fix"]
    assert live.intake.requests == 0


def test_a_bomb_is_never_blown_up_in_memory() -> None:
    """Breaks when 50 KB that unpack to 50 MB take 50 MB, even if they are refused afterwards."""
    bomb = gzip.compress(b" " * 50_000_000)
    tracemalloc.start()
    with pytest.raises(Refused):
        unpacked(bomb, b"gzip", 500_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000


WRONG = {
    "nobody": ({"event": "E"}, "no-user", "userId"),
    "empty user": ({"event": "E", "userId": ""}, "no-user", "userId"),
    "yes/no as user": ({"event": "E", "userId": True}, "bad-call", "userId"),
    "long user": ({"event": "E", "userId": "x" * 501}, "long-id", "userId"),
    "huge user": ({"event": "E", "userId": 10**40}, "long-id", "userId"),
    "no event": ({"userId": "u"}, "no-event", "event"),
    "blank event": ({"userId": "u", "event": " "}, "no-event", "event"),
    "long event": ({"userId": "u", "event": "x" * 201}, "long-name", "event"),
    "number as event": ({"userId": "u", "event": 5}, "bad-call", "event"),
    "text as properties": ({"userId": "u", "event": "E", "properties": "x"}, "bad-call", "properties"),
    "another type": ({"userId": "u", "event": "E", "type": "page"}, "bad-call", "type"),
    "many values": (
        {"userId": "u", "event": "E", "properties": {str(i): i for i in range(501)}},
        "too-many-values",
        "properties",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_refused_with_its_place(live: Running, name: str) -> None:
    """Breaks when a sender isn't told which field is wrong; and in a batch, when one wrong call costs the others."""
    call, code, place = WRONG[name]
    answer = live.post("/v1/track", call)
    assert (answer.status_code, answer.json()["code"], answer.json()["place"]) == (400, code, place)
    if name == "another type":
        return
    good = {"type": "track", "userId": "u", "event": "Good"}
    batch = live.post("/v1/batch", {"batch": [good, {"type": "track", **call}, good]})
    assert [c.name for c in live.intake.calls] == ["Good", "Good"]
    assert batch.status_code == 200
    assert batch.json()["errors"][0]["code"] == code
    assert batch.json()["errors"][0]["place"] == f"batch[1].{place}"
    assert live.post("/v1/batch", {"batch": [{"type": "track", **call}]}).status_code == 400


def test_calls_mean_the_same_beside_a_wrong_one(live: Running) -> None:
    """Breaks when a batch that is decoded at once is kept otherwise than one that is decoded call by call."""
    more = {
        "track": {"properties": {"a": 1, "b": [1, "x"]}},
        "page": {"context": {"page": {"url": "https://a.example"}}},
    }
    batch = [
        {
            "type": kind,
            "userId": "u1",
            "messageId": kind,
            "timestamp": "2026-01-01T00:00:00Z",
            **body,
            **more.get(kind, {}),
        }
        for kind, _, body in PATHS
    ]
    around = {"context": {"device": {"id": "d1"}}, "sentAt": "2026-01-01T00:00:01Z"}
    assert live.post("/v1/batch", {**around, "batch": batch}).json() == {"success": True}
    assert live.post("/v1/batch", {**around, "batch": [*batch, {"type": "track", "event": 5}]}).json()["refused"] == 1
    alone, beside = live.intake.calls[: len(batch)], live.intake.calls[len(batch) :]
    for one, other in zip(alone, beside, strict=True):
        # Only when they arrived differs, and with it what the sender's clock comes to.
        assert (one.ts - one.received, one.message_id) == (other.ts - other.received, other.message_id)
        assert structs.replace(one, ts=0, received=0) == structs.replace(other, ts=0, received=0)


def test_sizes_are_limited_as_the_spec_says(live: Running) -> None:
    """Breaks when 32 KB a call and 500 KB a batch aren't the limits, or one large call costs its batch."""
    large = {"userId": "u", "event": "E", "properties": {"x": "y" * 33_000}}
    assert live.post("/v1/track", large).status_code == 413
    small = {"type": "track", "userId": "u", "event": "E", "properties": {"x": "y" * 30_000}}
    answer = live.post("/v1/batch", {"batch": [small] * 15 + [{"type": "track", **large}]})
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["place"] == "batch[15]"
    assert len(live.intake.calls) == 15
    assert live.post("/v1/batch", {"batch": [small] * 18}).status_code == 413
    packed = gzip.compress(json.dumps({"batch": [small] * 18}).encode())
    assert live.post("/v1/batch", packed, headers={"content-encoding": "gzip"}).status_code == 413
    assert live.post("/v1/batch", {"batch": [0] * 2_501}).json()["code"] == "too-many-calls"


def test_gzip_is_unpacked_with_and_without_its_header(live: Running) -> None:
    """Breaks when packed bodies, in one piece or several, aren't read."""
    body = b'{"userId":"u","event":"E"}'
    pieces = gzip.compress(body[:10]) + gzip.compress(body[10:])
    for packed, headers in [
        (gzip.compress(body), {"content-encoding": "gzip"}),
        (gzip.compress(body), {}),
        (pieces, {}),
    ]:
        assert live.post("/v1/track", packed, headers=headers).status_code == 200
    assert live.post("/v1/track", b"\xef\xbb\xbf" + body).status_code == 200
    assert len(live.intake.calls) == 4


def test_a_body_in_many_pieces_is_put_together(live: Running) -> None:
    """Breaks when a body without a length, sent piece by piece, is cut or isn't limited."""
    body = json.dumps({"userId": "u", "event": "E", "properties": {"x": "y" * 20_000}}).encode()
    pieces = (body[i : i + 500] for i in range(0, len(body), 500))
    assert live.http.post(live.address + "/v1/track", content=pieces, auth=(KEY, "")).status_code == 200
    endless = (b" " * 10_000 for _ in range(1_000))
    assert live.http.post(live.address + "/v1/track", content=endless, auth=(KEY, "")).status_code == 413


def test_a_context_of_an_unknown_form_costs_nothing(live: Running) -> None:
    """Breaks when a library's strange context makes its calls be refused."""
    for context in ("x", 5, [], {"page": "x"}, {"device": {"id": {}}}, {"externalIds": {"a": 1}}, {"consent": 1}):
        call = {"userId": "u", "event": "E", "context": context, "integrations": "x"}
        assert live.post("/v1/track", call).status_code == 200
        assert live.post("/v1/batch", {"batch": [{"type": "track", **call}], "context": context}).status_code == 200


def test_other_paths_and_methods_say_so(live: Running) -> None:
    """Breaks when a wrong path or method is a 500 or silent."""
    assert live.http.get(live.address + "/v1/track").status_code == 405
    assert live.http.get(live.address + "/v1/track").headers["allow"] == "POST, OPTIONS"
    assert live.http.post(live.address + "/nothing").status_code == 404


def test_another_app_gets_what_is_not_its_own() -> None:
    """Breaks when the collection, put before the API, hides the API's paths."""

    async def other(scope: dict, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": scope["path"].encode()})  # type: ignore[operator]

    async def api(scope: dict, receive: object, send: object) -> None:
        if scope["type"] == "http":
            await other(scope, receive, send)
        else:
            raise RuntimeError("no lifespan here")

    with running(otherwise=api) as live:
        assert live.http.get(live.address + "/v1/profiles/u1").text == "/v1/profiles/u1"
        assert live.http.get(live.address + "/t").status_code == 299
        assert live.http.get(live.address + "/v1/track").status_code == 405
        assert live.post("/v1/track", {"userId": "u", "event": "E"}).status_code == 200


# --------------------------------------------------------------------------- pages


def preflight(live: Running, origin: str) -> httpx.Response:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-new"}
    return live.http.options(live.address + "/v1/t", headers={"origin": origin, **asked})


def test_any_page_may_send_unless_told_otherwise(live: Running) -> None:
    """Breaks when a browser's question before it sends isn't answered as it needs."""
    answer = preflight(live, "https://shop.example")
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-headers"] == "authorization,x-new"
    assert "POST" in answer.headers["access-control-allow-methods"]
    sent = live.post("/v1/t", {"userId": "u", "event": "E"}, headers={"origin": "https://shop.example"})
    assert sent.headers["access-control-allow-origin"] == "https://shop.example"


def test_only_named_pages_may_send() -> None:
    """Breaks when a page elsewhere fills the workspace with the public write key of ours."""
    call = {"userId": "u", "event": "E"}
    with running(CollectSettings(origins=("https://shop.example/",))) as live:
        assert "access-control-allow-origin" not in preflight(live, "https://evil.example").headers
        assert live.post("/v1/t", call, headers={"origin": "https://evil.example"}).status_code == 403
        assert live.post("/v1/t", call, headers={"origin": "https://shop.example"}).status_code == 200
        assert live.post("/v1/t", call).status_code == 200
        assert len(live.intake.calls) == 2


def test_the_settings_that_browser_libraries_fetch_name_this_server(live: Running) -> None:
    """Breaks when a page's library is sent back to the vendor, or a key that isn't known gets an answer."""
    settings = live.http.get(
        f"{live.address}/v1/projects/{KEY}/settings", headers={"x-forwarded-proto": "https"}
    ).json()
    source = settings["integrations"]["Segment.io"]
    host = live.address.removeprefix("http://")
    assert (source["apiKey"], source["apiHost"], source["protocol"]) == (KEY, f"{host}/v1", "https")
    assert live.http.get(f"{live.address}/v1/projects/other/settings").status_code == 401
    rudder = live.http.get(f"{live.address}/sourceConfig/?p=npm&v=3&writeKey={KEY}").json()
    assert rudder["source"]["enabled"] is True
    assert live.http.get(f"{live.address}/sourceConfig", auth=(KEY, "")).status_code == 200
    assert live.http.get(f"{live.address}/sourceConfig").status_code == 401


# --------------------------------------------------------------------------- people's data


def test_robots_are_left_out_and_counted(live: Running) -> None:
    """Breaks when crawlers become customers, or a batch from a server loses the people among its robots."""
    call = {"type": "page", "userId": "u"}
    bot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    assert live.post("/v1/page", call, headers={"user-agent": bot}).status_code == 200
    phone = "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36"
    batch = [{**call, "context": {"userAgent": agent}} for agent in (bot, phone)]
    assert live.post("/v1/batch", {"batch": batch}).status_code == 200
    assert len(live.intake.calls) == 1
    assert live.app.counts.bots == 2


def test_an_address_is_kept_only_where_it_may_be(live: Running) -> None:
    """Breaks when IP addresses are stored without anyone having asked for it."""
    call = {"userId": "u", "event": "E", "context": {"ip": "9.8.7.6"}}
    live.post("/v1/track", call)
    assert "9.8.7.6" not in repr(live.intake.calls)
    assert "127.0.0.1" not in repr(live.intake.calls)
    with running(CollectSettings(keep_ip=True)) as other:
        other.post("/v1/track", call)
        other.post("/v1/page", {"userId": "u"})
        assert [c.properties["ip"] for c in other.intake.calls if c.properties] == ["9.8.7.6", "127.0.0.1"]


# --------------------------------------------------------------------------- clocks


CLOCKS = {
    "right": ("2026-11-30T01:00:00Z", "2026-11-30T01:00:10Z", -10),
    "ten years slow": ("2016-01-01T00:00:00Z", "2016-01-01T00:00:10Z", -10),
    "never set": ("1970-01-01T00:10:00Z", "1970-01-01T00:10:05Z", -5),
    "forty years fast": ("2066-01-01T00:00:00Z", "2066-01-01T00:00:10+00:00", -10),
    "another zone": ("2026-11-30T04:00:00+03:00", "2026-11-30T01:00:10Z", -10),
    "milliseconds": (1_796_000_000_000, 1_796_000_010_000, -10),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_a_wrong_clock_is_corrected_by_when_it_sent(name: str) -> None:
    """Breaks when ts isn't received − (sentAt − timestamp)."""
    timestamp, sent, seconds = CLOCKS[name]
    call = {"userId": "u", "event": "E"}
    with running(clock=StoppedClock(instant=NOON)) as live:
        live.post("/v1/track", {**call, "timestamp": timestamp, "sentAt": sent})
        live.post("/v1/track", {**call, "originalTimestamp": timestamp, "timestamp": "x", "sentAt": sent})
        live.post("/v1/batch", {"batch": [{"type": "track", **call, "timestamp": timestamp}], "sentAt": sent})
        assert [(c.ts - NOON) // SECOND for c in live.intake.calls] == [seconds] * 3
        assert {c.received for c in live.intake.calls} == {NOON}
        assert {c.marks for c in live.intake.calls} == {()}


@pytest.mark.parametrize(
    ("timestamp", "sent", "seconds", "marks"),
    [
        (None, "2026-01-01T00:00:00Z", 0, ()),
        ("2026-11-30T00:53:10Z", None, -10, ()),
        ("2026-11-30T00:53:10Z", "2099-01-01T00:00:00Z", -10, ()),
        ("2026-11-30T00:53:10Z", "1970-01-01T00:00:00Z", -10, ()),
        ("2026-11-30T00:53:10", "nonsense", -10, ()),
        ("2026-11-30T02:53:20Z", "2026-11-30T00:53:20Z", 7_200, ()),
        ("2099-01-01T00:00:00Z", None, 0, ("clock",)),
        ("1970-01-01T00:00:01Z", None, 0, ("clock",)),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 0, ("clock",)),
        ("yesterday", "2026-11-30T00:53:20Z", 0, ("clock",)),
        (1e300, 1e300, 0, ("clock",)),
    ],
)
def test_an_impossible_time_is_replaced_and_marked(
    timestamp: object, sent: object, seconds: int, marks: tuple[str, ...]
) -> None:
    """Breaks when an event lands in 2099 or 1970, or a time that is right by itself is thrown away."""
    given = {"timestamp": timestamp, "sentAt": sent}
    body = {"userId": "u", "event": "E", **{name: value for name, value in given.items() if value is not None}}
    with running(clock=StoppedClock(instant=NOON)) as live:
        live.post("/v1/track", body)
        (call,) = live.intake.calls
        assert ((call.ts - NOON) // SECOND, call.marks) == (seconds, marks)
