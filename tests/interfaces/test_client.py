"""`hubex send` and `hubex recv` against a real hub: what a person does who tries it by hand."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import LocalCluster
from router.client.bodies import summary
from router.client.recv import receive
from router.client.samples import RC_EDA, sample
from router.core.directory import Client, Format, Naming
from router.settings.config import load_config
from tests.support.amqp import Properties
from tests.support.hub import A2, CHECKOUT, FENCE, HUBEX, A, Hub, S, wait_until
from tests.support.messages import encoded, message

REAL = "fr.health.samu001"
CLIENTS = (
    Client(A, test=True),
    Client(A2, naming=Naming.FLAT, test=True),
    Client(S, format=Format.JSON, test=True),
    Client(REAL),
    Client(FENCE),
)


@pytest.fixture(scope="module")
def running(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub(cluster, tmp_path_factory.mktemp("client"), CLIENTS, vhost="client/é 1%") as hub:
        hub.apply()
        hub.start()
        (hub.folder / "message.json").write_bytes(sample(RC_EDA))
        yield hub
        assert hub.stop() == 0, hub.tail()


@pytest.fixture
def hub(running: Hub) -> Iterator[Hub]:
    yield running
    running.disconnect()
    inboxes = [inbox for client in CLIENTS for inbox in client.inboxes]
    assert {inbox: depth for inbox in inboxes if (depth := running.admin.depth(inbox))} == {}


def send(hub: Hub, *arguments: str, file: str | None = None) -> subprocess.CompletedProcess[str]:
    return hub.hubex("send", file or str(hub.folder / "message.json"), *arguments, "--config", str(hub.config))


def recv(hub: Hub, client: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return hub.hubex("recv", "--as", client, "--timeout", "20", *arguments, "--config", str(hub.config))


def one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done
    assert done.stderr.startswith("hubex: ") and done.stderr.count("\n") == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def sent_id(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[1]


@pytest.mark.parametrize("recipient", [A, A2])
def test_a_message_there_and_its_acknowledgement_back(hub: Hub, recipient: str) -> None:
    done = send(hub, "--as", S, "--to", recipient, "--fresh")
    identifier = sent_id(done)
    assert identifier.startswith(f"{S}_") and f"key {S}.out.message" in done.stdout and " ms" in done.stdout
    got = recv(hub, recipient, "--ack", "--count", "1", "--body")
    assert got.returncode == 0, got.stderr
    line, body, answered = got.stdout.splitlines()
    assert f"  RC-EDA  Report  {identifier}  from {S}" in line
    assert hub.pack.check_message(body.encode()) == ()
    assert summary(body.encode()).recipient == recipient
    answer = answered.split("RC-REF ")[1].split()[0]
    assert answer.startswith(f"{recipient}_")
    back = recv(hub, S, "--count", "1", "--body", "--ack")
    line, body = back.stdout.splitlines()
    assert f"{S}.in.ack  RC-REF  Ack  {answer}  from {recipient}  (RECU {identifier})" in line
    assert hub.pack.check_message(body.encode()) == ()


def test_without_body_nothing_of_the_payload_is_printed(hub: Hub) -> None:
    send(hub, "--as", S, "--to", A, "--fresh")
    text = recv(hub, A, "--count", "1").stdout
    assert "Saint-Lô" not in text and "exercice" not in text.lower()


def test_the_same_file_as_it_is_from_standard_input(hub: Hub) -> None:
    body = encoded(message(A2, A, "Ack"))
    done = subprocess.run(
        [*HUBEX, "send", "-", "--as", A2, "--config", str(hub.config)], input=body, cwd=CHECKOUT, capture_output=True
    )
    assert f"key {A2} " in done.stdout.decode()
    assert hub.party(A).take("ack").body == body


def test_acknowledgements_and_error_reports_are_not_acknowledged(hub: Hub) -> None:
    done = send(hub, "--as", S, "--fresh", "--kind", "message", file="/dev/null")
    one_line(done, "no envelope")
    done = send(hub, "--as", S, "--kind", "message", file="/dev/null")
    assert done.returncode == 0 and "without distributionID" in done.stdout
    got = recv(hub, S, "--ack", "--count", "1")
    assert f"{S}.in.info  RS-ERROR  Error  fr.health.hub_" in got.stdout
    assert "(300 INVALID_MESSAGE distributionID_could_not_be_extracted)" in got.stdout
    assert "acknowledged" not in got.stdout


def test_the_mark_is_shown(hub: Hub) -> None:
    inbox = hub.party(A).inbox("message")
    properties = Properties(delivery_mode=2, headers={"x-hub-possible-duplicate": True})
    hub.admin.publish("hub.inbox", inbox, encoded(message(S, A)), properties)
    assert hub.admin.confirm()
    assert "POSSIBLE DUPLICATE" in recv(hub, A, "--count", "1").stdout


def test_a_body_that_names_no_kind_needs_one(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "odd").write_text('{"distributionKind": "Odd"}')
    one_line(send(hub, "--as", S, file=str(tmp_path / "odd")), "--kind")
    one_line(send(hub, "--as", S, "--kind", "odd"), "message, ack, info")
    one_line(send(hub, "--as", S, file=str(tmp_path / "none")), "cannot be read")


# ---- who may -------------------------------------------------------------------------------------


def test_recv_is_for_test_clients_only(hub: Hub) -> None:
    one_line(recv(hub, REAL), REAL, "test = true")
    one_line(recv(hub, "fr.health.nobody"), "fr.health.nobody")
    one_line(send(hub, "--as", "fr.health.nobody"), "fr.health.nobody")
    one_line(send(hub, "--as", S, "--vhost", "other"), "'other' is not in the configuration")


def test_recv_never_reads_beside_another_consumer(hub: Hub) -> None:
    send(hub, "--as", S, "--to", A, "--fresh")
    with hub.party(A).another_connection() as other:
        other.consume(hub.party(A).inbox("info"))
        one_line(recv(hub, A), "somebody else reads", f"{A}.in.info")
    assert recv(hub, A, "--count", "1").returncode == 0


def test_recv_ends_when_another_consumer_comes(hub: Hub) -> None:
    with started(hub, "recv", "--as", A) as process:
        consumers(hub, A, 1)
        with hub.party(A).another_connection() as other:
            other.consume(hub.party(A).inbox("ack"))
            _, said = process.communicate(timeout=20)
    assert process.returncode == 2 and "somebody else reads" in said


def started(hub: Hub, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*HUBEX, *arguments, "--config", str(hub.config)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def consumers(hub: Hub, client: str, count: int) -> None:
    from pamqp.commands import Queue

    inboxes = [hub.party(client).inbox(kind) for kind in ("message", "ack", "info")]

    def counted() -> bool:
        return all(hub.admin.call(Queue.Declare(queue=q, passive=True)).consumer_count == count for q in inboxes)

    wait_until(f"{count} consumers", counted)


# ---- how it ends ---------------------------------------------------------------------------------


def test_ctrl_c_is_a_clean_end(hub: Hub) -> None:
    with started(hub, "recv", "--as", A) as process:
        consumers(hub, A, 1)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=20)
    assert (process.returncode, out, said) == (0, "", "")
    consumers(hub, A, 0)


def test_ctrl_c_ends_it_though_the_broker_hangs(hub: Hub) -> None:
    with started(hub, "recv", "--as", A) as process:
        consumers(hub, A, 1)
        hub.cluster.sigstop()
        try:
            process.send_signal(signal.SIGINT)
            out, said = process.communicate(timeout=20)
        finally:
            hub.cluster.sigcont()
    assert (process.returncode, out, said) == (0, "", "")
    consumers(hub, A, 0)


def test_a_lost_connection_is_told_in_one_line(hub: Hub) -> None:
    with started(hub, "recv", "--as", A) as process:
        consumers(hub, A, 1)
        hub.cluster.ctl("close_all_user_connections", A, "test")
        _, said = process.communicate(timeout=20)
    assert process.returncode == 2 and "lost" in said and said.count("\n") == 1, said


def test_fewer_messages_than_asked_for_are_told(hub: Hub) -> None:
    done = hub.hubex("recv", "--as", A, "--count", "1", "--timeout", "0.5", "--config", str(hub.config))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "hubex: 0 of 1 messages came in time\n"


def test_what_could_not_be_shown_is_not_acknowledged(hub: Hub) -> None:
    identifiers = [sent_id(send(hub, "--as", S, "--to", A, "--fresh")) for _ in range(3)]

    def broken(_: str) -> None:
        raise RuntimeError("the terminal is gone")

    with pytest.raises(RuntimeError, match="terminal"):
        asyncio.run(receive(load_config(hub.config, {}), A, broken, timeout_seconds=10))
    lines = recv(hub, A, "--count", "3").stdout.splitlines()
    # In their order, the one that was shown to nobody again.
    assert [line.split()[4] for line in lines] == identifiers
    assert [line.endswith("redelivered") for line in lines] == [True, False, False]


# ---- what stands in the way ----------------------------------------------------------------------


@pytest.mark.parametrize("command", [("send",), ("recv",)])
def test_each_trouble_is_one_line(hub: Hub, tmp_path: Path, command: tuple[str]) -> None:
    arguments = [*command, *([str(hub.folder / "message.json")] if command == ("send",) else []), "--as", S]
    arguments += ["--config", str(hub.config)]
    (tmp_path / "wrong").write_text("wrong\n")
    vhosts = json.dumps([{"name": "missing", "pack": "v3"}])
    wrong = str(tmp_path / "wrong")
    one_line(hub.hubex(*arguments, HUBEX_DIRECTORY__CLIENTS_PASSWORD_FILE=wrong), "refuses the login", S)
    one_line(hub.hubex(*arguments, HUBEX_VHOSTS=vhosts), "'missing'", S)
    one_line(hub.hubex(*arguments, HUBEX_BROKER__PORT="1"), "no broker answers at 127.0.0.1:1")
    one_line(hub.hubex(*arguments, HUBEX_DIRECTORY__CLIENTS_PASSWORD_FILE=""), "clients_password_file")
    one_line(hub.hubex(*arguments, HUBEX_BROKER__PORT="0"), "broker.port")


def test_a_key_that_the_broker_refuses(hub: Hub) -> None:
    # The directory at hand says one thing, the rights on the broker another.
    text = (hub.folder / "clients.toml").read_text()
    (hub.folder / "other.toml").write_text(text.replace('naming = "flat"', 'naming = "in-out"'))
    done = hub.hubex(
        "send", str(hub.folder / "message.json"), "--as", A2, "--config", str(hub.config),
        HUBEX_DIRECTORY__FILE=str(hub.folder / "other.toml"),
    )  # fmt: skip
    one_line(done, A2, f"{A2}.out.message")
    done = hub.hubex(
        "recv", "--as", A2, "--config", str(hub.config), HUBEX_DIRECTORY__FILE=str(hub.folder / "other.toml")
    )
    one_line(done, "missing")


def test_a_broker_that_hangs_is_told(hub: Hub) -> None:
    code = """
import socket, subprocess, sys
with socket.create_server(("127.0.0.1", 0)) as deaf:
    import router.client.connect as connect
    connect.CONNECT_TIMEOUT_SECONDS = 0.5
    sys.argv = ["hubex", "recv", *sys.argv[1:]]
    import os
    os.environ["HUBEX_BROKER__PORT"] = str(deaf.getsockname()[1])
    from router.cli.app import main
    main()
"""
    arguments = ["--as", S, "--config", str(hub.config)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=CHECKOUT, capture_output=True, text=True)
    one_line(done, "does not answer")
