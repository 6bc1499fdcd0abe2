from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from services.common.client import ClientTls, service_channel, user_channel
from services.common.config import StartError
from services.dev.pki import DevelopmentAuthority
from services.dev.places import Places, Ports
from services.dev.probe import is_serving
from services.dev.specs import ServiceSpec, World, environment_of, platewarden_stages
from services.dev.supervisor import Options, Supervisor, run_until_stopped

MODULE = "tests.support.tiny_service"
ROOT = Path(__file__).parents[3]
RUN = """
import asyncio, sys
from pathlib import Path
from tests.fault.dev.test_dev_supervisor import STAGES
from services.dev.supervisor import Options, run_until_stopped
options = Options(Path(sys.argv[1]), base_port=int(sys.argv[2]), stages=STAGES)
asyncio.run(run_until_stopped(options, lambda _: None, lambda stack: print("ready", flush=True)))
print("stopped", flush=True)
"""


def tiny(name: str, number: int, **environment: str) -> ServiceSpec:
    return ServiceSpec(name, MODULE, number, environment=lambda _: {"TINY_NAME": name, **environment})


STAGES = ((tiny("audit", 1),), (tiny("alerts", 4), tiny("search", 3)))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def free_base_port() -> int:
    """A base port with room above it; far from those that the system hands out."""
    for base in range(20000 + os.getpid() % 5000, 32000, 40):
        if all(is_free(base + offset) for offset in range(30)):
            return base
    raise AssertionError("no ports are free")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(pids: Mapping[str, int]) -> list[str]:
    """Names of the processes that are still alive after some seconds."""
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up and any(map(is_alive, pids.values())):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return [name for name, pid in pids.items() if is_alive(pid)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Supervisor, list[str]]]:
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        options = Options(tmp_path_factory.mktemp("stack"), base_port=free_base_port(), stages=STAGES)
        async with Supervisor(options, said.append) as running:
            pids = dict(running.pids)
            yield running, said
            pids |= running.pids
    assert await gone(pids) == []
    assert not (options.data_dir / "stack.json").exists()


async def served(stack: Supervisor, name: str) -> bool:
    issued = stack.sensor_certificate("cam-1")
    tls = ClientTls(certificate=issued.cert_file, key=issued.key_file, ca=issued.ca_file)
    async with service_channel(stack.machine_targets[name], tls, server_name=name) as channel:
        return await is_serving(channel)


async def test_every_service_serves_machines_and_people(stack: tuple[Supervisor, list[str]]) -> None:
    running, said = stack

    for name in ("audit", "alerts", "search"):
        assert await served(running, name)
        async with user_channel(running.targets[name], running.ca_file) as channel:
            assert await is_serving(channel)
    assert said.index("audit serves") < said.index("Starting search")


async def test_what_other_commands_need_is_in_one_closed_file(stack: tuple[Supervisor, list[str]]) -> None:
    running, _ = stack
    places = Places(running.ca_file.parents[1])

    told = json.loads(places.stack_file.read_text())

    assert told["targets"] == running.targets
    assert told["pids"] == running.pids
    assert told["pid"] == os.getpid()
    assert told["issuer_secret_file"] == str(places.issuer / "secret")
    assert "PW_LOG_SIGNING_KEY_FILE" in told["bootstrap_environment"]
    open_to_others = [
        path
        for path in places.data_dir.rglob("*")
        if path.stat().st_mode & 0o077 and not path.is_relative_to(places.pki)
    ]
    assert [path for path in open_to_others if not path.is_relative_to(places.postgres)] == []
    assert stat.S_IMODE(places.data_dir.stat().st_mode) == 0o700


async def test_a_token_comes_from_the_issuer_that_runs(stack: tuple[Supervisor, list[str]]) -> None:
    running, _ = stack

    assert running.token("officer-1").count(".") == 2
    assert "issuer" in running.pids


async def test_a_killed_service_comes_back(stack: tuple[Supervisor, list[str]]) -> None:
    running, said = stack
    before = running.pids["search"]

    os.kill(before, signal.SIGKILL)

    give_up = time.monotonic() + 20
    while not (running.pids["search"] not in (0, before) and await served(running, "search")):
        assert time.monotonic() < give_up
        await asyncio.sleep(0.1)
    assert "search ended by signal 9 and was started again" in said
    told = json.loads((running.ca_file.parents[1] / "stack.json").read_text())
    assert told["pids"]["search"] == running.pids["search"]
    assert "search ended by signal 9" in (running.ca_file.parents[1] / "logs/supervisor.log").read_text()


async def test_a_killed_database_comes_back_with_what_was_committed(
    stack: tuple[Supervisor, list[str]],
) -> None:
    running, _ = stack
    connection = await asyncpg.connect(running.admin_url)
    await connection.execute("CREATE TABLE public.thing AS SELECT 1 AS a")
    await connection.close()

    os.kill(running.pids["postgres"], signal.SIGKILL)

    give_up = time.monotonic() + 20
    while True:
        try:
            connection = await asyncpg.connect(running.admin_url)
            break
        except (OSError, asyncpg.PostgresError):
            assert time.monotonic() < give_up
            await asyncio.sleep(0.1)
    assert await connection.fetchval("SELECT a FROM public.thing") == 1
    await connection.close()


async def test_a_second_stack_in_the_same_folder_is_refused_by_name(
    stack: tuple[Supervisor, list[str]],
) -> None:
    running, _ = stack
    second = Supervisor(Options(running.ca_file.parents[1], base_port=free_base_port(), stages=STAGES))

    with pytest.raises(StartError, match=rf"another `platewarden up` \(process {os.getpid()}\) runs in"):
        await second.__aenter__()

    assert await served(running, "audit")


async def test_a_port_in_use_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.dev.datadir._PORT_SECONDS", 0.0)
    base = free_base_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", base + 13))
        other.listen()

        with pytest.raises(StartError, match=rf"port {base + 13} \(search, for people\).*--base-port"):
            await Supervisor(Options(tmp_path, base_port=base, stages=STAGES)).__aenter__()


async def test_a_service_that_cannot_start_stops_the_rest_and_says_why(tmp_path: Path) -> None:
    broken = tiny("alerts", 4, TINY_FAIL="PW_THING must be set")
    stack = Supervisor(Options(tmp_path, base_port=free_base_port(), stages=((tiny("audit", 1),), (broken,))))

    with pytest.raises(StartError, match="alerts did not start: PW_THING must be set"):
        await stack.__aenter__()

    assert set(stack.pids.values()) == {0}


async def test_a_full_disk_is_said_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.dev.datadir.LEAST_FREE_BYTES", 1 << 60)

    with pytest.raises(StartError, match=r"MiB free and 1 GiB is needed.*--data-dir"):
        await Supervisor(Options(tmp_path, base_port=free_base_port(), stages=STAGES)).__aenter__()

    assert not (tmp_path / "postgres").exists()


async def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartError, match=r"cannot be used \(not a directory\); choose another"):
        await Supervisor(Options(tmp_path / "file" / "data", stages=STAGES)).__aenter__()


async def test_a_service_that_does_not_stop_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.dev.supervisor._STOP_SECONDS", 1.0)
    stages = ((tiny("audit", 1, TINY_SLOW_STOP="yes"),),)

    async with Supervisor(Options(tmp_path, base_port=free_base_port(), stages=stages)) as stack:
        pids = dict(stack.pids)
        started = time.monotonic()

    assert time.monotonic() - started < 10
    assert await gone(pids) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_no_process_outlives_the_supervisor(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(  # noqa: ASYNC220, S603
        [sys.executable, "-c", RUN, str(tmp_path), str(free_base_port())],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    with process.stdout:
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
        pids = json.loads((tmp_path / "stack.json").read_text())["pids"]
        assert all(map(is_alive, pids.values()))

        process.send_signal(number)
        rest = await asyncio.to_thread(process.stdout.read)
    process.wait()

    assert await gone(pids) == []
    if number != signal.SIGKILL:
        assert (process.returncode, rest) == (0, "stopped\n")


async def test_it_starts_again_after_kill_9_at_once(tmp_path: Path) -> None:
    base = free_base_port()
    process = subprocess.Popen(  # noqa: ASYNC220, S603
        [sys.executable, "-c", RUN, str(tmp_path), str(base)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    with process.stdout:
        await asyncio.to_thread(process.stdout.readline)
    process.kill()
    process.wait()

    async with Supervisor(Options(tmp_path, base_port=base, stages=STAGES)) as stack:
        assert await served(stack, "audit")


async def test_stopping_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    options = Options(tmp_path, base_port=free_base_port(), stages=((tiny("audit", 1),),))
    starting = asyncio.create_task(run_until_stopped(options, said.append, lambda _: None))
    while "Starting audit" not in said:  # noqa: ASYNC110
        await asyncio.sleep(0.01)

    os.kill(os.getpid(), signal.SIGTERM)
    await starting

    assert not (tmp_path / "postgres" / "data" / "postmaster.pid").exists()


def test_the_five_services_are_started_from_the_ground_floor_up() -> None:
    order = [[spec.name for spec in stage] for stage in platewarden_stages()]

    assert order == [["audit"], ["alerts", "search"], ["matcher"], ["ocr"]]


async def test_a_database_of_ones_own_gets_no_development_issuer(
    tmp_path: Path, postgres_admin_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PW_OIDC_ISSUER", raising=False)
    url = postgres_admin_url.rpartition("/")[0] + "/pw_supervisor"
    options = Options(tmp_path, base_port=free_base_port(), database_url=url, stages=((tiny("audit", 1),),))

    with pytest.raises(StartError, match="set PW_OIDC_ISSUER and PW_OIDC_JWKS_URL"):
        await Supervisor(options).__aenter__()

    monkeypatch.setenv("PW_OIDC_ISSUER", "https://provider.example")
    monkeypatch.setenv("PW_OIDC_JWKS_URL", "https://provider.example/keys")
    monkeypatch.setenv("PW_OIDC_REQUIRED_ACR", "mfa")
    monkeypatch.setenv("PW_OIDC_REQUIRED_AMR", "otp")
    monkeypatch.setenv("PW_OIDC_PASSWORD_POLICY", "SRV-218")
    async with Supervisor(options) as stack:
        assert set(stack.pids) == {"audit"}
        with pytest.raises(StartError, match="no development issuer"):
            stack.token("officer-1")


def test_each_service_gets_its_own_secrets_only(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.make()
    world = World(
        places, Ports(7400), DevelopmentAuthority(places.pki), "postgresql://postgres:x@127.0.0.1/db", True
    )
    specs = [spec for stage in platewarden_stages() for spec in stage]

    environments = {spec.name: environment_of(spec, world, specs) for spec in specs}

    for name, environment in environments.items():
        urls = [value for key, value in environment.items() if key.endswith("DATABASE_URL")]
        assert not any("postgres:x@" in url for url in urls), name
    files = {
        name: {value for key, value in environment.items() if key.endswith(("KEY_FILE", "KEK_FILE"))}
        for name, environment in environments.items()
    }
    names = list(files)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            assert files[one] & files[other] == set()
