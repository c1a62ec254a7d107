"""What the XML tests share: the judgement of an XML text, and what of it counts in a comparison."""

from functools import cache, partial

import orjson
from lxml import etree

from tests.validators.support import PACK_FOLDER, pack
from validators import ContentFaults, Fault, Pack, load_pack


@cache
def _pack(version: str) -> Pack:
    return load_pack(PACK_FOLDER.parent / version)


PACKS = {version: partial(_pack, version) for version in ("v1", "v2", "v3")}


def is_whole(body: bytes) -> bool:
    """Whether an XML text is a message and no bare use case."""
    return b"edxlDistribution" in body


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
