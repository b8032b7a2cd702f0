"""Accounts over HTTP, on a real server: first run, signing in, invitations, roles, keys, the audit."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

import shoal
from out.smtp import Post, serving
from serving.served import Served, shop
from shoal.cli import app
from shoal.clock import Clock
from shoal.workspace.sign_ins import IDLE, WHOLE

from .shop import PASSWORD, address
from .visiting import Visitor, peopled, signed_in

ANOTHER = "quite another long word"


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    """A mail server."""
    with serving(Post()) as made:
        yield made


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, post: Post) -> Iterator[Served]:
    """A served shop with somebody of each role, and a mail server."""
    mail = f"mail:\n  host: localhost\n  port: {post.port}\n  security: none\n  from: Shop <hello@shop.example>\n"
    found = Served(peopled(tmp_path_factory.mktemp("accounts") / "shop", mail))
    try:
        yield found.start()
    finally:
        found.close()


@pytest.fixture
def admin(standing: Served) -> Iterator[Visitor]:
    """The administrator, signed in anew."""
    with closing(signed_in(standing, "admin")) as made:
        yield made


def command(served: Served, *args: str) -> None:
    """Run a command beside the server, in this process."""
    app.main(["-w", str(served.folder), *args], standalone_mode=False)


def audit(one: Visitor, search: str = "") -> list[list[str]]:
    """The rows of the audit's CSV without its head: number, time, person, action, about, detail."""
    lines = one.get("/audit.csv", params={"search": search}).text.splitlines()[1:]
    return [line.split(",") for line in lines]


# ------------------------------------------------------------ first run


def test_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when nobody can get in at first, a link does twice or from elsewhere, or no password follows it."""
    served = Served(shop(tmp_path / "shop", {}))
    try:
        served.start()
        (link,) = re.findall(r"http://127\.0\.0\.1:\d+(/sign-in/link/\S+)", (served.folder / "serve.log").read_text())
        with closing(Visitor(served)) as one:
            assert "shoal accounts link" in one.get("/sign-in").text
            assert one.get(link, headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 403
            assert one.get(link, headers={"Host": "shop.example"}).status_code == 403
            assert one.get(link).headers["location"] == "/overview"
            assert one.is_in
            assert "Choose a password" in one.get("/overview").text
            with closing(Visitor(served)) as other:
                assert other.get(link).status_code == 403
                assert not other.is_in
            refused = one.fill("/account/password", password=PASSWORD)
            assert (refused.status_code, "Give your e-mail address first" in refused.text) == (422, True)
            assert one.fill("/account/name", name="Ada", address="Ada@Shop.example").status_code == 303
            assert one.fill("/account/password", password=PASSWORD).status_code == 303
            assert one.fill("/sign-out").status_code == 303
            assert not one.is_in
            assert one.sign_in(" ada@shop.EXAMPLE ").status_code == 303
        capsys.readouterr()
        command(served, "accounts", "link", "Ada")
        again = capsys.readouterr().out.strip()
        assert again.startswith(f"http://127.0.0.1:{served.port}/sign-in/link/")
        with closing(Visitor(served)) as other:
            assert other.get(again).status_code == 303
            assert other.is_in
    finally:
        served.close()


# ------------------------------------------------------------ signing in


def test_a_session_is_a_cookie_that_no_script_reads(standing: Served) -> None:
    """Breaks when the cookie can be read by scripts, is sent by other sites' forms, or stands in the store as it is."""
    with closing(Visitor(standing)) as one:
        answer = one.sign_in(address("viewer"))
        (cookie,) = [c for c in answer.headers.get_list("set-cookie") if c.startswith("shoal_session=")]
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        form = {"token": one.token("/account"), "address": address("viewer"), "password": PASSWORD}
        secure = one.post("/sign-in", data=form, headers={"X-Forwarded-Proto": "https"})
        assert "Secure" in secure.headers["set-cookie"]
        assert "max-age" in secure.headers["strict-transport-security"]
        secret = one.cookies["shoal_session"]
    assert all(secret.encode() not in file.read_bytes() for file in (standing.folder / ".shoal").glob("store*"))


def test_an_unknown_address_and_a_wrong_password_look_alike(standing: Served) -> None:
    """Breaks when an answer tells which addresses have an account."""
    with closing(Visitor(standing)) as one:
        told = []
        for who in (address("editor"), "nobody@shop.example"):
            answer = one.sign_in(who, "not the right one")
            text = re.sub(r'(value|content)="[^"]{20,}"', "", answer.text).replace(who, "")
            told.append((answer.status_code, text, answer.headers.get("set-cookie")))
        assert told[0] == told[1]
        assert told[0][0] == 401
        assert "not the right one" not in told[0][1]


def test_attempts_are_slowed_down_for_unknown_addresses_too(standing: Served) -> None:
    """Breaks when passwords can be tried as fast as they come, or the wait tells which addresses have an account."""
    with closing(Visitor(standing)) as one:
        for who in (address("privacy officer"), "nobody.at.all@shop.example"):
            codes = [one.sign_in(who, f"wrong {n}").status_code for n in range(6)]
            assert codes == [401] * 5 + [429]
            held = one.sign_in(who)
            assert held.status_code == 429
            assert 1 <= int(held.headers["retry-after"]) <= 3
            assert "Try again in" in held.text
        time.sleep(2.1)
        assert one.sign_in(address("privacy officer")).status_code == 303


def test_where_one_comes_from_is_where_one_goes(standing: Served) -> None:
    """Breaks when signing in forgets the page that was wanted, or leads to another site."""
    with closing(Visitor(standing)) as one:
        asked = one.get("/account?x=1&y=2")
        assert asked.headers["location"] == "/sign-in?next=/account%3Fx%3D1%26y%3D2"
        assert 'value="/account?x=1&amp;y=2"' in one.get(asked.headers["location"]).text
        assert one.sign_in(address("viewer"), next="/account?x=1").headers["location"] == "/account?x=1"
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/sign-out"):
        with closing(Visitor(standing)) as one:
            assert one.sign_in(address("viewer"), next=elsewhere).headers["location"] == "/overview"


def test_signing_out_ends_the_session_itself(standing: Served) -> None:
    """Breaks when the cookie is only forgotten and does still for who copied it; or others aren't signed out."""
    with closing(signed_in(standing, "viewer")) as one, closing(signed_in(standing, "viewer")) as other:
        copied = dict(one.cookies)
        assert one.fill("/sign-out").headers["clear-site-data"] == '"cache"'
        one.cookies.update(copied)
        assert not one.is_in
        assert other.is_in
        with closing(signed_in(standing, "viewer")) as third:
            assert other.fill("/account/sign-out-others").status_code == 303
            assert other.is_in
            assert not third.is_in


def test_the_live_line_ends_with_the_sign_in(standing: Served) -> None:
    """Breaks when a line that is open goes on telling figures to a browser that was signed out."""
    with closing(signed_in(standing, "viewer")) as one, closing(signed_in(standing, "viewer")) as other:
        with one.stream("GET", "/live", params={"watch": "customers"}) as line:
            lines = line.iter_lines()
            assert next(lines).startswith(":")
            assert other.fill("/account/sign-out-others").status_code == 303
            for _ in lines:  # ends by itself, or the client's patience does
                pass
        assert not one.is_in


def test_sessions_end_by_themselves(standing: Served) -> None:
    """Breaks when a browser that is never used, or a session of last week, is signed in still."""
    with closing(signed_in(standing, "editor")) as idle, closing(signed_in(standing, "viewer")) as old:
        assert idle.is_in
        assert old.is_in
        people: Any
        with shoal.open(standing.folder) as ws:
            people, now = ws.people, Clock().now()
            ids = {one.role: one.id for one in people}
            ws.store.execute("UPDATE sign_ins SET used = ? WHERE person = ?", [now - IDLE, ids["editor"]])
            ws.store.execute("UPDATE sign_ins SET created = ? WHERE person = ?", [now - WHOLE, ids["viewer"]])
            people._changed()
        until = time.monotonic() + 20  # the server hears of it a moment later
        while (idle.is_in or old.is_in) and time.monotonic() < until:
            time.sleep(0.1)
        assert not idle.is_in
        assert not old.is_in


def test_a_restart_signs_nobody_out_and_says_that_it_is_starting(standing: Served) -> None:
    """Breaks when sessions are in memory alone, or a page that is asked for too early is an error."""
    with closing(signed_in(standing, "viewer")) as one:
        standing.stop()
        starting = Thread(target=standing.start)
        starting.start()
        seen = set()
        try:
            while starting.is_alive() or 200 not in seen:
                try:
                    answer = one.get("/overview")
                except httpx.TransportError:  # nobody listens yet
                    time.sleep(0.02)
                    continue
                if answer.status_code not in seen and answer.status_code == 503:
                    assert answer.headers["refresh"] == "2"
                    assert "is starting" in answer.text
                    part = one.get("/overview", headers={"HX-Request": "true"})
                    assert "<html" not in part.text or part.status_code == 200
                seen.add(answer.status_code)
                time.sleep(0.02)
        finally:
            starting.join()
        assert seen == {503, 200}


# ------------------------------------------------------------ forms and headers


def test_a_change_needs_a_token_of_this_browser(standing: Served, admin: Visitor) -> None:
    """Breaks when another site, or a page that was copied from another browser, can change something."""
    name = {"name": "Eve", "address": "eve@shop.example"}
    with closing(signed_in(standing, "viewer")) as other:
        foreign = other.token("/account")
    fine = admin.token("/account")
    for form, headers in (
        ({}, {}),
        ({"token": ""}, {}),
        ({"token": "x.y"}, {}),
        ({"token": foreign}, {}),
        ({"token": fine}, {"Origin": "https://evil.example"}),
        ({"token": fine}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"X-Shoal-Token": foreign}),
    ):
        answer = admin.post("/account/name", data=name | form, headers=headers)
        assert answer.status_code == 403, (form, headers)
    assert "Ada Admin" in admin.get("/account").text
    own = {"name": "Ada Admin", "address": address("admin")}
    origin = f"http://127.0.0.1:{standing.port}"
    assert admin.post("/account/name", data=own, headers={"X-Shoal-Token": fine, "Origin": origin}).status_code == 303
    with closing(Visitor(standing)) as nobody:
        form = {"address": address("viewer"), "password": PASSWORD}
        assert nobody.post("/sign-in", data=form).status_code == 403
        assert nobody.post("/sign-in", data=form | {"token": fine}).status_code == 403


@pytest.mark.parametrize("path", ["/overview", "/sign-in", "/no/such/page", "/static/main.css", "/static/nothing", "/"])
def test_every_answer_tells_browsers_what_to_refuse(admin: Visitor, path: str) -> None:
    """Breaks when a page may run foreign or inline scripts, be put into a frame, or be kept where others find it."""
    answer = admin.get(path)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]
    if path != "/static/main.css":
        assert answer.headers["cache-control"] == "no-store"


def test_pages_hold_nothing_that_their_policy_forbids(admin: Visitor) -> None:
    """Breaks when a template has a style or script of its own, which browsers then leave out."""
    for path in ("/overview", "/account", "/people", "/keys", "/audit", "/no/such/page"):
        text = admin.get(path).text
        assert not re.search(r"<style|<script(?![^>]* src=)|\sstyle=|\son\w+=", text), path


def test_errors_are_pages_for_people_and_json_for_programs(standing: Served, admin: Visitor) -> None:
    """Breaks when a wrong address ends in a bare text, or a program gets a page."""
    missing = admin.get("/no/such/page")
    assert (missing.status_code, "There is nothing here" in missing.text, "<nav" in missing.text) == (404, True, True)
    assert admin.get("/v1/no/such/path").json()["error"]["problem"] == "There is nothing under this path."
    assert "content-security-policy" not in admin.get("/healthz").headers
    assert admin.get("/v1/status").status_code == 401
    wrong = admin.get("/audit", params={"before": "x"})
    assert (wrong.status_code, "before: " in wrong.text) == (422, True)
    part = admin.get("/audit", params={"before": "x"}, headers={"HX-Request": "true"})
    assert (part.status_code, "<html" in part.text, "before: " in part.text) == (422, False, True)
    assert admin.delete("/people").status_code == 405
    assert admin.get("/people/nobody").status_code == 404
    with closing(signed_in(standing, "viewer")) as viewer:
        refused = viewer.get("/people")
        assert (refused.status_code, "Only an administrator" in refused.text) == (403, True)


def test_what_is_too_large_is_refused(admin: Visitor) -> None:
    """Breaks when a form of any size is read into memory."""
    assert admin.post("/account/name", content=b"x" * (5 << 20)).status_code == 413
    chunks = (b"x" * (1 << 20) for _ in range(6))
    with suppress(httpx.TransportError):  # the server hangs up
        assert admin.post("/account/name", content=chunks).status_code >= 400
    assert "Ada Admin" in admin.get("/account").text


# ------------------------------------------------------------ people


def test_an_invitation_by_mail_makes_an_account(standing: Served, admin: Visitor, post: Post) -> None:
    """Breaks when the mail doesn't come, its link does nothing or does twice, or what was typed is lost."""
    answer = admin.fill("/people", name="Nia New", address="Nia@shop.example", role="editor")
    assert answer.status_code == 303
    mail = post.taken[-1]
    assert mail["To"] == "nia@shop.example"
    (link,) = re.findall(r"http://\S+?(/invitation/\S+)", mail.get_content())
    with closing(Visitor(standing)) as nia:
        assert nia.get("/invitation/nothing").status_code == 403
        token = nia.token(link)
        short = nia.post(link, data={"token": token, "name": "Nia of Nairobi", "password": "short"})
        assert short.status_code == 422
        assert 'value="Nia of Nairobi"' in short.text
        assert re.search(r'id="field-password-error">A password has at least 12 letters', short.text)
        assert '"short"' not in short.text
        done = nia.post(link, data={"token": token, "name": "Nia of Nairobi", "password": ANOTHER})
        assert (done.status_code, done.headers["location"]) == (303, "/overview")
        assert nia.is_in
        assert nia.get(link).status_code == 403
    with closing(Visitor(standing)) as again, closing(Visitor(standing)) as lost:
        assert again.sign_in("nia@shop.example", ANOTHER).status_code == 303
        (who,) = re.findall(r'/people/(\w+)"[^>]*>Nia of Nairobi', admin.get("/people").text)
        assert admin.fill(f"/people/{who}/invitation").status_code == 303
        (link,) = re.findall(r"http://\S+?(/invitation/\S+)", post.taken[-1].get_content())
        form = {"token": lost.token(link), "name": "Nia of Nairobi", "password": f"{ANOTHER} still"}
        assert lost.post(link, data=form).status_code == 303
        assert not again.is_in
        assert again.sign_in("nia@shop.example", ANOTHER).status_code == 401


def test_an_invitation_without_mail_is_shown(standing: Served, admin: Visitor, post: Post) -> None:
    """Breaks when nobody learns of the link because the mail server refuses the address."""
    post.of_recipient = lambda to: "550 no such mailbox" if to.startswith("gone") else None
    shown = admin.fill("/people", name="Gus Gone", address="gone@shop.example", role="viewer")
    assert shown.status_code == 200
    assert "The mail wasn&#39;t sent" in shown.text
    assert re.search(r"<code>http://\S+/invitation/\S+</code>", shown.text)


def test_wrong_input_stands_beside_its_field(admin: Visitor) -> None:
    """Breaks when a mistake in a form loses what was typed, or the error stands anywhere."""
    for form, field in (
        ({"name": "", "address": "x@shop.example"}, "name"),
        ({"name": "X", "address": "not one"}, "address"),
        ({"name": "X", "address": address("viewer")}, "address"),
        ({"name": "X", "address": "x@shop.example", "role": "king"}, "role"),
    ):
        answer = admin.fill("/people", **form)
        assert answer.status_code == 422, form
        assert f'id="field-{field}-error"' in answer.text, form
        assert f'value="{form["address"]}"' in answer.text


def test_a_role_counts_from_the_next_click_on(standing: Served, admin: Visitor, post: Post) -> None:
    """Breaks when a role is kept in the session, or who was removed stays signed in."""
    admin.fill("/people", name="Rob Rising", address="rob@shop.example", role="viewer")
    (link,) = re.findall(r"http://\S+?(/invitation/\S+)", post.taken[-1].get_content())
    with closing(Visitor(standing)) as rob:
        rob.post(link, data={"token": rob.token(link), "name": "Rob Rising", "password": ANOTHER})
        (who,) = re.findall(r'/people/(\w+)"[^>]*>Rob Rising', admin.get("/people").text)
        assert rob.get("/people").status_code == 403
        assert admin.fill(f"/people/{who}/role", role="admin").status_code == 303
        assert rob.get("/people").status_code == 200
        assert admin.fill(f"/people/{who}/remove").status_code == 303
        assert not rob.is_in
        assert rob.sign_in("rob@shop.example", ANOTHER).status_code == 401
    assert [row[3:] for row in audit(admin, "Rob Rising")][:2] == [
        ["person removed", "Rob Rising", "Rob Rising"],
        ["role changed", "Rob Rising", "Rob Rising: viewer → admin"],
    ]


def test_somebody_who_may_do_all_stays(admin: Visitor) -> None:
    """Breaks when the only administrator can give up the role and nobody can let anybody in any more."""
    (own,) = re.findall(r'/people/(\w+)"[^>]*>Ada Admin', admin.get("/people").text)
    for path, form in ((f"/people/{own}/role", {"role": "viewer"}), (f"/people/{own}/remove", {})):
        answer = admin.fill(path, **form)
        assert (answer.status_code, "is the only administrator" in answer.text) == (422, True)
    assert admin.get("/people").status_code == 200


def test_a_new_password_needs_the_old_one_and_signs_out_elsewhere(standing: Served) -> None:
    """Breaks when whoever finds an open browser can take the account over, or a stolen session outlives the change."""
    with closing(signed_in(standing, "editor")) as one, closing(signed_in(standing, "editor")) as stolen:
        wrong = one.fill("/account/password", current="not mine at all", password=ANOTHER)
        assert (wrong.status_code, 'id="field-current-error"' in wrong.text) == (422, True)
        weak = one.fill("/account/password", current=PASSWORD, password="edith.editor1")
        assert (weak.status_code, 'id="field-password-error"' in weak.text) == (422, True)
        assert one.fill("/account/password", current=PASSWORD, password=ANOTHER).status_code == 303
        assert one.is_in
        assert not stolen.is_in
        assert one.fill("/account/password", current=ANOTHER, password=PASSWORD).status_code == 303


def test_commands_beside_the_server_take_effect_at_once(
    standing: Served, admin: Visitor, capsys: pytest.CaptureFixture[str]
) -> None:
    """Breaks when the server doesn't hear of an account that a command made, changed or removed."""
    capsys.readouterr()
    command(standing, "accounts", "add", "Cleo Command", "cleo@shop.example", "--role", "viewer")
    link = capsys.readouterr().out.strip().partition(f":{standing.port}")[2]
    with closing(Visitor(standing)) as cleo:
        cleo.post(link, data={"token": cleo.token(link), "name": "Cleo Command", "password": ANOTHER})
        assert cleo.is_in
        command(standing, "accounts", "role", "cleo@shop.example", "admin")
        assert cleo.get("/people").status_code == 200
        command(standing, "accounts", "list")
        assert re.search(r"Cleo Command +cleo@shop.example +admin", capsys.readouterr().out)
        command(standing, "accounts", "remove", "Cleo Command")
        assert not cleo.is_in
    assert {row[2] for row in audit(admin, "Cleo")} >= {"the command line"}


# ------------------------------------------------------------ keys


def test_a_key_is_made_shown_once_and_revoked(standing: Served, admin: Visitor) -> None:
    """Breaks when a key doesn't work, its secret can be seen again, or a revoked one works still."""
    for form, field in (({"scopes": "collect"}, "field-name-error"), ({"name": "Web shop"}, "scopes-error")):
        answer = admin.fill("/keys", **form)
        assert (answer.status_code, field in answer.text) == (422, True)
    made = admin.fill("/keys", name="Web shop", scopes=["collect", "read"])
    (secret,) = re.findall(r"<code>(shoal_\S+)</code>", made.text)
    key = secret.split("_")[1]
    call = {"userId": "ann", "event": "Order Completed"}
    assert standing.http.post("/v1/track", json=call, auth=(secret, "")).status_code == 200
    assert secret not in admin.get("/keys").text + admin.get(f"/keys/{key}").text
    assert admin.fill(f"/keys/{key}/revoke").status_code == 303
    assert standing.http.post("/v1/track", json=call, auth=(secret, "")).status_code == 401
    assert [row[3:] for row in audit(admin, "Web shop")] == [
        ["key revoked", key, "Web shop"],
        ["key made", key, '"Web shop: collect', ' read"'],
    ]


# ------------------------------------------------------------ the audit


def test_the_audit_is_searched_and_paged(standing: Served, admin: Visitor) -> None:
    """Breaks when an entry can't be found by what it says or by who did it, or older ones can't be reached."""
    with shoal.open(standing.folder) as ws:
        for n in range(120):
            ws.audit.note("the command line", "tried", f"thing-{n}", "=1+1" if n == 7 else "", now=Clock().now())
    first = admin.get("/audit", params={"search": "tried thing"})
    assert "thing-119" in first.text
    assert "thing-19<" not in first.text
    (older,) = re.findall(r'href="(/audit\?search=tried%20thing&amp;before=\d+)"', first.text)
    second = admin.get(older.replace("&amp;", "&")).text
    assert "thing-19<" in second
    assert "thing-20<" not in second
    assert {row[2] for row in audit(admin, "ada admin")} == {"Ada Admin"}
    assert audit(admin, "thing-7 ")[-1][-1] == "'=1+1"
    assert "No entry fits" in admin.get("/audit", params={"search": "no such words"}).text
    with closing(signed_in(standing, "privacy officer")) as officer:
        assert officer.get("/audit").status_code == 200


def test_the_audit_names_a_customer_for_as_long_as_there_is_one(standing: Served, admin: Visitor) -> None:
    """Breaks when an entry doesn't say whom it was about, or an erased customer's id stays in it."""
    standing.track("zoe@shop.example", "Order Completed")
    standing.get("/v1/profiles/zoe@shop.example")
    with shoal.open(standing.folder) as ws:
        ws.audit.note("the command line", "looked at", now=Clock().now(), customer="zoe@shop.example")
    assert "zoe@shop.example" in admin.get("/audit").text
    answer = standing.http.delete("/v1/profiles/zoe@shop.example", headers=standing.bearer)
    assert answer.status_code == 200
    assert "zoe@shop.example" not in admin.get("/audit").text
    assert [row[3:5] for row in audit(admin, "looked at")] == [["looked at", "an erased customer"]]


def test_no_password_is_kept_or_told(standing: Served) -> None:
    """Breaks when a password stands in the log, the store or the audit, of who signed in or of who failed to."""
    with closing(Visitor(standing)) as one:
        one.sign_in(address("viewer"), "a word that nobody may read")
    files = [standing.folder / "serve.log", *(standing.folder / ".shoal").rglob("*")]
    for file in files:
        if file.is_file():
            held = file.read_bytes()
            for word in (PASSWORD, ANOTHER, "a word that nobody may read"):
                assert word.encode() not in held, f"{word} in {file}"
