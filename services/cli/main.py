"""The `platewarden` command: which word stands for what."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

_HELP: Final = "An open automated licence plate reader in which every query has to answer for itself."

# Module and name of what a word calls, in the order of the help: a function, or the group of its commands.
WORDS: Final[Mapping[str, str]] = {
    "up": "up:up",
    "demo": "demo.command:demo",
    "bootstrap": "bootstrap:bootstrap",
    "login": "login:login",
    "logout": "login:logout",
    "token": "token:token",
    "console": "console:console",
    "capture": "capture:capture",
    "read": "read:read",
    "watch": "watch.command:watch",
    "purposes": "search:purposes",
    "doctor": "doctor:app",
    "deploy": "deploy:app",
    "account": "account:app",
    "sign-in": "sign_in:app",
    "unit": "unit:app",
    "office": "office:app",
    "roster": "roster:app",
    "review": "review:app",
    "packet": "review:packet_app",
    "policy": "policy:app",
    "document": "document:app",
    "escort": "escort:app",
    "incident": "records:incident_app",
    "contract": "records:contract_app",
    "support": "records:support_app",
    "agency": "sensor:agency_app",
    "agreement": "agreement:app",
    "sensor": "sensor:app",
    "mcs": "motor_carrier:app",
    "hotlist": "hotlist:app",
    "local": "local:app",
    "scope": "scope:app",
    "model": "model:app",
    "alert": "alert:app",
    "subscription": "subscription:app",
    "webhook": "webhook:app",
    "dispatch": "dispatch:app",
    "patrol": "patrol:app",
    "audit": "audit:app",
    "witness": "witness:app",
    "transparency": "transparency:app",
    "search": "search:app",
    "evidence": "evidence:app",
    "dissemination": "dissemination:app",
    "export": "export:app",
    "retention": "retention:app",
    "declaration": "declaration:app",
    "probe": "probe:app",
    "conformance": "conformance.command:app",
    "request": "government_request:app",
    "setting": "setting:app",
    "hold": "hold:app",
    "key": "key:app",
}
# What a group has besides the commands of its own module.
MORE: Final[Mapping[str, Mapping[str, str]]] = {
    "sensor": {
        "health": "sensor_health:health",
        "active": "sensor_health:active",
        "maintenance": "sensor_health:maintenance",
        "report": "sensor_health:report",
        "limit": "group_limit:limit",
        "limits": "group_limit:limits",
        "place": "sensor_place:place",
        "end-place": "sensor_place:end_place",
        "survey": "sensor_place:survey",
        "show": "sensor_place:show",
        "certify": "sensor_certificate:certify",
        "record-certificate": "sensor_certificate:record_certificate",
        "revoke": "sensor_certificate:revoke",
    },
    "hotlist": {
        "show": "hotlist_show:show",
        "approve": "hotlist_history:approve",
        "roll-back": "hotlist_history:roll_back",
        "deactivate": "hotlist_history:deactivate",
        "immigration-file": "hotlist_history:immigration_file",
        "versions": "hotlist_history:versions",
        "diff": "hotlist_history:diff",
        "refused": "hotlist_history:refused",
        "report": "hotlist_history:report",
    },
    "alert": {"list": "alert_list:list_alerts", "ask": "alert_ask:ask"},
    "audit": {
        "list": "log_query:entries",
        "mine": "log_query:mine",
        "disclose": "log_query:disclose",
        "redact": "log_query:redact",
        "unfinished": "log_query:unfinished",
        "consistency": "log_query:consistency",
    },
    "search": {
        "read": "search_read:read",
        "image": "search_read:image",
        "convoy": "search_analysis:convoy",
        "pattern": "search_analysis:pattern",
        "summary": "search_analysis:summary",
        "corridor": "search_analysis:corridor",
        "stakeout": "search_scenes:stakeout",
        "compare": "search_scenes:compare",
        "report": "search_report:report",
        "evidence": "search_report:evidence",
    },
}


class _Words(TyperGroup):
    """All words. What one calls is imported when it is called: that is most of the time of a command."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The words, in the order of the help."""
        return list(WORDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What the word calls; None where there is no such word."""
        # All are known before one is suggested that looks like it.
        for word in [cmd_name] if cmd_name in WORDS else WORDS:
            self.commands[word] = _command_of(word)
        return self.commands.get(cmd_name)


@functools.cache
def _command_of(word: str) -> Any:
    holder, found = typer.Typer(), _imported(WORDS[word])
    if isinstance(found, typer.Typer):
        for name, place in MORE.get(word, {}).items():
            found.command(name)(_imported(place))
        holder.add_typer(found, name=word)
    else:
        holder.command(word)(found)
    return get_group(holder).commands[word]


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f"services.cli.{module}"), name)


app = typer.Typer(
    name="platewarden",
    cls=_Words,
    no_args_is_help=True,
    help=_HELP,
    pretty_exceptions_enable=False,  # a traceback with local variables could show a plate or a token
)


@app.callback(help=_HELP)
def _root() -> None:
    """What all words have in common: nothing, so far."""


def main() -> None:
    """Entry point of the console script."""
    app()
