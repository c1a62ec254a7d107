"""What the XML tests share: the judgement of an XML text, and what of it counts in a comparison."""

import orjson
from lxml import etree

from tests.validators.support import pack
from validators import ContentFaults, Fault, Pack


def is_whole(body: bytes) -> bool:
    """Whether a text, JSON or XML, is a message and no bare use case."""
    return b"explicitAddress" in body and b"sourceMessage" not in body


def xml_faults(body: bytes, of: Pack | None = None) -> tuple[Fault, ...]:
    """All faults of a whole message or of a bare use case; () when it is valid."""
    judge = of or pack()
    try:
        if is_whole(body):
            return judge.all_faults(judge.xml.read_message(body))
        reading = judge.xml.read_case(body)
    except ContentFaults as refused:
        return refused.faults
    ((root, case),) = orjson.loads(reading.json).items()
    return reading.all_faults(judge.check_case(root, case, f"$.{root}"))


def canonical(body: bytes) -> bytes:
    """The exclusive canonical form, blanks between elements and comments left out."""
    parser = etree.XMLParser(remove_blank_text=True, remove_comments=True)
    return etree.tostring(etree.fromstring(body, parser), method="c14n", exclusive=True)
