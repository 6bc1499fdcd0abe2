"""What a refusal says to the person, by the clause that refuses."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

_LAPSED = "No {what} in force is on record. {act}, then ask your coordinator to record it."

ADVICE = MappingProxyType(
    {
        "II.D": "This local list is somebody else's. Ask its owner, or a coordinator to take the entry off.",
        "III.A": "This is the account of the statewide coordinator. The official who appoints to that office "
        "decides about it.",
        "III.B.3.a": "No background check in force is on record. Ask your coordinator to record it.",
        "III.B.3.b": _LAPSED.format(what="security awareness training", act="Complete it"),
        "III.B.3.f": "This belongs to another agency. Ask that agency.",
        "III.B.3.g": "Nobody grants access to himself, and system administrators grant none. Ask another "
        "coordinator.",
        "III.B.3.j": "The written approval of your e-mail address has run out. Ask your coordinator for a "
        "new one, or for an account with a government address.",
        "III.B.3.k": "Sign-ins are their person's own. Ask him, or the coordinator of his unit.",
        "III.B.3.l": "None of your roles allows this. Ask your coordinator which role does.",
        "III.B.3.o/idle": "Nobody has used your account for too long. Ask your coordinator to enable it "
        "anew.",
        "III.B.3.o/over": "Your account has ended. Ask your coordinator if you are to go on.",
        "III.B.3.p": "Support is given under escort only, within its scope and time. Ask your contact at the "
        "agency to begin one, then sign in anew.",
        "III.C.1": "That your commander has appointed you to coordinate the unit is not on record, or has "
        "ended. Ask the statewide coordinator to record it.",
        "III.C.2.a": "This belongs to another unit. Ask that unit's or the statewide coordinator.",
        "III.C.2.b": "Your account is not enabled yet. Ask your coordinator to complete and enable it.",
        "III.D.1": _LAPSED.format(what="ALPR training", act="Complete it"),
        "III.D.2": "You have not acknowledged a document in force. ListDocuments says which; acknowledge it.",
        "III.E.3": "The Motor Carrier Safety guidelines in force are not acknowledged. Read and "
        "acknowledge them.",
        "III.E.4": _LAPSED.format(what="Motor Carrier Safety training", act="Complete it"),
        "IV.B.3/out-of-state": "No written declaration of your agency is in force; 625 ILCS 5/2-130 asks one "
        "of agencies of other states. Have it signed, and ask the agency that shares with you to record it.",
        "IV.A.1": "The system may not be used for this purpose, by anybody.",
        "IV.A.2": "Your account is suspended. Speak with your coordinator.",
        "IV.D.1": "This subscription is somebody else's. Nobody but its owner changes it.",
        "IV.D.3": "This patrol asset belongs to another unit. Go aboard of one of your own unit.",
        "IV.A.4": _LAPSED.format(what="LEADS certification", act="Renew it"),
    }
)


def advice(clauses: Sequence[str]) -> str:
    """One sentence or more for the person, most telling clause first; never empty."""
    known = [ADVICE[clause] for clause in clauses if clause in ADVICE]
    return " ".join(known) or ADVICE["III.B.3.l"]
