"""The management client: every failure by whose fault it is, in one line, without the secret."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from router.topology.management import (
    Management,
    ManagementError,
    NotFound,
    Refused,
    Unauthorized,
    Unreachable,
)

SECRET = "pa55:Wörd"


class Server(HTTPServer):
    """Answers everything with `answer`; keeps what it was asked."""

    answer: tuple[int, bytes] = (200, b"{}")
    location: str = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, Any, str]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        authorization = self.headers.get("Authorization", "")
        self.server.asked.append((self.command, self.path, json.loads(body) if body else None, authorization))
        status, content = self.server.answer
        self.send_response(status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = _any

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def api(server: Server) -> Management:
    return Management(f"http://127.0.0.1:{server.server_port}/", "admin", SECRET, timeout_seconds=2)


def failure(api: Management, server: Server, status: int, content: bytes = b"") -> ManagementError:
    server.answer = status, content
    with pytest.raises(ManagementError) as caught:
        api.put("queues", "v", "q", body={})
    assert "\n" not in str(caught.value) and SECRET not in str(caught.value)
    return caught.value


def test_a_request_is_what_the_broker_wants(api: Management, server: Server) -> None:
    server.answer = 200, b'[{"name": "q"}]'
    assert api.get("queues", "15/x y%é", "a.b") == [{"name": "q"}]
    server.answer = 204, b""
    api.put("queues", "v", "q", body={"durable": True})
    assert api.post("bindings", "v", body={}) is None
    api.delete("queues", "v", "q")
    authorization = "Basic " + base64.b64encode(f"admin:{SECRET}".encode()).decode()
    assert server.asked == [
        ("GET", "/api/queues/15%2Fx%20y%25%C3%A9/a.b", None, authorization),
        ("PUT", "/api/queues/v/q", {"durable": True}, authorization),
        ("POST", "/api/bindings/v", {}, authorization),
        ("DELETE", "/api/queues/v/q", None, authorization),
    ]


def test_a_refusal_has_the_brokers_reason(api: Management, server: Server) -> None:
    error = failure(api, server, 400, b'{"error":"bad_request","reason":"inequivalent arg\\n x"}')
    assert isinstance(error, Refused) and (error.status, error.reason) == (400, "inequivalent arg x")
    assert "PUT queues/v/q" in str(error)


@pytest.mark.parametrize("content", [b"", b"<html>", b'["a"]', b'{"error":"x"}', b"\xff"])
def test_a_refusal_without_a_reason_is_still_one(api: Management, server: Server, content: bytes) -> None:
    assert isinstance(failure(api, server, 405, content), Refused)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_password_names_the_user(api: Management, server: Server, status: int) -> None:
    error = failure(api, server, status, b'{"error":"not_authorized","reason":"Login failed"}')
    assert isinstance(error, Unauthorized) and "'admin'" in str(error) and "Login failed" in str(error)


def test_what_is_not_there(api: Management, server: Server) -> None:
    assert isinstance(failure(api, server, 404, b'{"reason":"Not Found"}'), NotFound)


def test_a_failing_broker_is_not_a_refusal(api: Management, server: Server) -> None:
    assert isinstance(failure(api, server, 503, b'{"reason":"x"}'), Unreachable)


def test_a_redirect_is_not_followed_with_the_password(api: Management, server: Server) -> None:
    server.location = f"http://127.0.0.1:{server.server_port}/elsewhere"
    assert isinstance(failure(api, server, 302), Refused) and len(server.asked) == 1


def test_an_answer_that_is_no_json(api: Management, server: Server) -> None:
    server.answer = 200, b"<html>"
    with pytest.raises(Unreachable, match="does not answer as a management API"):
        api.get("overview")


def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port} cannot be reached: Connection refused"):
        Management(f"http://127.0.0.1:{port}", "u", SECRET).get("overview")


def test_a_silent_peer_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = Management(f"http://127.0.0.1:{silent.getsockname()[1]}", "u", SECRET, timeout_seconds=0.1)
        with pytest.raises(Unreachable, match="no answer in time"):
            api.get("overview")


def test_a_peer_that_is_no_http_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as peer:

        def answer() -> None:
            with peer.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(b"AMQP\x00\x00\x09\x01")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unreachable):
            Management(f"http://127.0.0.1:{peer.getsockname()[1]}", "u", SECRET).get("overview")
        thread.join()


def test_proxies_of_the_environment_are_not_used(
    api: Management, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert Management(api.url, "u", "p").get("overview") == {}


def test_the_repr_hides_the_password(api: Management) -> None:
    assert SECRET not in repr(api) and "admin" in repr(api)
