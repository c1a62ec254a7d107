"""Changes to a valid XML tree that may break it: the food of the differential test."""

from random import Random
from typing import Any

from lxml import etree

NAMESPACES = ["urn:emergency:eda:1.9", "urn:emergency:eda:1.9:createCase", "urn:x", ""]
TEXTS = ["", " ", "abc", "1", " 7 ", "1.0", "1e2", "-0", "+5", ".5", "5.", "INF", "NaN", "true", "1_0", "FALSE", "0x1",
         "R07", "Report", "2024-03-12T08:15:30+01:00", "2024-03-12", "A\n", "\u0661", "\u00a01", "007"]  # fmt: skip
NAMES = ["message", "createCase", "technicalNoreq", "freetext", "x", "content", "contentObject", "messageId"]


def mutate(root: Any, rnd: Random) -> None:
    """One change in place."""
    spots = [element for element in root.iter("*") if element is not root]
    if not spots:
        return
    spot = rnd.choice(spots)
    parent, local = spot.getparent(), etree.QName(spot).localname
    namespace = etree.QName(spot).namespace or ""
    match rnd.choice(["drop", "double", "swap", "move", "rename", "space", "deep", "attribute", "between",
                      "retype", "retype", "nest", "comment", "blanks", "hint"]):  # fmt: skip
        case "drop":
            parent.remove(spot)
        case "double":
            parent.insert(rnd.randrange(len(parent) + 1), _copy(spot))
        case "swap" if spot.getnext() is not None:
            spot.addprevious(spot.getnext())
        case "move":
            parent.insert(rnd.randrange(len(parent)), spot)
        case "rename":
            spot.tag = _tag(namespace, rnd.choice([*NAMES, local + "x", etree.QName(rnd.choice(spots)).localname]))
        case "space":
            spot.tag = _tag(rnd.choice(NAMESPACES), local)
        case "deep":
            other = rnd.choice(NAMESPACES)
            for element in spot.iter("*"):
                element.tag = _tag(other, etree.QName(element).localname)
        case "attribute":
            name = rnd.choice(["id", "{urn:x}id", "{http://www.w3.org/1999/xlink}type", "{urn:x}type"])
            spot.set(name, rnd.choice(["resource", "extended", "x"]))
        case "between":
            spot.tail = rnd.choice(["x", "\u00a0", "&", " \n "])
        case "retype":
            leaves = [element for element in spots if not len(element)]
            rnd.choice(leaves or spots).text = rnd.choice(TEXTS)
        case "nest":
            etree.SubElement(spot, _tag(namespace, rnd.choice(NAMES)))
        case "comment":
            spot.insert(0, etree.Comment("a comment") if rnd.random() < 0.5 else etree.PI("a", "b"))
        case "blanks" if len(spot):
            spot.text = rnd.choice([" \n\t", "x", "\u2003"])
        case "hint":
            spot.set("{http://www.w3.org/2001/XMLSchema-instance}schemaLocation", "urn:x x.xsd")


def _tag(namespace: str, local: str) -> str:
    return f"{{{namespace}}}{local}" if namespace else local


def _copy(element: Any) -> Any:
    return etree.fromstring(etree.tostring(element, with_tail=False))
