"""A real Prometheus and Alertmanager on the deployed configuration, in a hurry, and a webhook and a mailbox that
keep what comes.

The law: the rules, routes and inhibitions are those of deploy/. Only times are shortened, and the servers are those
of the test.
"""

import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.local.ports import free_base_port
from tests.observability.deployed import ALERTMANAGER, PROMETHEUS, RULE_FILES, load
from tests.support.hub import wait_until
from tests.support.mailbox import Mailbox

HURRY: Final = "1s"
PAGE_SECONDS: Final = 30.0
END_SECONDS: Final = 10.0
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Alert = dict[str, Any]


class Receivers:
    """Every receiver of the configuration, on loopback: `alerts` has what Alertmanager posted, with `receiver`, the
    path that it went to; mail is in the mailbox."""

    def __init__(self) -> None:
        self.mailbox = Mailbox()
        self.alerts: list[Alert] = []
        receivers = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receivers.alerts += [alert | {"receiver": self.path.lstrip("/")} for alert in body["alerts"]]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.mailbox.close()

    def wait_mail(self, to: str, subject: str) -> str:
        """The text of the first mail to somebody with this in its subject, waited for."""

        def found() -> list[EmailMessage]:
            return [mail for mail in list(self.mailbox.mails) if mail["To"] == to and subject in mail["Subject"]]

        mail = wait_until(f"a mail to {to} about {subject}", found, PAGE_SECONDS)[0]
        part = mail.get_body()
        assert part is not None
        return str(part.get_content())

    def wait(self, receiver: str, alert: str, status: str, **labels: str) -> Alert:
        """The first post about an alert with these labels to a receiver, waited for. The broker is shared: what other
        tests left in vhosts of their own is alerted too."""

        def found() -> list[Alert]:
            return [
                each
                for each in list(self.alerts)
                if (each["receiver"], each["labels"]["alertname"], each["status"]) == (receiver, alert, status)
                and labels.items() <= each["labels"].items()
            ]

        return wait_until(f"{alert} {status} at {receiver}", found, PAGE_SECONDS)[0]


@contextmanager
def monitoring(folder: Path, hub_port: int, broker_port: int) -> Iterator[Receivers]:
    """Both, scraping a hub and a broker on loopback; nothing of them is left afterwards."""
    base = free_base_port("127.0.0.1")
    receivers = Receivers()
    ports = {"hubex": hub_port, "rabbitmq": broker_port, "rabbitmq-queues": broker_port, "prometheus": base}
    ports["alertmanager"] = base + 1
    (folder / "alerts").mkdir()
    _write(folder / "prometheus.yml", _prometheus(ports))
    for file in RULE_FILES:
        _write(folder / file.relative_to(PROMETHEUS), _hurried_rules(load(file)))
    _write(folder / "alertmanager.yml", _alertmanager(receivers))
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(_start(folder, "prometheus-alertmanager", base + 1, "--cluster.listen-address="))
        started.append(_start(folder, "prometheus", base, "--rules.alert.resend-delay=1s"))
        for port in (base, base + 1):
            wait_until(f"port {port} is ready", lambda port=port: _ready(port))  # type: ignore[misc]
        yield receivers
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        receivers.close()


def _prometheus(ports: dict[str, int]) -> dict[str, Any]:
    settings: dict[str, Any] = load(PROMETHEUS / "prometheus.yml")
    settings["global"] |= {"scrape_interval": HURRY, "scrape_timeout": HURRY, "evaluation_interval": HURRY}
    for job in settings["scrape_configs"]:
        job.pop("scrape_interval", None)
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    target = f"127.0.0.1:{ports['alertmanager']}"
    settings["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [target]}]}]
    return settings


def _hurried_rules(rules: dict[str, Any]) -> dict[str, Any]:
    for group in rules["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = HURRY
    return rules


def _alertmanager(receivers: Receivers) -> dict[str, Any]:
    settings: dict[str, Any] = load(ALERTMANAGER)
    settings["global"]["smtp_smarthost"] = receivers.mailbox.address
    routes = [settings["route"], *settings["route"]["routes"]]
    for route in routes:
        route |= {"group_wait": "0s", "group_interval": HURRY}
    for receiver in settings["receivers"]:
        for hook in receiver["webhook_configs"]:
            hook["url"] = f"{receivers.url}/{receiver['name']}"
    return settings


def _write(file: Path, value: Any) -> None:
    file.write_text(yaml.safe_dump(value), encoding="utf-8")


def _start(folder: Path, program: str, port: int, *more: str) -> subprocess.Popen[bytes]:
    name = program.removeprefix("prometheus-")
    place = "storage.path" if name == "alertmanager" else "storage.tsdb.path"
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [
                program,
                f"--config.file={folder / name}.yml",
                f"--{place}={folder / name}-data",
                f"--web.listen-address=127.0.0.1:{port}",
                *more,
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _ready(port: int) -> bool:
    try:
        with _DIRECT.open(f"http://127.0.0.1:{port}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def page(port: int, path: str) -> str:
    """A page of something that listens on loopback."""
    with _DIRECT.open(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())
