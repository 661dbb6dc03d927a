"""Numbers that states give to people: recognised by shape, then by check digits (python-stdnum), then by context.

A number of digits alone passes a checksum by chance once in ten or a hundred times, so those need a word that names
them nearby; shapes with letters in them stand for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module

from policies.detectors.stretches import Marked, Stretch

_SHAPES: tuple[tuple[str, str, str], ...] = (
    ("ES_NIF", "stdnum.es.dni", r"\d{8}-?[A-Z]"),
    ("ES_NIE", "stdnum.es.nie", r"[XYZ]-?\d{7}-?[A-Z]"),
    ("IT_FISCAL_CODE", "stdnum.it.codicefiscale", r"[A-Z]{6}\d{2}[ABCDEHLMPRST]\d{2}[A-Z]\d{3}[A-Z]"),
    ("IN_PAN", "stdnum.in_.pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]"),
    ("FI_PERSONAL_IDENTITY_CODE", "stdnum.fi.hetu", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]"),
    ("SG_NRIC_FIN", "", r"[STFGM]\d{7}[A-Z]"),
    ("UK_NINO", "", r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"),
)
_LETTERED = re.compile(
    r"(?<![\w-])(?:" + "|".join(f"(?P<{name}>{shape})" for name, _, shape in _SHAPES) + r")(?![\w-])", re.IGNORECASE
)
_MODULES = {name: module for name, module, _ in _SHAPES}

_NAMED: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("UK_NHS", "stdnum.gb.nhs", ("nhs",), r"\d{3}[ -]?\d{3}[ -]?\d{4}"),
    ("US_ITIN", "stdnum.us.itin", ("itin", "taxpayer"), r"9\d{2}[ -]?\d{2}[ -]?\d{4}"),
    ("CA_SIN", "stdnum.ca.sin", ("social insurance", "sin "), r"\d{3}[ -]?\d{3}[ -]?\d{3}"),
    ("DE_TAX_ID", "stdnum.de.idnr", ("steuer", "tax id"), r"\d{2}[ ]?\d{3}[ ]?\d{3}[ ]?\d{3}"),
    (
        "FR_NIR",
        "stdnum.fr.nir",
        ("sécurité sociale", "securite sociale", "nir", "insee"),
        r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3}(?: ?\d{2})",
    ),
    ("NL_BSN", "stdnum.nl.bsn", ("bsn", "burgerservice"), r"\d{4}[. ]?\d{2}[. ]?\d{3}"),
    ("PL_PESEL", "stdnum.pl.pesel", ("pesel",), r"\d{11}"),
    ("SE_PERSONNUMMER", "stdnum.se.personnummer", ("personnummer",), r"(?:\d{2})?\d{6}[-+]?\d{4}"),
    ("BR_CPF", "stdnum.br.cpf", ("cpf",), r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}"),
    ("IN_AADHAAR", "stdnum.in_.aadhaar", ("aadhaar", "aadhar", "uidai"), r"\d{4}[ -]?\d{4}[ -]?\d{4}"),
    ("AU_TFN", "stdnum.au.tfn", ("tfn", "tax file"), r"\d{3} ?\d{3} ?\d{2,3}"),
)
_NEAR = 60
_LONGEST_WORD = max(len(word) for _, _, words, _ in _NAMED for word in words)
_FEWEST = 8
"""Digits of those numbers; of the others, where no letter stands right before a digit, two fewer."""
_FEWEST_APART = 6

_compiled = {name: re.compile(rf"(?<![\w-]){shape}(?![\w-])") for name, _, _, shape in _NAMED}
_checks: dict[str, Callable[[str], bool]] = {}


def find_national_ids(marked: Marked) -> Iterator[tuple[str, int, int]]:
    """(entity, start, end)."""
    text = marked.text
    for stretch in marked.stretches:
        if stretch.lettered or stretch.digits >= _FEWEST_APART:
            for match in _LETTERED.finditer(text, stretch.start, stretch.end):
                name = match.lastgroup or ""
                if _passes(_MODULES[name], match[0]):
                    yield name, match.start(), match.end()
    long = [stretch for stretch in marked.stretches if stretch.digits >= _FEWEST]
    if long:
        yield from _named(text, marked.lowered(), long)


def _named(text: str, lowered: str, stretches: list[Stretch]) -> Iterator[tuple[str, int, int]]:
    """Numbers with a word before them that says what they are; a word far from all numbers is not looked for."""
    near = "\n".join(lowered[max(0, one.start - _NEAR - _LONGEST_WORD) : one.end] for one in stretches)
    for name, module, words, _ in _NAMED:
        for word in words:
            at = lowered.find(word) if word in near else -1
            while at >= 0:
                end = at + len(word) + _NEAR
                for match in _compiled[name].finditer(text, at, end):
                    if _passes(module, match[0]):
                        yield name, match.start(), match.end()
                at = lowered.find(word, end)


def _passes(module: str, number: str) -> bool:
    """Whether python-stdnum accepts it. The modules are read when first needed, so that a start does not wait."""
    if not module:
        return True
    check = _checks.get(module)
    if check is None:
        check = _checks[module] = import_module(module).is_valid
    return bool(check(number.upper()))
