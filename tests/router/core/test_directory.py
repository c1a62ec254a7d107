"""The directory: names, owners of keys, and every fault found at once."""

import pytest

from router.core.directory import Client, Directory, DirectoryError, Format, KeyOwner, Naming, Rule, faults_of

SAMU = Client("fr.health.hub.samu050")
SDIS = Client("fr.fire.nexsis.sdis-50", naming=Naming.FLAT)


def rules(*clients: Client, extra_ids: tuple[str, ...] = ()) -> list[Rule]:
    return [fault.rule for fault in faults_of(clients, extra_ids)]


def test_keys_of_both_namings_have_their_owner() -> None:
    directory = Directory((SAMU, SDIS), "v")
    assert directory.sender_of_key("fr.health.hub.samu050.out.ack") == KeyOwner(SAMU, "ack")
    assert directory.sender_of_key("fr.fire.nexsis.sdis-50") == KeyOwner(SDIS, None)
    for stranger in (
        "fr.health.hub.samu050",
        "fr.fire.nexsis.sdis-50.out.ack",
        "fr.health.hub.samu050.out.x",
        "",
    ):
        assert directory.sender_of_key(stranger) is None


def test_inboxes_follow_the_recipients_naming_and_a_stranger_is_in_out() -> None:
    directory = Directory((SAMU, SDIS), "v")
    assert directory.inbox(SAMU.id, "message") == "fr.health.hub.samu050.in.message"
    assert directory.inbox(SDIS.id, "info") == "fr.fire.nexsis.sdis-50.info"
    assert directory.inbox("fr.health.nobody", "ack") == "fr.health.nobody.in.ack"


def test_formats_default_to_json_for_health_with_its_dot() -> None:
    assert SAMU.wire_format is Format.JSON
    assert SDIS.wire_format is Format.XML
    assert Client("fr.healthy.x").wire_format is Format.XML
    assert Client("fr.health.x", format=Format.XML).wire_format is Format.XML


def test_a_directory_holds_the_clients_of_its_vhost_only() -> None:
    elsewhere = Client("fr.health.a", vhosts=("w",))
    directory = Directory((SAMU, elsewhere), "v")
    assert SAMU.id in directory and elsewhere.id not in directory and len(directory) == 1
    assert Directory((SAMU, elsewhere), "w").by_id == {SAMU.id: SAMU, elsewhere.id: elsewhere}


def test_two_clients_of_one_name_make_no_directory() -> None:
    with pytest.raises(DirectoryError) as caught:
        Directory((SAMU, SAMU, Client("fr.x"), Client("fr.x.out.ack", naming=Naming.FLAT)), "v")
    assert [(fault.client_id, fault.rule) for fault in caught.value.faults] == [
        (SAMU.id, Rule.DUPLICATE),
        ("fr.x.out.ack", Rule.COLLISION),
    ]


@pytest.mark.parametrize("client_id", ["fr.health.samu-57.a", "a", "9", "a-b.c-d"])
def test_good_ids(client_id: str) -> None:
    assert rules(Client(client_id)) == []


@pytest.mark.parametrize("client_id", ["Fr.x", "fr_x", "fr..x", ".fr", "fr.", "fr.-x", "fr.é", "fr/x", "a{b}"])
def test_an_odd_id_is_refused_by_its_name_unless_it_is_allowed_one_by_one(client_id: str) -> None:
    (fault,) = faults_of((Client(client_id),))
    assert fault.rule is Rule.CHARACTERS and client_id in str(fault) and "extra_ids" in str(fault)
    assert rules(Client(client_id), extra_ids=(client_id,)) == []


@pytest.mark.parametrize("client_id", ["", "fr x", "fr.x\n", "fr\x00"])
def test_blanks_and_control_characters_are_never_allowed(client_id: str) -> None:
    assert rules(Client(client_id), extra_ids=(client_id,)) == [Rule.CHARACTERS]


@pytest.mark.parametrize("client_id", ["fr.*.x", "#"])
def test_topic_wildcards_are_never_allowed(client_id: str) -> None:
    assert rules(Client(client_id), extra_ids=(client_id,)) == [Rule.WILDCARD]


@pytest.mark.parametrize("client_id", ["fr.health.hub", "hub.x", "dispatch.07"])
def test_the_hubs_own_names_are_refused(client_id: str) -> None:
    assert rules(Client(client_id)) == [Rule.RESERVED]


def test_an_id_leaves_room_for_its_longest_key() -> None:
    assert rules(Client("a" * 243)) == []
    assert rules(Client("a" * 244)) == [Rule.LENGTH]


def test_colliding_inboxes_and_keys_are_named_with_both_clients() -> None:
    clients = (Client("fr.x"), Client("fr.x.in", naming=Naming.FLAT))
    faults = faults_of(clients)
    assert {fault.rule for fault in faults} == {Rule.COLLISION} and len(faults) == 3
    assert "'fr.x.in.ack'" in str(faults[1]) and "'fr.x'" in str(faults[1])


def test_all_faults_are_listed_not_just_the_first() -> None:
    assert rules(Client("A"), Client("hub.b"), Client("c"), Client("c")) == [
        Rule.CHARACTERS,
        Rule.RESERVED,
        Rule.DUPLICATE,
    ]
