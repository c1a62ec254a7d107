"""From bytes to a tree, or ContentFaults. No DTD, no entity, no network, at most 256 levels (the parser's own limit).

Comments and processing instructions say nothing to us and are dropped while parsing; a DOCTYPE is refused before the
parser sees it, so that nothing in it is ever read.
"""

import re
from typing import Final

from lxml import etree

from validators.faults import ContentFaults, Fault
from validators.limits import CROWDED, is_crowded_xml

_PROLOG: Final = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_ENCODING: Final = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml\s[^>]*?encoding\s*=\s*[\"']([^\"']*)[\"']")
_UTF8: Final = (b"utf-8", b"us-ascii")
MAX_NAMESPACE_BYTES: Final = 512
"""Each element's name is given to us with its namespace in front: long ones would cost their length times the elements.
The longest of the models has 45."""
_SPARE_BYTES: Final = 32 * 1024  # a shorter body has no room for both: it costs some 20 ms at most
_LONG_NAMESPACE: Final = re.compile(
    # Linear: nothing that a repeat takes is the beginning of another attempt, but quotes, which end one.
    rb"xmlns(?::[^\s=<:]*)?\s*=\s*(?:\"[^\"<]{%d}|'[^'<]{%d})" % (MAX_NAMESPACE_BYTES + 1, MAX_NAMESPACE_BYTES + 1)
).search


def _parser(remove_blank_text: bool) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=remove_blank_text,
    )


_PLAIN: Final = _parser(remove_blank_text=True)
_EXACT: Final = _parser(remove_blank_text=False)


def parse(body: bytes) -> etree._Element:
    """The root element. Blanks between elements may be dropped, those of a text never are."""
    if is_crowded_xml(body):
        raise ContentFaults([CROWDED])
    try:
        str(body, "utf-8")
    except UnicodeDecodeError:
        raise _refused("utf8", "UTF-8") from None
    declared = _ENCODING.match(body)
    if declared is not None and declared[1].lower() not in _UTF8:
        raise _refused("utf8", "UTF-8")
    if len(body) > _SPARE_BYTES and _LONG_NAMESPACE(body) is not None:
        raise _refused("xml", "XML 1.0")
    if b"<!DOCTYPE" in body and body.startswith(b"<!DOCTYPE", _PROLOG.match(body).end()):  # type: ignore[union-attr]
        raise _refused("doctype", "XML without DOCTYPE")
    if b"\r" in body:  # line ends as XML 1.0 reads them (2.11); left to the parser, it would drop blanks before them
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    # Beside comments and CDATA the parser would take a text's own blanks for blanks between elements.
    split = b"<!" in body or body.rfind(b"<?") > 3
    try:
        return etree.fromstring(body, _EXACT if split else _PLAIN)
    except (etree.XMLSyntaxError, ValueError):
        raise _refused("xml", "XML 1.0") from None


def _refused(rule: str, expected: str) -> ContentFaults:
    return ContentFaults([Fault("$", rule, expected, "bytes")])
