"""The kinds of personal data by name, as Microsoft Presidio calls them where it has a name for them."""

from __future__ import annotations

NATIONAL_IDS = (
    "AU_TFN",
    "BR_CPF",
    "CA_SIN",
    "DE_TAX_ID",
    "ES_NIE",
    "ES_NIF",
    "FI_PERSONAL_IDENTITY_CODE",
    "FR_NIR",
    "IN_AADHAAR",
    "IN_PAN",
    "IT_FISCAL_CODE",
    "NL_BSN",
    "PL_PESEL",
    "SE_PERSONNUMMER",
    "SG_NRIC_FIN",
    "UK_NHS",
    "UK_NINO",
    "US_ITIN",
)
"""Numbers of people that carry a checksum, or a shape that nothing else has."""

ENTITIES = (
    "CREDIT_CARD",
    "DATE_OF_BIRTH",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "IP_ADDRESS",
    "MEDICAL_RECORD_NUMBER",
    "PHONE_NUMBER",
    "US_SSN",
    *NATIONAL_IDS,
)
"""All that `policies.detectors.pii` can find."""

SECURITY_CODE = "CARD_SECURITY_CODE"
"""Found with the cards in PCI mode; never to be kept after authorisation (PCI DSS 4.0, requirement 3.3)."""
