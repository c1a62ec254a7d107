"""The XML form of a model pack's messages: read into JSON text, written from it. Derived from the nodes alone."""

from validators.xml.form import XmlForm, XmlReading
from validators.xml.writing import Unwritable

__all__ = ["Unwritable", "XmlForm", "XmlReading"]
