"""What each source calls an entry, and its category here: one explicit map a source (ENF-051 II.E)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.matcher.core.entry import Category

LEADS_PERSON_LISTS: Final[Mapping[str, Category]] = {
    "MISSING": Category.MISSING,
    "WANTED": Category.WANTED,
}
"""The lists of the Illinois LEADS hot file that are about persons."""
LEADS_STOLEN: Final = "STOLEN"
"""The list of the same file that is about stolen vehicles and stolen plates; each row shows which."""

# The file that is published has the first two. Expired registrations are the third of the directive's kinds
# that the Secretary of State knows (II.E), so a row that is called so can mean nothing else.
SOS_LISTS: Final[Mapping[str, Category]] = {
    "SUSPEND": Category.SUSPENDED,
    "REVOKED": Category.REVOKED,
    "EXPIRED": Category.EXPIRED_REGISTRATION,
}
"""The lists of the Illinois Secretary of State."""

NCIC_IMMIGRATION: Final = "N"
"""NCIC's file of immigration violators: taken only if a system administrator said so (625 ILCS 5/2-130)."""
# The directive has no category for the others; the record number, which begins with the file's code, says
# which.
NCIC_FILES: Final[Mapping[str, Category]] = {
    "A": Category.AMBER,
    "F": Category.FELONY,
    "M": Category.MISSING,
    "P": Category.STOLEN_PLATE,
    "V": Category.STOLEN_VEHICLE,
    "W": Category.WANTED,
    "C": Category.OTHER,  # supervised release
    "H": Category.OTHER,  # protection order
    "K": Category.OTHER,  # protective interest
    "L": Category.OTHER,  # violent person
    "R": Category.OTHER,  # Canadian records
    "T": Category.OTHER,  # gangs and terrorists
    "X": Category.OTHER,  # sex offenders
    NCIC_IMMIGRATION: Category.OTHER,
}
"""The files of the NCIC extract for plate readers, by their code."""
