"""/metrics, /livez and /readyz, served by threads of the supervisor.

Law: nothing that asks can hold the hub up. Connections are few, short-lived and timed; what goes wrong in an
answer is a 500 without details.
"""

import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from router.process.status import HubStatus

REQUEST_SECONDS = 5.0
MOST_CONNECTIONS = 16
STALE_SECONDS = 5.0  # a supervisor whose loop has not turned for so long is not alive
COLLECT_TRIES = 3

Answer = tuple[int, str, bytes]


class HealthServer:
    """Listens from the constructor on (OSError when it cannot), answers between `start` and `stop`."""

    def __init__(self, host: str, port: int) -> None:
        self._server = _Server(host, port)
        self._thread = threading.Thread(target=self._serve, name="hubex-http", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on (of interest when 0 was asked for)."""
        return int(self._server.socket.getsockname()[1])

    def start(self, registry: CollectorRegistry, status: Callable[[], HubStatus]) -> None:
        """Begins to answer: `registry` is what /metrics shows, `status` is asked by each request."""
        self._server.pages = Pages(registry, status)
        self._thread.start()

    def stop(self) -> None:
        """Stops listening; answers under way may be cut off by the end of the process."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.25)


class Pages:
    """What is answered, without a socket."""

    def __init__(self, registry: CollectorRegistry, status: Callable[[], HubStatus]) -> None:
        self._registry = registry
        self._status = status
        self._pages: dict[str, Callable[[str], Answer]] = {
            "/metrics": self._metrics,
            "/livez": self._livez,
            "/readyz": self._readyz,
        }

    def answer(self, path: str, accept: str) -> Answer:
        """Status, content type and body for a path."""
        page = self._pages.get(path.partition("?")[0])
        return _json(404, {"paths": list(self._pages)}) if page is None else page(accept)

    def _metrics(self, accept: str) -> Answer:
        encode, content_type = choose_encoder(accept)
        for attempt in range(1, COLLECT_TRIES + 1):
            try:
                return 200, content_type, encode(self._registry)
            except Exception:  # a worker is making its files at this moment, or one has just been removed
                if attempt < COLLECT_TRIES:
                    time.sleep(0.02)
        return _json(500, {"error": "the workers' metric files cannot be read"})

    def _livez(self, accept: str) -> Answer:
        status = self._status()
        stale_seconds = time.monotonic() - status.at
        alive = stale_seconds < STALE_SECONDS
        return _json(200 if alive else 503, {"alive": alive, "phase": status.phase})

    def _readyz(self, accept: str) -> Answer:
        status = self._status()
        reasons = status.reasons()
        workers = [{"worker": w.index, "live": w.live, "ready": w.ready, "why": w.why} for w in status.workers]
        return _json(
            503 if reasons else 200,
            {"ready": not reasons, "phase": status.phase, "why": reasons, "workers": workers},
        )


def _json(code: int, body: dict[str, Any]) -> Answer:
    return code, "application/json", msgspec.json.encode(body) + b"\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    pages: Pages

    def __init__(self, host: str, port: int) -> None:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = family
        self._open: dict[socket.socket, float] = {}  # connection -> when its time is over
        super().__init__(address[:2], _Handler)  # type: ignore[arg-type]

    def server_bind(self) -> None:
        """Without HTTPServer's name lookup, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread a connection, as long as they are few."""
        if len(self._open) >= MOST_CONNECTIONS:
            self.shutdown_request(request)
            return
        self._open[request] = time.monotonic() + REQUEST_SECONDS
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """The end of a connection, whichever."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Between two connections: cuts those whose time is over, however busily they drip."""
        now = time.monotonic()
        for request, over_at in list(self._open.items()):
            if now >= over_at:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)  # its thread reads the end and closes it

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that went away is not our error, and nothing here is worth a traceback."""


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECONDS
    server_version = "hubex"
    sys_version = ""

    def do_GET(self) -> None:
        """Answers a path."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """The same without its body."""
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        server = self.server
        assert isinstance(server, _Server)
        try:
            code, content_type, body = server.pages.answer(self.path, self.headers.get("Accept", ""))
        except Exception:
            code, content_type, body = _json(500, {"error": "internal"})
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged."""
