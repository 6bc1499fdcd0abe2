"""The policy folder: Cedar policies, purpose catalogue, case number formats."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from services.audit.core.declaration import OutOfStateLaw
from services.audit.core.email import EmailPack, is_domain
from services.audit.core.justification import CaseNumberFormat, Prohibition, PurposeCode, Rules
from services.audit.core.policy import Policies, PolicyError
from services.audit.core.records import Contact, Contacts
from services.audit.core.retention import RetentionPack
from services.audit.core.settings import Bounds, SettingsPack
from services.common.config import ConfigError

CASE_NUMBER_KINDS = ("CAD", "FIELD_REPORT", "TRACS", "I_CASE", "CRASH_REPORT", "LEADS_NCIC", "OUTSIDE_AGENCY")


@dataclass(frozen=True, slots=True)
class PolicyFolder:
    """Everything that the folder says, read and checked."""

    policies: Policies
    rules: Rules
    retention: RetentionPack
    contacts: Contacts
    settings: SettingsPack
    out_of_state: OutOfStateLaw
    email: EmailPack


def load(folder: Path) -> PolicyFolder:
    """Reads and checks `folder`.

    Raises:
        ConfigError: A file is missing or wrong.
    """
    try:
        texts = tuple(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.cedar")))
        schema = (folder / "platewarden.cedarschema").read_text(encoding="utf-8")
        return PolicyFolder(
            policies=_parsed(texts, schema),
            rules=_rules(folder),
            retention=_retention(folder),
            contacts=_contacts(folder),
            settings=_settings(folder),
            out_of_state=_out_of_state(folder),
            email=_email(folder),
        )
    except (PolicyError, OSError, KeyError, TypeError, ValueError, re.error) as error:
        msg = f"PW_POLICY_DIR: the folder {folder} cannot be used: {error}"
        raise ConfigError(msg) from None


@lru_cache(maxsize=1)
def _parsed(texts: tuple[str, ...], schema: str) -> Policies:
    """The policies; a process that assembles the service more than once parses the same texts once."""
    return Policies(texts, schema)


def _rules(folder: Path) -> Rules:
    purposes = tomllib.loads((folder / "purposes.toml").read_text(encoding="utf-8"))
    formats = tomllib.loads((folder / "case_numbers.toml").read_text(encoding="utf-8"))
    codes = [PurposeCode(one["code"], one["title"], one["title_suffices"]) for one in purposes["code"]]
    return Rules(
        formats={kind: _format(formats[kind]) for kind in CASE_NUMBER_KINDS},
        codes={one.code: one for one in sorted(codes, key=lambda one: one.code)},
        vague=frozenset(purposes["vague"]["words"]),
        prohibited=tuple(_prohibition(one) for one in purposes["prohibited"]),
    )


def _retention(folder: Path) -> RetentionPack:
    return RetentionPack(**tomllib.loads((folder / "retention.toml").read_text(encoding="utf-8")))


def _settings(folder: Path) -> SettingsPack:
    said = tomllib.loads((folder / "settings.toml").read_text(encoding="utf-8"))
    return SettingsPack(said["name"], {name: Bounds(**one) for name, one in said["setting"].items()})


def _email(folder: Path) -> EmailPack:
    said = tomllib.loads((folder / "email.toml").read_text(encoding="utf-8"))
    pack = EmailPack(frozenset(said["suffixes"]), frozenset(said["checked"]))
    if not all(map(is_domain, pack.checked)):
        raise ValueError("email.toml: a checked domain must be a DNS name in lower case")
    return pack


def _out_of_state(folder: Path) -> OutOfStateLaw:
    return OutOfStateLaw(**tomllib.loads((folder / "out_of_state.toml").read_text(encoding="utf-8")))


def _contacts(folder: Path) -> Contacts:
    tables = tomllib.loads((folder / "contacts.toml").read_text(encoding="utf-8"))
    made = {name: Contact(**table) for name, table in tables.items()}
    for name, one in made.items():
        if not (one.name and one.email and one.telephone):
            msg = f"contacts.toml: {name} needs a name, an e-mail address and a telephone number"
            raise ValueError(msg)
    return Contacts(**made)


def _format(table: dict[str, Any]) -> CaseNumberFormat:
    return CaseNumberFormat(table["name"], re.compile(table["pattern"]), table["example"])


def _prohibition(table: dict[str, Any]) -> Prohibition:
    return Prohibition(table["about"], tuple(re.compile(one, re.IGNORECASE) for one in table["patterns"]))
