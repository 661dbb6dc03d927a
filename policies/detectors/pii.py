"""Personal data by pattern, checksum and context: cards, IBANs, social security and national numbers, e-mail and IP
addresses, phone numbers, medical record numbers, dates of birth. Entity names follow Microsoft Presidio.

Names of people and places need a language model and are not found here. Every pattern is bounded: the time is
proportional to the length of the text, whatever is in it.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

from escalations.completion import texts
from escalations.decisions import Redaction
from policies.config import PiiDetector
from policies.detectors import Span
from policies.detectors.cards import find_cards, find_security_codes
from policies.detectors.entities import NATIONAL_IDS, SECURITY_CODE, Stretches
from policies.detectors.national_ids import find_national_ids
from policies.detectors.phones import find_phones

VERSION = "pii/2"

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w][\w.+'-]{0,63}@(?:[A-Za-z0-9\u00c0-\uffff](?:[\w-]{0,62}[A-Za-z0-9\u00c0-\uffff])?\.){1,8}[A-Za-z\u00c0-\uffff]{2,24}(?![\w-])"
)
_SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])")
_SSN_SAID = re.compile(r"(?i)\b(?:ssn|social security)\b\D{0,30}((?!000|666|9\d\d)\d{3}(?!00)\d{2}(?!0000)\d{4})(?!\d)")
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}+(?:[ -]?[A-Za-z0-9]{1,3}+)?(?![A-Za-z0-9])"
)
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_IPV6 = re.compile(r":[0-9A-Fa-f:]{1,38}+(?:(?:\.?\d{1,3}){4})?(?![\w:])")
_IPV6_HEAD = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}\Z")
_VERSION_WORD = re.compile(r"(?i)\b(?:version|ver|release|firmware|build|v)\.? ?\Z")
_DIGIT = re.compile(r"\d")
# Up to eight characters between the digits: room for a bank code in the middle of an IBAN.
_STRETCH = re.compile(r"\d(?:[^\d]{0,8}+\d)*+")
_MRN = re.compile(
    r"\b(?:MRN|medical record(?: number| no\.?| #)?|patient (?:id|number|no\.?)|hospital (?:id|number|no\.?)|chart (?:number|no\.?))\s{0,3}(?:is\s|[:#=-])?\s{0,3}#?\s?"
    r"((?=[A-Z0-9-]{0,14}\d)[A-Z0-9][A-Z0-9-]{3,14})\b",
    re.IGNORECASE,
)
_MRN_HINTS = ("mrn", "medical record", "patient ", "hospital ", "chart n")
_BORN = re.compile(
    r"(?i)\b(?:d\.?o\.?b\.?|date[ _]of[ _]birth|birth[ _]?da(?:te|y)|born(?: on)?|geboren(?: am)?|geburtsdatum|née? le|date de naissance|fecha de nacimiento|nacid[oa](?: el)?|nat[oa] il|data di nascita)(?!\w)[^\d\n]{0,20}?"
    r"(\d{1,2}[./ -]\d{1,2}[./ -](?:19|20)?\d{2}|(?:19|20)\d{2}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}(?:st|nd|rd|th|\.)?(?: of)? [^\W\d]{3,12},? (?:19|20)\d{2}"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d{2})(?!\d)"
)
_BORN_HINTS = (
    "birth",
    "born",
    "dob",
    "d.o.b",
    "gebor",
    "geburt",
    "née le",
    "né le",
    "naissance",
    "nacimiento",
    "nacid",
    "nascita",
    "nato il",
    "nata il",
)

_LETTERS = str.maketrans("0123456789", "ghjkmnpqrs")
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19,
    "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip


def find(path: str, text: str, options: PiiDetector) -> list[Span]:
    """The personal data of one text, without overlaps, from left to right."""
    wanted = set(options.entities)
    if options.pci_mode and "CREDIT_CARD" in wanted:
        wanted.add(SECURITY_CODE)
    starts: list[int] = []
    found: list[Span] = []
    for label, start, end in _candidates(text, wanted, pci_mode=options.pci_mode):
        at = bisect_left(starts, start)
        if (at and found[at - 1].end > start) or (at < len(found) and found[at].start < end):
            continue
        starts.insert(at, start)
        found.insert(at, Span(path, start, end, label, label.lower()))
    return found


def redactions_for(completion: dict[str, Any]) -> list[Redaction]:
    """What would be redacted in a held answer, with every entity and PCI mode on."""
    options = PiiDetector(pci_mode=True)
    return [
        Redaction(span.path, span.start, span.end, span.label)
        for path, text in texts(completion)
        for span in find(path, text, options)
    ]


def masked(found: str, label: str) -> str:
    """What was found with its letters and digits starred. Of a card the last four stay, as PCI DSS 3.4.1 allows."""
    keep = 4 if label == "CREDIT_CARD" else 0
    places = [i for i, char in enumerate(found) if char.isalnum()]
    hidden = set(places[: len(places) - keep])
    return "".join("*" if i in hidden else char for i, char in enumerate(found))


def hashed(found: str, label: str, key: bytes) -> str:
    """A name for what was found that is the same each time and tells nothing without the key.

    Separators and case do not count. A keyed digest (RFC 2104), since sixteen digits are quickly tried through; in
    letters, so that no detector takes it for a number.
    """
    kept = (char for char in found.casefold() if char.isalnum() or char in "@.:")
    plain = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in kept)
    digest = hmac.new(key, plain.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]
    return f"[{label}:{digest.translate(_LETTERS)}]"


def _candidates(text: str, wanted: set[str], *, pci_mode: bool) -> Iterator[tuple[str, int, int]]:
    """(entity, start, end), the surest kinds first: an earlier one wins over a later one that overlaps it."""
    if "@" in text and "EMAIL_ADDRESS" in wanted:
        for match in _EMAIL.finditer(text):
            yield "EMAIL_ADDRESS", match.start(), match.end()
    if ":" in text and "IP_ADDRESS" in wanted:
        yield from _ipv6(text)
    if _DIGIT.search(text) is not None:
        yield from _with_numbers(text, wanted, pci_mode=pci_mode)


def _with_numbers(text: str, wanted: set[str], *, pci_mode: bool) -> Iterator[tuple[str, int, int]]:
    stretches = _stretches(text)
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
    yield from _long_numbers(text, stretches, wanted, pci_mode=pci_mode)
    if SECURITY_CODE in wanted:
        for start, end in find_security_codes(text, lowered):
            yield SECURITY_CODE, start, end
    if "MEDICAL_RECORD_NUMBER" in wanted and any(hint in lowered for hint in _MRN_HINTS):
        for match in _MRN.finditer(text):
            yield "MEDICAL_RECORD_NUMBER", match.start(1), match.end(1)
    if stretches:
        yield from _in_stretches(text, lowered, stretches, wanted)


def _in_stretches(text: str, lowered: str, stretches: Stretches, wanted: set[str]) -> Iterator[tuple[str, int, int]]:
    yield from _with_context(text, lowered, stretches, wanted)
    if "IP_ADDRESS" in wanted:
        for match in _in(stretches, _IPV4, text):
            if _ip_holds(match[0]) and not _VERSION_WORD.search(text, max(0, match.start() - 12), match.start()):
                yield "IP_ADDRESS", match.start(), match.end()
    if "PHONE_NUMBER" in wanted:
        for start, end in find_phones(text, stretches):
            yield "PHONE_NUMBER", start, end


def _stretches(text: str) -> Stretches:
    """Where numbers of some length stand, with what surrounds them: the only places that the patterns are tried at.

    Prose has few, and a pattern that is tried at every letter costs more than all the rest. Nothing that is looked for
    there has fewer than four digits.
    """
    size = len(text)
    found: Stretches = []
    for match in _STRETCH.finditer(text):
        start, end = match.span()
        if end - start >= 4 and (end - start > 20 or sum(map(str.isdecimal, match[0])) >= 4):
            found.append((max(0, start - 8), min(size, end + 8)))
    return found


def _in(stretches: Stretches, pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for start, end in stretches:
        yield from pattern.finditer(text, start, end)


def _long_numbers(
    text: str, stretches: Stretches, wanted: set[str], *, pci_mode: bool
) -> Iterator[tuple[str, int, int]]:
    if "IBAN_CODE" in wanted:
        for match in _in(stretches, _IBAN, text):
            end = _iban_end(match[0])
            if end:
                yield "IBAN_CODE", match.start(), match.start() + end
    if "CREDIT_CARD" in wanted:
        for start, end in find_cards(text, stretches, pci_mode=pci_mode):
            yield "CREDIT_CARD", start, end


def _with_context(text: str, lowered: str, stretches: Stretches, wanted: set[str]) -> Iterator[tuple[str, int, int]]:
    if "US_SSN" in wanted:
        for match in _in(stretches, _SSN, text):
            yield "US_SSN", match.start(), match.end()
        if "ssn" in lowered or "social security" in lowered:
            for match in _SSN_SAID.finditer(text):
                yield "US_SSN", match.start(1), match.end(1)
    if "DATE_OF_BIRTH" in wanted and any(hint in lowered for hint in _BORN_HINTS):
        for match in _BORN.finditer(text):
            yield "DATE_OF_BIRTH", match.start(1), match.end(1)
    if not wanted.isdisjoint(NATIONAL_IDS):
        for label, start, end in find_national_ids(text, lowered, stretches):
            if label in wanted:
                yield label, start, end


def _iban_end(found: str) -> int:
    """How much of it is an IBAN (ISO 13616: modulo 97 is 1 with the first four characters at the end); 0 for none."""
    length = _IBAN_LENGTHS.get(found[:2].upper(), 0)
    code, end = "", 0
    for index, char in enumerate(found):
        if char not in " -":
            code += char
            if len(code) == length:
                end = index + 1
                break
    if not end or found[end : end + 1].isalnum():
        return 0
    moved = code[4:] + code[:4]
    return end if int("".join(str(int(char, 36)) for char in moved)) % 97 == 1 else 0


def _ipv6(text: str) -> Iterator[tuple[str, int, int]]:
    done = 0
    for match in _IPV6.finditer(text):
        if match[0].count(":") < 2:
            continue
        head = _IPV6_HEAD.search(text, max(done, match.start() - 6), match.start())
        if head is None:
            continue
        done = match.end()
        if _ip_holds(text[head.start() : match.end()]):
            yield "IP_ADDRESS", head.start(), match.end()


def _ip_holds(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # `1:2:3` and the like are clock times and ratios; `::` alone is punctuation.
    return address.version == 4 or (len(text) > 4 and text.count(":") >= 2 and not text.replace(":", "").isdecimal())
