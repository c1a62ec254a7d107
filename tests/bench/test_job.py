"""Who sends what to whom: keys and inboxes of both naming styles."""

import msgspec

from bench.amqp import Address
from bench.bodies import HEADLINE
from bench.hub import MARKER_INBOX, make_clients, make_markers
from bench.job import ReadJob, SendJob, Target, inboxes_of, lines_of, mailboxes_of, ring
from router.core.directory import Client, Directory, Format, Naming, faults_of
from router.core.shards import shard_of

A, B = Client("fr.health.a"), Client("fr.health.b", naming=Naming.FLAT)
TARGET = Target(Address("127.0.0.1", 1, "v/h"), "clients' secret", "router", "router's secret")


def test_a_line_has_the_sender_s_keys_and_the_recipient_s_inboxes() -> None:
    to_flat, to_in_out = lines_of([(A, B), (B, A)])
    assert to_flat.keys == {kind: f"fr.health.a.out.{kind}" for kind in ("message", "ack", "info")}
    assert to_flat.inboxes == {kind: f"fr.health.b.{kind}" for kind in ("message", "ack", "info")}
    assert to_flat.reports == "fr.health.a.in.info"
    assert set(to_in_out.keys.values()) == {"fr.health.b"}
    assert to_in_out.inboxes["ack"] == "fr.health.a.in.ack" and to_in_out.reports == "fr.health.b.info"


def test_a_ring_gives_each_client_one_recipient_and_one_sender() -> None:
    clients = make_clients(7)
    pairs = ring(clients)
    assert sorted(c.id for c, _ in pairs) == sorted(c.id for _, c in pairs) == sorted(c.id for c in clients)
    assert all(sender != recipient for sender, recipient in pairs)


def test_mailboxes_are_everybody_s_once() -> None:
    mailboxes = mailboxes_of([(A, B), (B, A)])
    assert [mailbox.user for mailbox in mailboxes] == ["fr.health.a", "fr.health.b"]
    assert len(set(inboxes_of(mailboxes))) == 6


def test_bench_clients_fit_a_directory_and_markers_cover_every_shard() -> None:
    for shards in (1, 8, 13):
        markers = make_markers(shards)
        assert [shard_of(client.id, shards) for client in markers] == list(range(shards))
    everybody = [*make_clients(200), *markers, Client(MARKER_INBOX)]
    assert faults_of(everybody) == ()
    assert len(Directory(everybody, "bench")) == len(everybody)


def test_a_share_of_the_clients_reads_xml_and_what_goes_to_them_is_not_compared() -> None:
    assert [sum(c.wire_format is Format.XML for c in make_clients(10, share)) for share in (0.0, 0.3, 1.0)] == [
        0,
        3,
        10,
    ]
    lines = lines_of(ring(make_clients(4, 0.5)))
    assert [line.converted for line in lines] == [True, False, True, False]


def test_jobs_survive_their_way_to_a_process() -> None:
    lines, mailboxes = lines_of([(A, B), (B, A)]), mailboxes_of([(A, B)])
    inboxes = inboxes_of(mailboxes)
    sending = SendJob(TARGET, lines, inboxes, "/tmp/j", 1, 2.0, HEADLINE, first_number=10**15)
    reading = ReadJob(TARGET, {"fr.health.a": "fr.health.a.in.info"}, mailboxes, inboxes, "/tmp/j")
    assert msgspec.json.decode(msgspec.json.encode(sending), type=SendJob) == sending
    assert msgspec.json.decode(msgspec.json.encode(reading), type=ReadJob) == reading


def test_an_address_quotes_what_a_url_cannot_hold() -> None:
    url = TARGET.address.url("fr.health.a", "p@ss/word:%")
    assert url.path[1:] == "v/h" and url.password == "p@ss/word:%" and url.user == "fr.health.a"
