"""Schema to validator: model packs, their verdicts, and what is wrong with a message in plain words."""

from validators.dates import is_date_time, parse_date_time
from validators.faults import ContentFaults, Fault
from validators.limits import CROWDED, is_crowded_json
from validators.loading import PackError, load_pack
from validators.nomenclatures import RULE as NOMENCLATURE_RULE
from validators.nomenclatures import field_of
from validators.packs import Pack
from validators.sentences import Lang, error_cause, sentence
from validators.xml import Unwritable, XmlReading

__all__ = [
    "CROWDED",
    "NOMENCLATURE_RULE",
    "ContentFaults",
    "Fault",
    "Lang",
    "Pack",
    "PackError",
    "Unwritable",
    "XmlReading",
    "error_cause",
    "field_of",
    "is_crowded_json",
    "is_date_time",
    "load_pack",
    "parse_date_time",
    "sentence",
]
