"""Personal data by pattern, checksum and context: cards, IBANs, social security numbers, e-mail and IP addresses,
phone numbers, medical record numbers. Entity names follow Microsoft Presidio. Names of people need a language model
and are not found here.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from escalations.completion import texts
from escalations.decisions import Redaction
from policies.config import PiiDetector
from policies.detectors import Span

VERSION = "pii/1"

_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)
_SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])")
_CARD_ANY = re.compile(r"(?<!\d)\d(?:[\s\-–—._/·]{0,3}\d){12,18}(?!\d)")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{3,39}(?![\w:])")
_PHONE = re.compile(r"(?<![\w.])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?)?\d{2,4}(?:[ .-]\d{2,4}){1,4}(?![\w-])")
_PHONE_CONTEXT = re.compile(r"\b(?:phone|tel|telephone|call|mobile|cell|fax|reach|text|whatsapp|dial)\b", re.IGNORECASE)
_MRN = re.compile(
    r"\b(?:MRN|medical record(?: number| no\.?)?|patient (?:id|number))\s{0,3}(?:is\s|[:#=-])?\s{0,3}#?\s?"
    r"((?=[A-Z0-9-]{0,14}\d)[A-Z0-9][A-Z0-9-]{3,14})\b",
    re.IGNORECASE,
)


def find(path: str, text: str, options: PiiDetector) -> list[Span]:
    """The personal data of one text, without overlaps, from left to right."""
    wanted = set(options.entities)
    found: list[Span] = []
    taken: list[tuple[int, int]] = []
    for label, start, end in _candidates(text, pci_mode=options.pci_mode):
        if label in wanted and not any(start < t_end and t_start < end for t_start, t_end in taken):
            taken.append((start, end))
            found.append(Span(path, start, end, label, label.lower()))
    return sorted(found, key=lambda span: span.start)


def redactions_for(completion: dict[str, Any]) -> list[Redaction]:
    """What would be redacted in a held answer, with every entity and PCI mode on."""
    options = PiiDetector(pci_mode=True)
    return [
        Redaction(span.path, span.start, span.end, span.label)
        for path, text in texts(completion)
        for span in find(path, text, options)
    ]


def _candidates(text: str, *, pci_mode: bool) -> Iterator[tuple[str, int, int]]:
    """(entity, start, end), the surest kinds first: an earlier one wins over a later one that overlaps it."""
    for match in _EMAIL.finditer(text):
        yield "EMAIL_ADDRESS", match.start(), match.end()
    for match in _IBAN.finditer(text):
        if _iban_holds(match[0]):
            yield "IBAN_CODE", match.start(), match.end()
    for match in (_CARD_ANY if pci_mode else _CARD).finditer(text):
        yield from _cards(match.start(), match[0])
    for match in _SSN.finditer(text):
        yield "US_SSN", match.start(), match.end()
    for match in _MRN.finditer(text):
        yield "MEDICAL_RECORD_NUMBER", match.start(1), match.end(1)
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            if _ip_holds(match[0]):
                yield "IP_ADDRESS", match.start(), match.end()
    for match in _PHONE.finditer(text):
        if _phone_holds(text, match):
            yield "PHONE_NUMBER", match.start(), match.end()


def _cards(offset: int, text: str) -> Iterator[tuple[str, int, int]]:
    """Card numbers inside a run of digits and separators: the longest stretch with a valid checksum."""
    places = [i for i, char in enumerate(text) if char.isdecimal()]
    digits = [unicodedata.decimal(text[i]) for i in places]
    for length in range(min(19, len(digits)), 12, -1):
        for first in range(len(digits) - length + 1):
            number = digits[first : first + length]
            if number[0] in (2, 3, 4, 5, 6) and len(set(number)) > 1 and _luhn(number):
                yield "CREDIT_CARD", offset + places[first], offset + places[first + length - 1] + 1
                return


def _luhn(digits: list[int]) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = digit * 2 if index % 2 else digit
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _iban_holds(text: str) -> bool:
    """ISO 13616: the number modulo 97 is 1 when the first four characters go to the end."""
    code = text.replace(" ", "")
    if not 15 <= len(code) <= 34:
        return False
    moved = code[4:] + code[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def _ip_holds(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # `1:2:3` and the like are clock times and ratios; `::` alone is punctuation.
    return address.version == 4 or (len(text) > 4 and text.count(":") >= 2 and not text.replace(":", "").isdecimal())


def _phone_holds(text: str, match: re.Match[str]) -> bool:
    digits = sum(char.isdecimal() for char in match[0])
    if not 7 <= digits <= 15:
        return False
    if match[0].startswith(("+", "(")):
        return True
    before = text[max(0, match.start() - 40) : match.start()]
    return bool(_PHONE_CONTEXT.search(before))
