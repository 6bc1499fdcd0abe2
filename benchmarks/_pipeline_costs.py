"""Processor time and memory of a stack's processes, PostgreSQL's by the service that asked for it.

A session of the database belongs to the service whose login it is: its name stands in the title of its
process. What no session does (checkpoints, the write-ahead log's writer, vacuum) is `database`. Sessions
that ended are in the server's own sum of its children and count as `database`, too.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

SERVICES: Final = ("ocr", "matcher", "search", "alerts", "audit")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
# Of /proc/<pid>/stat, counted from the state: parent, own time (user, system), time of children that ended.
_PARENT: Final = 1
_OWN: Final = slice(11, 13)
_ENDED: Final = slice(13, 15)


def seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor time until now, by part: a service, `<service>_db` for its sessions, `database`, `issuer`."""
    spent: dict[str, float] = defaultdict(float)
    server = pids.get("postgres", 0)
    for name, pid in pids.items():
        if name != "postgres":
            spent[name] += _own(pid) + sum(_own(child) for child in _children(pid))
    spent["database"] += _ended(server) + _own(server)
    for session in _children(server):
        spent[_part_of(session)] += _own(session)
    return dict(spent)


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was spent between two moments, by part."""
    return {name: after[name] - before.get(name, 0.0) for name in after}


def megabytes(pids: Mapping[str, int]) -> dict[str, int]:
    """Memory of each service and of PostgreSQL; a page that several processes have counts once."""
    found = {}
    for name, pid in pids.items():
        if pid:
            found[name] = round((_proportional(pid) + sum(map(_proportional, _children(pid)))) / 1024)
    return found


def _part_of(session: int) -> str:
    with contextlib.suppress(OSError):
        title = Path(f"/proc/{session}/cmdline").read_bytes().decode(errors="replace")
        # postgres: search_append platewarden 127.0.0.1(41532) idle
        login = title.partition(": ")[2].split(" ")[0].partition("_")[0]
        return f"{login}_db" if login in SERVICES else "database"
    return "database"


def _children(parent: int) -> Iterator[int]:
    """None of 0: that is a process which is just being started again."""
    for folder in Path("/proc").iterdir():
        if parent and folder.name.isdigit() and int(_fields(int(folder.name))[_PARENT]) == parent:
            yield int(folder.name)


def _own(pid: int) -> float:
    return sum(map(int, _fields(pid)[_OWN])) / _TICKS


def _ended(pid: int) -> float:
    return sum(map(int, _fields(pid)[_ENDED])) / _TICKS


def _fields(pid: int) -> list[str]:
    """The fields after the program's name; zeros for a process that is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return ["0"] * 50


def _proportional(pid: int) -> int:
    """Kilobytes; a page that n processes share counts an n-th."""
    with contextlib.suppress(OSError):
        for row in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            if row.startswith("Pss:"):
                return int(row.split()[1])
    return 0
