"""Model packs in a running hub: each vhost by its own, replaced under load, refused whole when broken."""

import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.local import LocalCluster
from router.settings.pack_folders import shipped_packs
from tests.support.hub import A2, A, B, Hub, removed_afterwards, wait_until
from tests.support.load import Load
from tests.support.messages import Body, inner

SENDERS = ("fr.health.samu001", "fr.health.samu002")
RECIPIENT = "fr.health.samu003"


def edited(file: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(file.read_text("utf-8"))
    change(value)
    file.write_text(json.dumps(value), "utf-8")


def with_new_field(body: Body) -> Body:
    inner(body)["createCase"]["fieldOfTheNextRelease"] = "x"
    return body


def test_packs_are_replaced_under_load_and_a_broken_one_is_refused_whole(cluster: LocalCluster, tmp_path: Path) -> None:
    folder = tmp_path / "packs" / "next"
    shutil.copytree(shipped_packs() / "v3", folder)
    edited(folder / "manifest.json", lambda manifest: manifest.update(pack="next"))
    with Hub(cluster, tmp_path, vhost="packs", pack="next") as hub, removed_afterwards(hub):
        hub.apply()
        hub.start()
        a, b = hub.party(A), hub.party(A2)
        with Load([hub.party(sender) for sender in SENDERS], hub.party(RECIPIENT)) as load:
            wait_until("load", lambda: load.confirmed >= 200)
            early = with_new_field(a.message(b))
            a.send(early)
            a.reported(300, early["distributionID"], "fieldOfTheNextRelease")

            def release(schema: Any) -> None:
                schema["properties"]["fieldOfTheNextRelease"] = {"type": "string"}

            edited(folder / "RC-EDA.schema.json", release)
            hub.signal(signal.SIGHUP)
            wait_until("both workers reloaded", lambda: len(hub.events("notice", name="reloaded")) == 2)
            b.receives(a.send(with_new_field(a.message(b))))

            (folder / "RC-REF.schema.json").write_text("{")
            edited(folder / "RC-EDA.schema.json", lambda schema: schema["properties"]["caseId"].update(minLength=1))
            hub.signal(signal.SIGHUP)
            wait_until("both workers refuse", lambda: len(hub.events("notice", name="reload_refused")) == 2)
            for line in hub.events("notice", name="reload_refused"):
                assert "RC-REF.schema.json" in line["text"] and "minLength" in line["text"], line
            b.receives(a.send(with_new_field(a.message(b))))
            before = load.confirmed
            wait_until("more load", lambda: load.confirmed >= before + 200)
        verdict = load.verdict()
        assert verdict.ok and verdict.in_order, verdict
        assert (verdict.delivered, verdict.reported, verdict.marked_duplicates) == (load.confirmed, 0, 0), verdict
        assert hub.get("/readyz")[0] == 200 and hub.events("received", redelivered=True) == []
        assert hub.stop() == 0
        assert hub.waiting() == {}


@pytest.mark.parametrize("pack", ["v1", "v2"])
def test_an_earlier_pack_is_read_and_written_in_its_own_namespace(
    cluster: LocalCluster, tmp_path: Path, pack: str
) -> None:
    with Hub(cluster, tmp_path, vhost=f"packs-{pack}", pack=pack) as hub, removed_afterwards(hub):
        hub.apply()
        hub.start()
        a, b = hub.party(A), hub.party(B)
        body = a.message(b)
        a.send(body)
        arrived = b.take("message").body
        assert b'<message xmlns="urn:emergency:cisu:2.0">' in arrived
        assert b'<createCase xmlns="urn:emergency:cisu:2.0:createCase">' in arrived
        back = b.message(a)
        b.send(hub.pack.xml.write_message(json.dumps(back).encode()), content_type="application/xml")
        assert json.loads(a.take("message").body) == back
        newer = a.message(b, "Ack")  # its `step` is of v3
        a.send(newer)
        a.reported(300, newer["distributionID"], "reference.step")
        assert hub.stop() == 0


def test_a_code_outside_its_nomenclature_is_delivered_and_counted(cluster: LocalCluster, tmp_path: Path) -> None:
    with Hub(cluster, tmp_path, vhost="packs-codes") as hub, removed_afterwards(hub):
        hub.apply()
        hub.start()
        a, b = hub.party(A), hub.party(A2)
        body = a.message(b)
        inner(body)["createCase"]["qualification"]["whatsHappen"]["code"] = "C99.99.99"
        b.receives(a.send(body))
        b.receives(a.send(a.message(b)))
        wait_until("both lines", lambda: len(hub.events("forwarded")) == 2)
        assert [line.get("warnings") for line in hub.events("forwarded")] == [1, None]
        wanted = ["createCase.qualification.whatsHappen.code HubSante.fait 1.0"]
        wait_until("the count", lambda: counted(hub) == wanted)
        assert hub.stop() == 0


def counted(hub: Hub) -> list[str]:
    """The warnings that the metrics tell: field, list and number."""
    line = re.compile(r'hubex_nomenclature_warnings_total\{field="(.*?)",list="(.*?)",vhost="packs-codes"\} ([0-9.]+)')
    return [" ".join(found) for found in line.findall(hub.get("/metrics")[1])]
