"""A channel on which this machine speaks as a sensor, with the sensor's own certificate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from services.cli.locate import CommandError, Connection
from services.common.client import ClientTls, service_channel
from services.dev.pki import DevelopmentAuthority


@asynccontextmanager
async def sensor_channel(
    connection: Connection, sensor_id: str, certificate: Path | None, key: Path | None
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the ocr service whose certificate names `sensor_id`.

    Without `certificate` and `key`, the certificate authority of this machine's stack issues one.

    Raises:
        CommandError: There is neither a certificate nor a stack on this machine.
    """
    if certificate is None or key is None:
        if connection.data_dir is None:
            raise CommandError("name the sensor's certificate and key with --cert and --key")
        issued = DevelopmentAuthority(connection.data_dir / "pki").sensor(sensor_id)
        certificate, key = issued.cert_file, issued.key_file
    tls = ClientTls(certificate=certificate, key=key, ca=connection.ca_file)
    channel = service_channel(connection.target("ocr"), tls, server_name="ocr")
    try:
        yield channel
    finally:
        await channel.close()
