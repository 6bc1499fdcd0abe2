"""`python -m tests.rolling`: this version and the last release of every service together, under load.

The system is founded by the last release and runs with two replicas of each of its services. Under load the
databases are migrated, then every service is replaced, replica by replica, by this version, then put back to
the last release on the migrated databases, and at last all are replaced at once. One JSON line says what came
of every call; the exit code is 0 when none failed, no read or alert is lost or double, and the log holds.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.cli.demo import cast
from services.cli.locate import locate
from services.common.migrate import migrate
from services.dev.places import Places, Ports
from services.dev.specs import permit_keys, platewarden_stages
from tests.rolling.checks import compare, log_holds
from tests.rolling.fleet import Fleet, RollingError, Version, version_before, version_of_now
from tests.rolling.ledger import Ledger
from tests.rolling.load import Load
from tests.rolling.names import Names, go_inside, is_inside
from tests.rolling.previous import previous_tree
from tests.rolling.scene import World

REPLICAS = 2
# Who is asked before who asks: so an upgrade goes. The way back goes in the same order, so that every service
# meets the other version of each of its neighbours from both sides.
ORDER = ("audit", "alerts", "search", "matcher", "ocr")
_STATEFUL = {"audit"}
_UP_SECONDS = 300.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code."""
    parsed = _arguments(arguments)
    if not is_inside():
        folder = Path(tempfile.mkdtemp(prefix="platewarden-rolling-"))
        given = list(arguments if arguments is not None else sys.argv[1:])
        previous_tree(parsed.previous)
        go_inside("tests.rolling", [*given, "--folder", str(folder)], folder / "hosts")
    try:
        result = asyncio.run(_roll(parsed))
    except RollingError as error:
        result = {"error": str(error)}
    finally:
        if not parsed.keep:
            shutil.rmtree(parsed.folder, ignore_errors=True)
    print(json.dumps(result))
    return 0 if result.get("ok") else 1


async def _roll(parsed: argparse.Namespace) -> dict[str, Any]:
    places, ports = Places(parsed.folder / "data"), Ports(parsed.base_port)
    tree = previous_tree(parsed.previous)
    python = previous_tree(parsed.now) / ".venv" / "bin" / "python" if parsed.now else Path(sys.executable)
    founding = await asyncio.to_thread(_found, tree, places, ports)
    ledger, began = Ledger(), time.monotonic()
    async with Fleet(places, ports, Names()) as fleet:
        before = version_before(places, tree / ".venv" / "bin" / "python")
        now = version_of_now(fleet.world, python)
        for service in ORDER:
            await asyncio.gather(*(fleet.start(service, before) for _ in range(REPLICAS)))
        fleet.dns_seconds, fleet.min_ready_seconds = parsed.dns, parsed.min_ready
        fleet.write_stack_file(founding)
        world, connection = World(fleet, parsed.folder), locate(places.data_dir)
        await world.set(connection)
        load = Load(world, connection, ledger)
        working = asyncio.create_task(load.run())
        try:
            await _steps(fleet, ledger, working, (before, now), parsed.seconds)
        finally:
            load.end.set()
        _phase(ledger, "end")
        await working
        differences = await compare(ledger, fleet.admin_url)
        whole, receipts = await asyncio.to_thread(log_holds, places.data_dir, parsed.folder)
        stops = fleet.stop_seconds
    good = whole and not ledger.failures and not any(differences.values())
    return {
        "ok": good,
        "previous": tree.name,
        "seconds": round(time.monotonic() - began),
        **ledger.as_json(),
        **differences,
        "log_holds": whole,
        "receipts_proven": receipts,
        "longest_stop_s": stops,
    }


async def _steps(
    fleet: Fleet,
    ledger: Ledger,
    working: asyncio.Task[None],
    versions: tuple[Version, Version],
    seconds: float,
) -> None:
    before, now = versions

    async def steady(name: str) -> None:
        _phase(ledger, name)
        await asyncio.wait({working}, timeout=seconds)
        if working.done():
            working.result()
            raise RollingError("the load ended by itself")
        fleet.check()

    await steady("previous")
    _phase(ledger, "migrating")
    await _migrate(fleet)
    await steady("previous on the new schema")
    for version in (now, before):
        for service in ORDER:
            _phase(ledger, f"{service} to {version.name}")
            await fleet.replace(service, version, surge=service not in _STATEFUL)
            fleet.check()
        await steady(f"all {version.name}")
    # As `kubectl apply` does it.
    _phase(ledger, f"all services at once to {now.name}")
    await asyncio.gather(*(fleet.replace(one, now, surge=one not in _STATEFUL) for one in ORDER))
    fleet.check()
    await steady(f"all {now.name} again")


async def _migrate(fleet: Fleet) -> None:
    world = fleet.world
    for spec in (spec for stage in platewarden_stages() for spec in stage):
        if spec.logins:
            logins = {login: world.password(login) for login in spec.logins}
            keys = permit_keys(world) if spec.name == "search" else None
            number = await migrate(world.database_url, spec.name, logins=logins, permit_keys=keys)
            _say(f"{spec.name}: schema is at {number}")


def _found(tree: Path, places: Places, ports: Ports) -> dict[str, str]:
    """Begins a system with the previous version's own commands; gives what `bootstrap` was told."""
    _say("Founding a system with the previous version")
    command = str(tree / ".venv" / "bin" / "platewarden")
    data = ["--data-dir", str(places.data_dir)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PW_", "PYTHON"))}
    up = subprocess.Popen(  # noqa: S603
        [command, "up", *data, "--base-port", str(ports.base)], env=kept, stdout=sys.stderr
    )
    try:
        give_up = time.monotonic() + _UP_SECONDS
        while not places.stack_file.exists():
            if up.poll() is not None or time.monotonic() > give_up:
                raise RollingError("the previous version did not come up")
            time.sleep(0.2)
        told = json.loads(places.stack_file.read_text(encoding="utf-8"))["bootstrap_environment"]
        founded = [command, "bootstrap", *cast.founding(), *data]
        done = subprocess.run(founded, env=kept, check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
        if done.returncode:
            raise RollingError("the previous version could not begin a system")
        key = next(line for line in done.stdout.splitlines() if line.startswith("verifier-key "))
        (places.data_dir.parent / "log.pub").write_text(key.removeprefix("verifier-key ") + "\n")
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(_UP_SECONDS)
    return dict(told)


def _phase(ledger: Ledger, name: str) -> None:
    ledger.phase = name
    _say(f"{name} ({len(ledger.reads)} reads, {len(ledger.failures)} failures)")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.rolling", description=__doc__)
    parser.add_argument("--previous", default="", help="commit of the version before (of the last release)")
    parser.add_argument("--now", default="", help="commit of this version (the tree as it is)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each stretch between the steps")
    parser.add_argument("--dns", type=float, default=5.0, help="seconds that answers of the DNS are kept")
    parser.add_argument("--min-ready", type=float, default=10.0, help="seconds as in deploy/k8s")
    parser.add_argument("--base-port", type=int, default=7400)
    parser.add_argument("--keep", action="store_true", help="leave the data directory and its logs")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
