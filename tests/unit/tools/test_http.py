"""The HTTP client of tools against real servers: where it connects, what it follows, and how much it takes."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trio

from graphagent.errors import NodeError, Timeout
from graphagent.tools.bounded import Lost
from graphagent.tools.http import BODY_LIMIT, Answer, HttpClient, HttpPolicy, failed
from tests.unit.tools.certificates import certificate
from tests.unit.tools.web import Asked, Given, Web

LOCAL = (ip_network("127.0.0.1/32"),)


def get(url: str, policy: HttpPolicy | None = None, total_s: float = 30.0, **more: Any) -> Answer:
    """Ask; a policy that allows 127.0.0.1 by default."""

    async def main() -> Answer:
        client = HttpClient(policy or HttpPolicy(private=LOCAL), total_s)
        return await client.request(more.pop("method", "GET"), url, **more)

    return trio.run(main)


def refused(url: str, policy: HttpPolicy | None = None) -> NodeError:
    with pytest.raises(NodeError) as caught:
        get(url, policy or HttpPolicy())
    assert (caught.value.kind, caught.value.cause) == ("tool_failed", "address_refused")
    return caught.value


class Names:
    """A resolver that gives the next answer each time, and counts."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001", "0", "localhost", "LOCALHOST",
        "localhost.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:ffff:7f00:1]", "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]", "169.254.169.254", "10.0.0.1", "[fe80::1]", "[fd00:ec2::254]",
    ],
)  # fmt: skip
def test_every_spelling_of_a_closed_address_is_refused_and_nothing_is_sent(host: str) -> None:
    with Web({"/": Given()}) as web:
        error = refused(f"http://{host}:{web.port}/")
        assert "allow_private" in (error.hint or "")
        assert web.asked == []


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher"])
def test_only_http_is_spoken(scheme: str) -> None:
    assert "http" in (refused(f"{scheme}:///etc/passwd").hint or "")


def test_only_allowed_hosts_are_called() -> None:
    policy = HttpPolicy(("api.example.com", "*.example.org"), LOCAL, Names(["127.0.0.1"]))
    with Web({"/": Given(body=b"here")}) as web:
        for host in ("api.example.com", "API.example.com.", "a.b.example.org"):
            assert get(web.url("/", host), policy).body == b"here"
        for host in ("example.com", "evil-example.org", "example.org", "api.example.com.evil.net", "127.0.0.1"):
            assert "allow_hosts" in (refused(web.url("/", host), policy).hint or "")
        assert len(web.asked) == 3


def test_one_closed_address_of_a_name_closes_the_name() -> None:
    policy = HttpPolicy(private=LOCAL, resolve=Names(["127.0.0.1", "10.0.0.1"]))
    with Web({"/": Given()}) as web:
        assert "10.0.0.1" in refused(web.url("/", "name.test"), policy).message
        assert web.asked == []


def test_a_name_that_changes_between_check_and_connection_makes_no_difference() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    with Web({"/": Given(body=b"here")}) as web:
        policy = HttpPolicy(private=LOCAL, resolve=names)
        assert get(web.url("/", "rebind.test"), policy).body == b"here"
        assert names.asked == 1
        assert web.asked[0].headers["host"] == f"rebind.test:{web.port}"
        refused(web.url("/", "rebind.test"), policy)


def test_the_next_address_is_tried_where_nothing_listens() -> None:
    policy = HttpPolicy(private=(ip_network("127.0.0.0/8"),), resolve=Names(["127.0.0.2", "127.0.0.1"]))
    with Web({"/": Given(body=b"here")}) as web:
        assert get(web.url("/", "two.test"), policy).body == b"here"


def test_tls_proves_the_name_and_not_the_address(tmp_path: Path) -> None:
    server, client = certificate("api.test", tmp_path)
    policy = HttpPolicy(private=LOCAL, resolve=Names(["127.0.0.1"]), tls=client)
    with Web({"/": Given(body=b"secret")}, server) as web:
        assert get(web.url("/", "api.test"), policy).body == b"secret"
        with pytest.raises(NodeError, match=r"other\.test can't be reached.*certificate") as caught:
            get(web.url("/", "other.test"), policy)
        assert caught.value.kind == "unavailable"


def test_redirects_are_followed_five_times_and_checked_each_time() -> None:
    pages = {f"/{i}": Given(302, headers={"location": f"/{i + 1}"}) for i in range(6)}
    with Web({**pages, "/5x": Given()}) as web:
        with pytest.raises(NodeError, match="redirects more than 5 times"):
            get(web.url("/0"))
        web.pages["/5"] = Given(body=b"end")
        assert get(web.url("/0")).body == b"end"
        for place in ("http://10.0.0.1/", "http://[::1]/", "//169.254.169.254/latest", "ftp://127.0.0.1/"):
            web.pages["/away"] = Given(302, headers={"location": place})
            refused(web.url("/away"), HttpPolicy(private=LOCAL))


@pytest.mark.parametrize("status", [302, 307])
def test_another_origin_gets_no_credentials(status: int) -> None:
    headers = {"Authorization": "Bearer token", "X-Key": "token", "Cookie": "a=token", "Idempotency-Key": "token"}
    with Web({"/": Given(body=b"here")}) as there, Web({"/same": Given(status, headers={"location": "/away"})}) as here:
        here.pages["/away"] = Given(status, headers={"location": there.url("/", "other.test")})
        policy = HttpPolicy(private=LOCAL, resolve=Names(["127.0.0.1"]))
        assert (
            get(here.url("/same", "first.test"), policy, method="POST", headers=headers, content=b"{}").body == b"here"
        )
        assert [asked.headers.get("x-key") for asked in here.asked] == ["token", "token"]
        assert "token" not in str(there.asked[0].headers)


def test_the_body_is_limited_after_it_is_unpacked() -> None:
    packed = gzip.compress(b"\0" * (BODY_LIMIT + 1))
    assert len(packed) < 20_000
    with Web(
        {"/bomb": Given(body=packed, headers={"content-encoding": "gzip"}), "/fits": Given(body=b"x" * 99)}
    ) as web:
        with pytest.raises(NodeError, match="more than 10,485,760 bytes"):
            get(web.url("/bomb"))
        assert len(get(web.url("/fits")).body) == 99
        assert web.asked[0].headers["accept-encoding"] == "gzip, deflate"


def slow(asked: Asked, ended: threading.Event) -> Given:
    ended.wait()
    return Given()


def test_a_server_that_says_nothing_is_left() -> None:
    with Web({"/": slow}) as web, pytest.raises(Timeout, match=r"took longer than 0\.2 s"):
        get(web.url("/?key=secret"), total_s=0.2)


def test_a_body_that_never_ends_is_left() -> None:
    def drip(asked: Asked, ended: threading.Event) -> Given:
        return Given(headers={"content-length": "100"}, body=b"only this")

    with Web({"/": drip}) as web, pytest.raises(Timeout):
        get(web.url("/"), total_s=0.2)


def test_a_connection_that_breaks_after_the_request_is_lost() -> None:
    with Web({"/": Given(raw=b""), "/half": Given(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")}) as web:
        for path in ("/", "/half"):
            with pytest.raises(Lost) as caught:
                get(web.url(path), method="POST")
            assert (caught.value.kind, caught.value.cause) == ("unavailable", "connection")


def test_nothing_listens_and_no_such_name() -> None:
    with Web({}) as web:
        port = web.port

    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    for url, policy in ((f"http://127.0.0.1:{port}/", None), ("http://no.test/", HttpPolicy(resolve=nowhere))):
        with pytest.raises(NodeError, match="can't be reached") as caught:
            get(url, policy)
        assert (caught.value.kind, caught.value.cause, type(caught.value)) == ("unavailable", "connection", NodeError)


@pytest.mark.parametrize("url", ["", "no url", "http://", "http://[", "http://a:b:c/", "/path", "http://0177.0.0.1/"])
def test_what_is_no_url_is_an_error_of_ours(url: str) -> None:
    with pytest.raises(NodeError):
        get(url)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "tool_failed"),
        (401, "auth"),
        (403, "auth"),
        (404, "tool_failed"),
        (429, "rate_limit"),
        (503, "unavailable"),
    ],
)
def test_a_failing_status_is_the_cause(status: int, kind: str) -> None:
    error = failed(Answer(status, {}, b"no\n such thing" + b"x" * 1000))
    assert (error.kind, error.cause) == (kind, f"http_{status}")
    assert error.message.startswith(f"the server answered {status}: no such thing")
    assert len(error.message) < 400
