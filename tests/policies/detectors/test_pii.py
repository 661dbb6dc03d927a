"""Personal data: what is found, by which evidence, and what is left alone."""

from __future__ import annotations

# ruff: noqa: E501 - tables of texts
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.config import PiiDetector
from policies.detectors import cards, pii
from policies.detectors.cards import find_security_codes
from policies.detectors.entities import ENTITIES, NATIONAL_IDS
from policies.detectors.stretches import Marked

EVERYTHING = PiiDetector.model_construct(entities=ENTITIES, pci_mode=False, action="redact")
STRICT = PiiDetector.model_construct(entities=ENTITIES, pci_mode=True, action="redact")


def found(text: str, options: PiiDetector = EVERYTHING) -> dict[str, str]:
    return {span.label: text[span.start : span.end] for span in pii.find("/p", text, options)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gb50mvfc38361978683032 in lower case", {"IBAN_CODE": "gb50mvfc38361978683032"}),
        ("born on 12 March 1980 in Leeds", {"DATE_OF_BIRTH": "12 March 1980"}),
        ("DOB: 03/23/1940", {"DATE_OF_BIRTH": "03/23/1940"}),
        ("the meeting is on 03/23/2030", {}),
        ("phone 020 7946 0018 x12", {"PHONE_NUMBER": "020 7946 0018 x12"}),
        ("Erika Muster\n089 72 63 41\n80331 München", {"PHONE_NUMBER": "089 72 63 41"}),
        ("population 12 345 678 in 2020", {}),
        ("invoice 415-555-2671 is due", {}),
        ("from 2001-2005 and 2010-2015", {}),
        ("version 10.0.19045.2 runs on 10.1.2.3", {"IP_ADDRESS": "10.1.2.3"}),
        ("firmware 4.2.1.7 is out", {}),
        ("social security 536904399", {"US_SSN": "536904399"}),
        ("SSN 536 90 4399", {"US_SSN": "536 90 4399"}),
        ("Suite 536 90 4399 Oak Lane", {}),
        ("Apt. 536-90-4399", {"US_SSN": "536-90-4399"}),
        ("call at 10:30:15, ratio 1:2:3", {}),
        ("DNI 12345678Z", {"ES_NIF": "12345678Z"}),
        ("DNI 12345678A has a wrong letter", {}),
        ("codice fiscale RSSMRA85T10A562S", {"IT_FISCAL_CODE": "RSSMRA85T10A562S"}),
        ("NHS number 943 476 5919", {"UK_NHS": "943 476 5919"}),
        ("NI number AB 12 34 56 C", {"UK_NINO": "AB 12 34 56 C"}),
        ("PESEL 44051401359", {"PL_PESEL": "44051401359"}),
        ("CPF 390.533.447-05", {"BR_CPF": "390.533.447-05"}),
        ("BSN 111222333", {"NL_BSN": "111222333"}),
    ],
)  # fmt: skip
def test_evidence_decides(text: str, expected: dict[str, str]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize("separator", ["", " ", "-", ".", "_", "/", "\n", " - ", "\u200b", "\u00a0", "·", "\u202e"])
def test_pci_mode_sees_through_any_separator(separator: str) -> None:
    text = f"pay {separator.join(('4111', '1111', '1111', '1111'))} now"
    assert [span.label for span in pii.find("/p", text, STRICT)] == ["CREDIT_CARD"]


@pytest.mark.parametrize("zero", ["٠", "०", "０", "০", "𝟎"])
def test_pci_mode_reads_the_digits_of_any_script(zero: str) -> None:
    text = "".join(chr(ord(zero) + int(digit)) for digit in "4111111111111111")
    [span] = pii.find("/p", text, STRICT)
    assert text[: span.start] + text[span.end :] == ""


def test_pci_mode_finds_a_security_code_that_comes_in_a_message_of_its_own() -> None:
    assert found("and the cvv is 123", STRICT) == {"CARD_SECURITY_CODE": "123"}


def test_pci_mode_finds_a_card_among_other_numbers_and_its_security_code() -> None:
    text = "id 987654 4111111111111111 12/27 cvv: 123"
    assert found(text, STRICT) == {"CREDIT_CARD": "4111111111111111", "CARD_SECURITY_CODE": "123"}


@pytest.mark.parametrize("before", ["", "123456 ", "56 ", "00", "6011 ", "1 1 1 1 5 "])
@pytest.mark.parametrize("after", ["", " 12 27", " 1", " 4111", "99"])
def test_pci_mode_leaves_no_more_than_four_digits_of_a_card_behind(before: str, after: str) -> None:
    text = f"{before}4539 5787 6362 1486{after}" if not before.endswith("00") else f"{before}4539578763621486{after}"
    [*spans] = pii.find("/p", text, STRICT)
    start = text.index("4539")
    left = [i for i in range(start, start + 16) if text[i].isdecimal() and not any(s.start <= i < s.end for s in spans)]
    assert len(left) <= 4


def test_of_a_masked_card_only_the_last_four_stay() -> None:
    assert pii.masked("4111-1111-1111-1234", "CREDIT_CARD") == "****-****-****-1234"
    assert pii.masked("536-90-4399", "US_SSN") == "***-**-****"
    assert pii.masked("jane@roe.example", "EMAIL_ADDRESS") == "****@***.*******"


def test_a_hash_is_the_same_for_the_same_number_and_needs_the_key() -> None:
    one = pii.hashed("4111-1111-1111-1111", "CREDIT_CARD", b"key")
    assert one == pii.hashed("4111 1111 1111 1111", "CREDIT_CARD", b"key")
    assert one != pii.hashed("4111 1111 1111 1111", "CREDIT_CARD", b"other")
    assert one.startswith("[CREDIT_CARD:")


def test_only_the_wanted_entities_are_found() -> None:
    options = PiiDetector.model_construct(entities=("EMAIL_ADDRESS",), pci_mode=False, action="redact")
    assert found("a@b.example 4111111111111111 DNI 12345678Z", options) == {"EMAIL_ADDRESS": "a@b.example"}
    assert set(NATIONAL_IDS) <= set(ENTITIES)


@given(st.text(alphabet=st.characters(), max_size=300))
def test_spans_are_in_order_inside_the_text_and_apart(text: str) -> None:
    end = 0
    for span in pii.find("/p", text, STRICT):
        assert end <= span.start < span.end <= len(text)
        end = span.end


@pytest.mark.parametrize(
    "piece",
    ["1 ", "1", "4111 1111 ", "a@", "@", ":", "1:", "1.", "(1", "+1 ", "cvv ", "GB12 ", "born 1 ", "nhs 1", "\ud800", "\u202e1", "-1", "1-1 "],
)  # fmt: skip
def test_time_grows_with_the_length_only(piece: str) -> None:
    short, long = piece * (20_000 // len(piece)), piece * (320_000 // len(piece))
    begun = time.process_time()
    pii.find("/p", short, STRICT)
    between = time.process_time()
    pii.find("/p", long, STRICT)
    assert time.process_time() - between < 60 * (between - begun) + 1


_PIECES = st.sampled_from(
    ["ssn ", "SſN ", "social security ", "dob ", "d.o.b. ", "née le ", "NÉ LE ", "date of birth: ", "mrn ", "patient id ", "cvv ", "CID: ",
     "security code is ", "nhs ", "tfn ", "536904399", "123", "1980", "12/3/1980", "12 March 1980", "٣٤", "943 476 5919", "a@b.example", "@",
     "gb50mvfc38361978683032", "ABCPD1234E", "10.1.2.3", "4111 1111 1111 1111", "é", "—", " ", "\n", ".", "word ", "x"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_what_is_tried_only_at_its_beginnings_is_found_wherever_it_stands(text: str) -> None:
    marked = Marked(text)
    for heads, pattern in ((pii._SSN_BEGUN, pii._SSN_SAID), (pii._MRN_BEGUN, pii._MRN), (pii._BORN_BEGUN, pii._BORN)):
        assert [m.span() for m in marked.begun(heads, pattern)] == [m.span() for m in pattern.finditer(text)]
    assert list(find_security_codes(marked)) == [m.span(1) for m in cards._CODE.finditer(text)]


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_texts_that_are_not_worth_a_look_have_nothing_in_them(text: str) -> None:
    called_by_a_name = f"{text}\n ssn "
    assert pii.find("/p", called_by_a_name, STRICT) == pii.find("/p", text, STRICT)


@given(st.lists(st.sampled_from(["a", "1", "23", " ", "." * 8, "." * 9, "é", "٣", "\n"]), max_size=14).map("".join))
def test_stretches_are_runs_of_digits_with_little_between_them(text: str) -> None:
    runs = [m for m in re.finditer(r"\d(?:\D{0,8}\d)*", text) if sum(map(str.isdecimal, m[0])) >= 4]
    expected = [(max(0, m.start() - 8), min(len(text), m.end() + 8), sum(map(str.isdecimal, m[0]))) for m in runs]
    assert [(one.start, one.end, one.digits) for one in Marked(text).stretches] == expected
