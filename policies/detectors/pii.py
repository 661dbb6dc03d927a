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
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

from escalations.completion import texts
from escalations.decisions import Redaction
from policies.config import PiiDetector
from policies.detectors import Span
from policies.detectors.cards import CODE_HEADS, find_cards, find_security_codes
from policies.detectors.entities import NATIONAL_IDS, SECURITY_CODE
from policies.detectors.national_ids import find_national_ids
from policies.detectors.phones import find_phones
from policies.detectors.stretches import TELLING, Marked, Stretch

VERSION = "pii/3"

_LOCAL = re.compile(r"(?<![\w.+-])[\w][\w.+'-]{0,63}\Z")
_DOMAIN = re.compile(
    r"@(?:[A-Za-z0-9\u00c0-\uffff](?:[\w-]{0,62}[A-Za-z0-9\u00c0-\uffff])?\.){1,8}[A-Za-z\u00c0-\uffff]{2,24}(?![\w-])"
)
_LONGEST_LOCAL = 64
_SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])")
# A part of a building is numbered after its name (Postal Addressing Standards, Publication 28): `Suite 680 36 4022 Oakridge`.
_UNIT = re.compile(
    r"(?i)\b(?:suite|ste|apartment|apt|unit|room|rm|floor|building|bldg|lot|space|trailer|box)\.? ?#? ?\Z"
)
_SSN_DIGITS = 9
_SSN_SAID = re.compile(r"(?i)\b(?:ssn|social security)\b\D{0,30}((?!000|666|9\d\d)\d{3}(?!00)\d{2}(?!0000)\d{4})(?!\d)")
_SSN_HEADS = r"ssn|social security"
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?>(?:[ -]?[A-Za-z0-9]{4}){2,7})(?:[ -]?[A-Za-z0-9]{1,3}+)?(?![A-Za-z0-9])"
)
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_IPV6 = re.compile(r":[0-9A-Fa-f:]{1,38}+(?:(?:\.?\d{1,3}){4})?(?![\w:])")
_IPV6_HEAD = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}\Z")
_VERSION_WORD = re.compile(r"(?i)\b(?:version|ver|release|firmware|build|v)\.? ?\Z")
_MRN = re.compile(
    r"\b(?:MRN|medical record(?: number| no\.?| #)?|patient (?:id|number|no\.?)|hospital (?:id|number|no\.?)|chart (?:number|no\.?))\s{0,3}(?:is\s|[:#=-])?\s{0,3}#?\s?"
    r"((?=[A-Z0-9-]{0,14}\d)[A-Z0-9][A-Z0-9-]{3,14})\b",
    re.IGNORECASE,
)
_MRN_HEADS = r"mrn|medical record|patient (?:id|n)|hospital (?:id|n)|chart n"
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
_BORN_HEADS = r"d\.?o|date[ _]of|birth|born|geboren|geburtsdatum|n\?e? le|date de|fecha de|nacid|nat[oa] il|data di"


def _heads(*heads: str) -> Any:
    return re2.compile(rf"\b(?:{'|'.join(heads)})")


_SSN_BEGUN, _MRN_BEGUN, _BORN_BEGUN = map(_heads, (_SSN_HEADS, _MRN_HEADS, _BORN_HEADS))
_NAMED = _heads(_SSN_HEADS, _MRN_HEADS, _BORN_HEADS, CODE_HEADS)
"""What a number is called by its name with."""
_WORTH_A_LOOK: Any = re2.compile(f"{_NAMED.pattern}|{TELLING}")
"""Most texts have none of it."""

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
    wanted = _wanted(options.entities, options.pci_mode)
    starts: list[int] = []
    found: list[Span] = []
    for label, start, end in _candidates(text, wanted, pci_mode=options.pci_mode):
        at = bisect_left(starts, start)
        if (at and found[at - 1].end > start) or (at < len(found) and found[at].start < end):
            continue
        starts.insert(at, start)
        found.insert(at, Span(path, start, end, label, label.lower()))
    return found


@lru_cache(64)
def _wanted(entities: tuple[str, ...], pci_mode: bool) -> frozenset[str]:
    coded = pci_mode and "CREDIT_CARD" in entities
    return frozenset((*entities, SECURITY_CODE) if coded else entities)


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


def _candidates(text: str, wanted: frozenset[str], *, pci_mode: bool) -> Iterator[tuple[str, int, int]]:
    """(entity, start, end), the surest kinds first: an earlier one wins over a later one that overlaps it."""
    if "@" in text and "EMAIL_ADDRESS" in wanted:
        yield from _emails(text)
    if ":" in text and "IP_ADDRESS" in wanted:
        yield from _ipv6(text)
    marked = Marked(text)
    if marked.unusual or _WORTH_A_LOOK.search(marked.plain) is not None:
        named = marked.unusual or _NAMED.search(marked.plain) is not None
        yield from _with_numbers(marked, wanted, named=named, pci_mode=pci_mode)


def _with_numbers(
    marked: Marked, wanted: frozenset[str], *, named: bool, pci_mode: bool
) -> Iterator[tuple[str, int, int]]:
    yield from _long_numbers(marked, wanted, pci_mode=pci_mode)
    if named and SECURITY_CODE in wanted:
        for start, end in find_security_codes(marked):
            yield SECURITY_CODE, start, end
    if named and "MEDICAL_RECORD_NUMBER" in wanted:
        for match in marked.begun(_MRN_BEGUN, _MRN):
            yield "MEDICAL_RECORD_NUMBER", match.start(1), match.end(1)
    if marked.stretches:
        yield from _in_stretches(marked, wanted, named=named)


def _in_stretches(marked: Marked, wanted: frozenset[str], *, named: bool) -> Iterator[tuple[str, int, int]]:
    yield from _with_context(marked, wanted, named=named)
    text = marked.text
    if "IP_ADDRESS" in wanted:
        dotted = [one for one in marked.stretches if marked.plain.find(b".", one.start, one.end) >= 0]
        for match in _in(dotted, _IPV4, text):
            if _ip_holds(match[0]) and not _VERSION_WORD.search(text, max(0, match.start() - 12), match.start()):
                yield "IP_ADDRESS", match.start(), match.end()
    if "PHONE_NUMBER" in wanted:
        for start, end in find_phones(text, marked.stretches):
            yield "PHONE_NUMBER", start, end


def _in(stretches: Iterable[Stretch], pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for stretch in stretches:
        yield from pattern.finditer(text, stretch.start, stretch.end)


def _long_numbers(marked: Marked, wanted: frozenset[str], *, pci_mode: bool) -> Iterator[tuple[str, int, int]]:
    if "IBAN_CODE" in wanted:
        for match in _in((one for one in marked.stretches if one.lettered), _IBAN, marked.text):
            end = _iban_end(match[0])
            if end:
                yield "IBAN_CODE", match.start(), match.start() + end
    if "CREDIT_CARD" in wanted:
        for start, end in find_cards(marked.text, marked.stretches, pci_mode=pci_mode):
            yield "CREDIT_CARD", start, end


def _with_context(marked: Marked, wanted: frozenset[str], *, named: bool) -> Iterator[tuple[str, int, int]]:
    if "US_SSN" in wanted:
        for match in _in((one for one in marked.stretches if one.digits >= _SSN_DIGITS), _SSN, marked.text):
            if match[1] == "-" or not _UNIT.search(marked.text, max(0, match.start() - 12), match.start()):
                yield "US_SSN", match.start(), match.end()
        if named:
            for match in marked.begun(_SSN_BEGUN, _SSN_SAID):
                yield "US_SSN", match.start(1), match.end(1)
    if named and "DATE_OF_BIRTH" in wanted:
        lowered = None
        for match in marked.begun(_BORN_BEGUN, _BORN):
            lowered = marked.lowered() if lowered is None else lowered
            if not any(hint in lowered for hint in _BORN_HINTS):
                break
            yield "DATE_OF_BIRTH", match.start(1), match.end(1)
    if not wanted.isdisjoint(NATIONAL_IDS):
        for label, start, end in find_national_ids(marked):
            if label in wanted:
                yield label, start, end


def _emails(text: str) -> Iterator[tuple[str, int, int]]:
    done, at = 0, text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at)
        local = _LOCAL.search(text, max(done, at - _LONGEST_LOCAL), at) if domain is not None else None
        if domain is not None and local is not None:
            done = domain.end()
            yield "EMAIL_ADDRESS", local.start(), done
        at = text.find("@", at + 1)


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
