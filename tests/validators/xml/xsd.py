"""An XML Schema of a pack, derived from its JSON Schema nodes alone: the judge that the XML reading is compared with.

It shares nothing with `validators.xml` but the nodes and the facts of PROTOCOL.md. Three namespaces of files: one of
the envelope, one of the message (the base namespace), one a use case. `is_valid` is lxml's verdict.
"""

import re
from functools import cache
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from validators import Pack
from validators.manifest import UseCase
from validators.nodes import Array, Boolean, Node, Number, Object, Text

XLINK = "http://www.w3.org/1999/xlink"
DATE_TIME = r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+\-]\d{2}:\d{2})".replace(r"\d", "[0-9]")
SIMPLE = f"""
<xs:simpleType name="number"><xs:restriction base="xs:double">
<xs:pattern value="[+\\-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+\\-]?[0-9]+)?"/></xs:restriction></xs:simpleType>
<xs:simpleType name="dateTime"><xs:restriction base="xs:string"><xs:pattern value="{DATE_TIME}"/>
</xs:restriction></xs:simpleType>
<xs:complexType name="open"><xs:sequence>
<xs:any namespace="##targetNamespace" processContents="skip" minOccurs="0" maxOccurs="unbounded"/>
</xs:sequence></xs:complexType>
"""


class _File:
    """One schema document. Classes become named types, once each."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._types: dict[int, str] = {}
        self.parts: list[str] = []

    def text(self, imports: dict[str, str], attributes: str = "") -> str:
        imported = "".join(f'<xs:import namespace="{ns}" schemaLocation="{at}"/>' for ns, at in imports.items())
        prefixes = "".join(f' xmlns:n{i}="{ns}"' for i, ns in enumerate(imports))
        head = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="{self.namespace}"{prefixes}'
        head += f' targetNamespace="{self.namespace}" elementFormDefault="qualified">'
        return head + imported + SIMPLE + "".join(self.parts) + "</xs:schema>"

    def element(self, name: str, node: Node, required: bool) -> str:
        low, high = int(required), "1"
        if isinstance(node, Array):
            low = max(node.min_items, 1) if required else 0
            high = "unbounded" if node.max_items is None else str(node.max_items)
            node = node.items
        bounds = f'minOccurs="{low}" maxOccurs="{high}"'
        kind = self._named(node)
        if kind is not None:
            return f'<xs:element name="{name}" type="{kind}" {bounds}/>'
        assert isinstance(node, Text)
        return f'<xs:element name="{name}" {bounds}>{_restricted(node)}</xs:element>'

    def _named(self, node: Node) -> str | None:
        match node:
            case Object():
                return self.type_of(node)
            case Number(integer):
                return "xs:integer" if integer else "number"
            case Boolean():
                return "xs:boolean"
            case Text(codes=None, pattern=None, date_time=False):
                return "xs:string"
        return None

    def type_of(self, node: Object) -> str:
        if not node.fields and not node.closed:
            return "open"
        if id(node) not in self._types:
            name = self._types[id(node)] = f"c{len(self._types)}"
            fields = "".join(self.element(n, inner, n in node.required) for n, inner in node.fields.items())
            self.parts.append(f'<xs:complexType name="{name}"><xs:sequence>{fields}</xs:sequence></xs:complexType>')
        return self._types[id(node)]


def _restricted(node: Text) -> str:
    facets = "".join(f"<xs:enumeration value={quoteattr(code)}/>" for code in node.codes or ())
    if node.pattern is not None:
        facets += f'<xs:pattern value="{escape(_xsd_pattern(node.pattern))}"/>'
    base = "dateTime" if node.date_time else "xs:string"
    return f'<xs:simpleType><xs:restriction base="{base}">{facets}</xs:restriction></xs:simpleType>'


def _xsd_pattern(pattern: str) -> str:
    """XML Schema's patterns are anchored by nature; what ours leaves open takes anything there."""
    body = pattern.removeprefix("^") if pattern.startswith("^") else "[\\s\\S]*" + pattern
    body = body.removesuffix("$") if body.endswith("$") else body + "[\\s\\S]*"
    body = re.sub(r"(\[[^\]]*)\\d", r"\g<1>0-9", body).replace(r"\d", "[0-9]")  # here \d is any script's digit
    return re.sub(r"([^\\])-\]", r"\1\\-]", body).replace("(?:", "(")


def is_valid(pack: Pack, body: bytes) -> bool:
    """The verdict on a whole message or a bare use case."""
    root = etree.fromstring(body)
    # libxml2 does not hold a reference to an attribute to its fixed value: that is done here.
    links = ((etree.QName(element), element.get(f"{{{XLINK}}}type")) for element in root.iter("*"))
    envelope = pack.manifest.envelope
    fixed = all(
        link in (None, "extended" if name.localname == envelope.root else "resource")
        for name, link in links
        if name.namespace == envelope.namespace
    )
    return _schema_of(pack).validate(root) and fixed


@cache
def _schema_of(pack: Pack) -> etree.XMLSchema:
    """The validator of whole messages and of bare use cases."""
    manifest = pack.manifest
    envelope, header, cases = pack._checks.classes()
    files = {"main.xsd": _envelope(pack, envelope, header, cases)}
    for case in manifest.use_cases:
        file = _File(case.namespace)
        kind = file.type_of(cases[case.root])
        file.parts.append(f'<xs:element name="{case.root}" type="{kind}"/>')
        if case.namespace != manifest.base_namespace:
            files[f"{case.root}.xsd"] = file.text({})
    files["message.xsd"] = _message(pack, header, cases)
    files["xlink.xsd"] = (
        f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{XLINK}">'
        '<xs:attribute name="type" type="xs:string"/></xs:schema>'
    )
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Files(files))
    return etree.XMLSchema(etree.fromstring(files["main.xsd"].encode(), parser, base_url="memory:/main.xsd"))


class _Files(etree.Resolver):
    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def resolve(self, system_url: str, public_id: str, context: object) -> object:  # type: ignore[override]
        return self.resolve_string(self._files[system_url.rpartition("/")[2]], context)  # type: ignore[call-arg]


def _message(pack: Pack, header: Object, cases: dict[str, Object]) -> str:
    manifest = pack.manifest
    file = _File(manifest.base_namespace)
    others = [case for case in manifest.use_cases if case.namespace != manifest.base_namespace]
    imports = {case.namespace: f"{case.root}.xsd" for case in others}
    prefix = {namespace: f"n{i}:" for i, namespace in enumerate(imports)}

    def reference(case: UseCase) -> str:
        return f'<xs:element ref="{prefix.get(case.namespace, "")}{case.root}"/>'

    for case in manifest.use_cases:
        if case.namespace == manifest.base_namespace:
            file.parts.append(f'<xs:element name="{case.root}" type="{file.type_of(cases[case.root])}"/>')
    fields = "".join(file.element(n, inner, n in header.required) for n, inner in header.fields.items())
    headed = "".join(reference(case) for case in manifest.use_cases if case.header)
    bare = "".join(reference(case) for case in manifest.use_cases if not case.header)
    inside = f"<xs:choice><xs:sequence>{fields}<xs:choice>{headed}</xs:choice></xs:sequence>{bare}</xs:choice>"
    file.parts.append(f'<xs:element name="message"><xs:complexType>{inside}</xs:complexType></xs:element>')
    return file.text(imports)


def _envelope(pack: Pack, envelope: Object, header: Object, cases: dict[str, Object]) -> str:
    manifest = pack.manifest
    file = _File(manifest.envelope.namespace)
    others = {case.namespace: f"{case.root}.xsd" for case in manifest.use_cases}
    others.pop(manifest.base_namespace, None)
    imports = {manifest.base_namespace: "message.xsd", XLINK: "xlink.xsd", **others}

    def wrapped(name: str, inside: str, link: bool = False, more: str = "") -> str:
        attribute = '<xs:attribute ref="n1:type" fixed="resource"/>' if link else ""
        return (
            f'<xs:element name="{name}"{more}><xs:complexType><xs:sequence>{inside}</xs:sequence>{attribute}'
            "</xs:complexType></xs:element>"
        )

    content = wrapped("embeddedXMLContent", '<xs:element ref="n0:message"/>')
    content = wrapped("contentObject", wrapped("contentXML", content), True, ' maxOccurs="unbounded"')
    fields = ""
    for name, node in envelope.fields.items():
        if name == "content":
            fields += wrapped("content", content, True)
        elif name == "descriptor":
            assert isinstance(node, Object)
            inner = "".join(file.element(n, child, n in node.required) for n, child in node.fields.items())
            fields += wrapped("descriptor", inner, True)
        else:
            fields += file.element(name, node, name in envelope.required)
    file.parts.append(
        f'<xs:element name="{manifest.envelope.root}"><xs:complexType><xs:sequence>{fields}</xs:sequence>'
        '<xs:attribute ref="n1:type" fixed="extended"/></xs:complexType></xs:element>'
    )
    return file.text(imports)
