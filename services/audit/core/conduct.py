"""What people asked, as the rules about misuse see it: who, when, about what, for which case, in which words.

Questions that are alike within an hour count as one: pages of an answer, a button that was pressed twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from services.audit.core.justification import Rules

_DIGEST_CHARACTERS = 32
_WORD = re.compile(r"[^\W\d_]{3,}")
# What follows a search of its own: a picture, one read, evidence of it. Looking closer is no question more.
_LOOKS_CLOSER = frozenset(
    {
        "image",
        "read",
        "evidence",
        "evidencecopy",
        "mcsimage",
        "mcsevidence",
        "mcsevidencecopy",
        "heldimage",
        "mcsheldimage",
    }
)
_QUESTION = "question."
_WATCHES = frozenset({"local_list.add"})
_TARGETS = ("plate", "plates")
# Canonical text has "name:length:value".
_LINE = re.compile(r"^([a-z_0-9]+):(?:[0-9]+:)?(.*)$")


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that a person asked, or was refused, in one hour.

    Args:
        log_index: The first entry of the log that says so.
        hour: The hour in UTC in which it was.
        target: Digest of the plate that it is about; "" when it is about none.
        case: Digest of kind and number of the case; "" when there is none.
        words: Digest of the purpose, without regard to capitals and spaces; "" when there is none.
        offence: The offence code.
        thin: The purpose says next to nothing.
        barred: The account had ended or was suspended, and so it was refused.
        leaves: Something was to leave the system as a file.
    """

    log_index: int
    hour: datetime
    target: str = ""
    case: str = ""
    words: str = ""
    offence: str = ""
    thin: bool = False
    barred: bool = False
    leaves: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """All but the entry."""
        return (self.hour, self.target, self.case, self.words, self.offence, self.barred, self.leaves)


def asked_in(log_index: int, moment: datetime, fields: Mapping[str, str], rules: Rules) -> Asked | None:
    """What the entry says that a person asked; None for an entry that says nothing about that.

    What a look-back asks follows from the act that brought the entries and is no question more, like further
    pages of an answer.
    """
    action, kind = fields.get("action", ""), fields.get("kind", "")
    barred = kind == "refusal" and _is_barred(fields.get("clauses", ""))
    if not barred and not _counts(action, kind, fields.get("subject", "")):
        return None
    target = "" if barred else _target(fields)
    case = f"{fields.get('case_number_kind', '')}/{fields.get('case_number', '').upper()}"
    purpose = " ".join(fields.get("purpose", "").lower().split())
    return Asked(
        log_index=log_index,
        hour=moment.replace(minute=0, second=0, microsecond=0),
        target=_digest(target),
        case=_digest(case) if fields.get("case_number") else "",
        words=_digest(purpose),
        offence=fields.get("offence_code", ""),
        thin=_is_thin(purpose, fields.get("offence_code", ""), rules),
        barred=barred,
        leaves=_leaves(action),
    )


def _counts(action: str, kind: str, subject: str) -> bool:
    if kind == "query":
        is_question = action.startswith(_QUESTION) and action != "question.log"
        return is_question and not subject and action.removeprefix(_QUESTION) not in _LOOKS_CLOSER
    return kind == "intent" and (action in _WATCHES or _leaves(action))


def _leaves(action: str) -> bool:
    name = action.removeprefix("mcs_")
    # To ask for an export is a question; what leaves is an act.
    return name.startswith("dissemination.") and name.partition(".")[2] in {
        "export",
        "share",
        "government",
        "public",
    }


def _is_barred(clauses: str) -> bool:
    return bool({"IV.A.2", "III.B.3.o/over"} & set(clauses.split(",")))


def _target(fields: Mapping[str, str]) -> str:
    """The plate that it is about, or ""."""
    if watched := fields.get("detail.pattern", ""):
        return watched
    for line in fields.get("question", "").splitlines():
        found = _LINE.match(line)
        if found and found[1] in _TARGETS and found[2]:
            return found[2]
    return ""


def _is_thin(purpose: str, offence: str, rules: Rules) -> bool:
    """True for words that anybody may say of anything, with one at most that says something.

    The title of a code that states the criminal nexus by itself is never thin: the directive's own
    examples are such purposes (IV.C.6).
    """
    words, code = set(_WORD.findall(purpose)), rules.codes.get(offence)
    title = set(_WORD.findall(code.title.lower())) if code else set()
    if not purpose or (code and code.title_suffices and (title - rules.vague) & words):
        return False
    return len(words - rules.vague - title) <= 1


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS] if text else ""
