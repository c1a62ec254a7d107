"""ACCEPTANCE.md 1, 2, 12 and 25, and what of the other scenarios is different in XML: reports, dead letters, replay."""

import json
from typing import Any

import pytest
from lxml import etree

from tests.support.hub import A2, PARTNER, A, B, Hub, S
from tests.support.messages import Body, inner, message
from tests.support.party import KIND_OF, UNAVAILABLE, Party

pytest_plugins = ("tests.support.acceptance",)

XML_TYPE = "application/xml"
EDXL = "urn:oasis:names:tc:emergency:EDXL:DE:2.0"


def same(value: Any, elements: list[Any], where: str = "$") -> None:
    """The elements say what a JSON value says, no more and no less: names, texts and repeats, one by one."""
    values = value if isinstance(value, list) else [value]
    assert len(values) == len(elements), where
    for one, element in zip(values, elements, strict=True):
        children: dict[str, list[Any]] = {}
        for child in element:
            children.setdefault(etree.QName(child).localname, []).append(child)
        if isinstance(one, dict):
            assert list(children) == [name for name in children if name in one] and len(children) == len(one), where
            for name, inside in one.items():
                same(inside, children[name], f"{where}.{name}")
        elif isinstance(one, bool):
            assert element.text == ("true" if one else "false"), where
        elif isinstance(one, int | float):
            assert float(element.text) == one and not children, where
        else:
            assert (element.text or "") == one and not children, where


def same_message(body: Body, xml: bytes) -> None:
    """Envelope, header and use case of an XML message are those of a JSON one."""
    root = etree.fromstring(xml)
    assert root.tag == f"{{{EDXL}}}edxlDistribution"
    for name, value in body.items():
        if name != "content":
            same(value, root.findall(f"{{{EDXL}}}{name}"), name)
    place = "/".join(f"{{{EDXL}}}{name}" for name in ("content", "contentObject", "contentXML", "embeddedXMLContent"))
    (embedded,) = root.findall(place)
    same({"message": inner(body)}, [embedded])


def in_xml(hub: Hub, body: Body) -> bytes:
    return hub.pack.xml.write_message(json.dumps(body).encode())


# ---- 1, 2: each recipient reads its own format ---------------------------------------------------


@pytest.mark.parametrize("kind", ["Report", "Ack", "Error"])
def test_01_json_for_a_client_in_xml(hub: Hub, kind: str) -> None:
    a, b = hub.party(A), hub.party(B)
    body = a.message(b, kind)
    a.send(body, headers={"x-mine": "kept"}, message_id="m-1", content_encoding="utf-8", priority=3)
    arrived = b.take(KIND_OF[kind])
    same_message(body, arrived.body)
    properties = arrived.properties
    assert (properties.content_type, properties.content_encoding) == (XML_TYPE, "utf-8")
    assert (properties.message_id, properties.priority, properties.delivery_mode) == ("m-1", 3, 2)
    assert (arrived.headers["x-mine"], arrived.headers["x-hub-conversion"]) == ("kept", "xml")
    hub.quiet(a, b)


@pytest.mark.parametrize("kind", ["Report", "Ack", "Error"])
def test_02_xml_for_a_client_in_json(hub: Hub, kind: str) -> None:
    a, b = hub.party(A), hub.party(B)
    body = b.message(a, kind)
    b.send(in_xml(hub, body), content_type=XML_TYPE, key=b.key(KIND_OF[kind]))
    arrived = a.take(KIND_OF[kind])
    assert json.loads(arrived.body) == body
    assert (arrived.properties.content_type, arrived.headers["x-hub-conversion"]) == ("application/json", "json")
    hub.quiet(a, b)


def test_03_xml_for_a_client_in_xml_is_byte_for_byte_what_was_sent(hub: Hub) -> None:
    b = hub.party(B)
    odd = in_xml(hub, b.message(b)).replace(b"><", b">\r\n\t<").replace(b"\r\n\t</senderID", b"</senderID")
    b.send(odd, content_type="application/xml; charset=UTF-8")
    arrived = b.receives(odd)
    assert arrived.properties.content_type == "application/xml; charset=UTF-8"
    assert "x-hub-conversion" not in arrived.headers
    hub.quiet(b)


def test_11_a_partner_hubs_message_with_no_type_is_xml(hub: Hub) -> None:
    partner, a = hub.party(PARTNER), hub.party(A)
    body = partner.message(a)
    partner.send(in_xml(hub, body), content_type=None)
    assert json.loads(a.take("message").body) == body
    hub.quiet(partner, a)


# ---- refusals ------------------------------------------------------------------------------------


def test_12_each_body_under_the_other_type(hub: Hub) -> None:
    b = hub.party(B)
    body = b.message(A)
    b.send(body, content_type=XML_TYPE)
    b.reported(300, body["distributionID"])
    b.send(in_xml(hub, body))
    b.reported(300, body["distributionID"])
    hub.quiet(b, hub.party(A))


def test_15_every_fault_of_an_xml_message_is_named_with_its_path(hub: Hub) -> None:
    b = hub.party(B)
    body = b.message(A)
    root = etree.fromstring(in_xml(hub, body))
    (case,) = (found for found in root.iter() if etree.QName(found).localname == "createCase")
    space = etree.QName(case).namespace
    case.append(etree.Element(f"{{{space}}}notOfTheModel"))
    case.insert(0, case[1])  # out of order
    root.set("mine", "1")
    b.send(etree.tostring(root), content_type=XML_TYPE)
    b.reported(300, body["distributionID"], "notOfTheModel", "mine")
    hub.quiet(b, hub.party(A))


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x"}">' for n in range(9))


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE edxlDistribution>",
        '<!DOCTYPE edxlDistribution [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE edxlDistribution SYSTEM "http://127.0.0.1:9/x.dtd">',
        f"<!DOCTYPE edxlDistribution [{BOMB}]>",
    ],
)
def test_25_a_doctype_is_refused_and_nothing_is_read_or_expanded(hub: Hub, doctype: str) -> None:
    b = hub.party(B)
    body = b.message(A)
    text = in_xml(hub, body).decode()
    start = text.index("<edxlDistribution")
    entity = "&x;" if "ENTITY x" in doctype else "&e8;" if "e8" in doctype else ""
    spoiled = text[:start] + doctype + text[start:].replace("</language>", f"{entity}</language>")
    b.send(spoiled.encode(), content_type=XML_TYPE)
    b.reported(300, body["distributionID"])
    hub.quiet(b, hub.party(A))


def test_what_xml_cannot_carry_is_refused_600_with_its_path(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(B)
    body = a.message(b)
    inner(body)["createCase"]["location"]["name"] = "bell \a"
    a.send(body)
    a.reported(600, body["distributionID"], "createCase.location.name")
    hub.quiet(a, b)


def test_reports_reach_a_client_in_xml_in_xml(hub: Hub) -> None:
    b = hub.party(B)
    b.send(b"<no/>", content_type=XML_TYPE)
    b.reported(300, UNAVAILABLE)
    b.send(b.message("fr.health.nobody"))
    b.report(501, "fr.health.nobody.in.message")
    odd = b.message("fr.health.nobody")
    odd["distributionID"] += "\a"
    b.send(odd)
    b.reported(501, odd["distributionID"].replace("\a", "\ufffd"))
    hub.quiet(b)


# ---- dead letters --------------------------------------------------------------------------------


def test_09_a_rejected_message_in_xml_comes_back_as_500(hub: Hub) -> None:
    a, b = hub.party(A), hub.party(B)
    body = a.message(b)
    a.send(body)
    b.take("message", settle="reject")
    a.reported(500, body["distributionID"], "rejected")
    hub.quiet(a, b)


def test_10_a_dead_report_in_xml_is_never_reported_about(hub: Hub) -> None:
    b, a = hub.party(B), hub.party(A)
    b.send(b"<no/>", content_type=XML_TYPE)
    b.take("info", settle="reject")
    error = a.message(b, "Error")
    a.send(error)
    b.take("info", settle="reject")
    hub.quiet(a, b)


def test_04_the_ten_steps_with_a_partner_in_xml(hub: Hub) -> None:
    """S is in JSON in this hub's directory; here it is B that answers in its own format."""
    sdis, b = hub.party(S), hub.party(B)
    case = message(sdis.id, b.id)
    sdis.send(case)
    same_message(case, _body_of(b, "message"))
    acknowledgement = b.message(sdis, "Ack", about=case["distributionID"])
    b.send(in_xml(hub, acknowledgement), content_type=XML_TYPE, key=b.key("ack"))
    assert json.loads(_body_of(sdis, "ack")) == acknowledgement
    hub.quiet(sdis, b)


def _body_of(party: Party, kind: str) -> bytes:
    return party.take(kind).body


def test_the_hub_reads_both_formats_from_a_client(hub: Hub) -> None:
    """The directory says what a client gets; what it sends says its content type."""
    a2, b = hub.party(A2), hub.party(B)
    body = a2.message(b)
    sent = a2.send(in_xml(hub, body), content_type=XML_TYPE, key=a2.key("message"))
    b.receives(sent)
    body = b.message(a2)
    sent = b.send(body)
    a2.receives(sent)
    hub.quiet(a2, b)
