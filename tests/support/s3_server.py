"""SeaweedFS, an object store that speaks S3, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

_KEY, _SECRET = "platewarden", "only-for-this-test"
_STARTS_WITHIN_S = 30.0


@dataclass
class S3Server:
    """A store that runs: where it is, and a client that administers it."""

    endpoint: str
    client: Any
    process: subprocess.Popen[bytes]

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which S3 clients find it."""
        return {
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def bucket(self, name: str, versions: str = "") -> str:
        """A bucket of that name; `versions` is Enabled or Suspended where it keeps any."""
        self.client.create_bucket(Bucket=name)
        if versions:
            for status in ("Enabled", versions):
                self.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
        return f"s3://{name}"


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """The store, its data below `folder`, until the block ends; it asks everybody for the secret."""
    identity = {
        "name": "platewarden",
        "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    ports = _free_ports()
    command = [
        *(str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder / 'data'}"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.volumeSizeLimitMB=64", "-volume.max=100"),
        *(f"-{name}.port={port}" for name, port in ports.items()),
        *("-s3", f"-s3.config={folder / 's3.json'}", "-master.telemetry=false"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
    ]
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
    try:
        endpoint = f"http://127.0.0.1:{ports['s3']}"
        yield S3Server(endpoint, _client(endpoint, process, folder), process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_ports() -> dict[str, int]:
    """A port for each part, all free just now; SeaweedFS takes each and the one 10,000 above for gRPC."""
    names, found = ("master", "volume", "filer", "s3"), []
    for port in range(12_000 + os.getpid() % 5_000, 22_000):
        if all(_is_free(one) for one in (port, port + 10_000)):
            found.append(port)
        if len(found) == len(names):
            return dict(zip(names, found, strict=True))
    raise AssertionError("no free ports on this machine")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _client(endpoint: str, process: subprocess.Popen[bytes], folder: Path) -> Any:
    """A client, once the store answers it."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=_KEY,
        aws_secret_access_key=_SECRET,
        region_name="us-east-1",
    )
    give_up = time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            # The first bucket needs a volume, which comes last.
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError):
            assert process.poll() is None, (folder / "weed.log").read_text()[-2000:]
            assert time.monotonic() < give_up, (folder / "weed.log").read_text()[-2000:]
            time.sleep(0.2)
        else:
            return client
