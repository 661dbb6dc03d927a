"""Telephone numbers by their shape and by what is said about them.

A number is one when it is written as only telephone numbers are (+49 …, (415) …, x123), when it is grouped as in North
America, or when a word nearby says so. Words such as `order` or `invoice` before it say the opposite. Whether a number
is in service is for `phonenumbers` to say; that costs three times as much as everything here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from policies.detectors.stretches import Stretch

_CANDIDATE = re.compile(
    r"(?<![\w.,@#/$€£-])[+(]{0,2}+\d{1,15}+(?>(?:[ .\u00a0/()-]{1,2}+\d{1,10}+){0,6})(?:\s?(?:x|ext\.?|#)\s?\d{1,6}+)?(?![\w@]|[.,/-]\d)"
)
_SURE = re.compile(r"\+\d|\(\d{2,4}\)[ .-]?\d|\(\+\d|\d ?(?:x|ext)")
_NORTH_AMERICA = re.compile(r"(?:(?:\+?1|001)[ .-]?)?\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4}\Z")
_TRUNK = re.compile(r"0\d{1,4}(?:[ .-]\d{2,8}){1,5}\Z|00\d{1,3}[ .-]\d")
_SAID = re.compile(
    r"(?i)\b(?:phone|tel|telephone|call(?:ed|ing)?|mobile|cell(?:phone)?|fax|reach|text(?:ed)?|answer(?:ing)?|sms|whatsapp|dial|ring|hotline|helpline|landline|contact|voicemail|number|numbers|office|home|work|ph|hotline|callback|pager|direct|switchboard|extension|móvil|teléfono|telefon|handy|rufnummer|téléphone|portable|telefono|cellulare|telefoon|mobiel)\b"
)
_NOT_A_PHONE = re.compile(
    r"(?i)\b(?:order|invoice|case|ticket|ref(?:erence)?|account|policy|tracking|model|part|serial|isbn|sku|item|id|version|page|section|room|zip|license|licence|passport|iban|card|years?)\b(?!.*\b(?:phone|call|tel|mobile|cell|fax)\b)"
)
_OTHER = re.compile(
    r"\d{3}-\d{2}-\d{4}\Z|(?:19|20)\d{2}[-/. ]\d{1,2}[-/. ]\d{1,2}\b|\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)\d{2}\b|(?:19|20)\d{2}[-–](?:19|20)?\d{2}\Z"
)
_GROUPED = re.compile(r"\d{2,4}([-.])\d{2,4}\1\d{2,4}(?:\1\d{2,4}){0,2}\Z")
_THOUSANDS = re.compile(r"\d{1,3}(?: \d{3})+\Z")
_LINE = re.compile(r"[ \t]*(?:[\w .]{0,10}[:-])?[ \t]*\Z")
_FEWEST, _MOST = 7, 15
"""Digits of a telephone number."""
_EXTENSION = re.compile(r"(?:x|ext\.?|#)\s?\d{1,6}\Z")


def find_phones(text: str, stretches: Sequence[Stretch]) -> Iterator[tuple[int, int]]:
    """Where telephone numbers stand in those parts of a text, from left to right."""
    for stretch in stretches:
        if stretch.digits < _FEWEST:
            continue
        for match in _CANDIDATE.finditer(text, stretch.start, stretch.end):
            found = match[0]
            if len(found) < _FEWEST:
                continue
            number = _EXTENSION.sub("", found).rstrip()
            digits = sum(map(str.isdecimal, number))
            if (
                _FEWEST <= digits <= _MOST
                and not _OTHER.match(found)
                and _holds(text, match.start(), found, number, digits)
            ):
                yield match.start(), match.end()


def _holds(text: str, start: int, found: str, number: str, digits: int) -> bool:
    if found.startswith(("+", "(+")):
        return True
    before = text[max(0, start - 60) : start]
    if _NOT_A_PHONE.search(before[-30:]):
        return False
    if _SURE.search(found) or _NORTH_AMERICA.match(number):
        return True
    if _TRUNK.match(number) and digits >= 8:
        return True
    if _GROUPED.match(number) and digits >= 8:
        return True
    after = text[start + len(found) : start + len(found) + 20]
    if _SAID.search(before) or _SAID.search(after):
        return True
    # A line of its own, as in a signature or an address.
    alone = _LINE.match(before.rpartition("\n")[2]) and (not after or after.lstrip(" \t")[:1] in ("", "\n", "\r"))
    return bool(alone) and digits >= 8 and len(number) > digits and not _THOUSANDS.match(number)
