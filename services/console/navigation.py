"""Where a person may want to go. It only spares people pages that would refuse them: the services decide."""

from __future__ import annotations

from typing import Final

from alpr.audit.v1 import authorization_service_pb2 as roles
from alpr.audit.v1.account_service_pb2 import Account

_COORDINATORS: Final = frozenset({roles.ROLE_STATEWIDE_COORDINATOR, roles.ROLE_WORK_UNIT_COORDINATOR})
_ASKERS: Final = frozenset({roles.ROLE_USER, roles.ROLE_CVEO, roles.ROLE_CVEO_SUPERVISOR})
_LINKS: Final = (
    ("/board", "Alerts", _ASKERS | {roles.ROLE_TELECOM_CENTER}),
    (
        "/patrol",
        "Patrol cars",
        frozenset({roles.ROLE_USER, roles.ROLE_SENSOR_OPERATOR, roles.ROLE_TELECOM_CENTER}),
    ),
    ("/alerts/late", "Not answered", _COORDINATORS),
    ("/search", "Search", _ASKERS | _COORDINATORS),
    ("/hot-lists", "Hot lists", _ASKERS | _COORDINATORS | {roles.ROLE_HOT_LIST_MANAGER}),
    ("/coordinator", "Coordinator", _COORDINATORS | {roles.ROLE_SYSTEM_ADMINISTRATOR}),
    ("/auditor", "Auditor", frozenset({roles.ROLE_AUDITOR, roles.ROLE_STATEWIDE_COORDINATOR})),
)


def links_of(account: Account) -> list[tuple[str, str]]:
    """Path and name of the pages that the account's roles have to do with."""
    held = frozenset(account.roles)
    return [(path, name) for path, name, for_roles in _LINKS if held & for_roles]
