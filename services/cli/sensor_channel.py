"""A channel on which this machine speaks as a sensor, with the sensor's own certificate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from services.cli.locate import CommandError, Connection
from services.cli.sensor_certificate import files_of
from services.common.client import ClientTls, service_channel
from services.dev.places import Places


@asynccontextmanager
async def sensor_channel(
    connection: Connection, sensor_id: str, certificate: Path | None, key: Path | None
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the ocr service whose certificate names `sensor_id`.

    Without `certificate` and `key`, the one that was issued for a sensor of this machine's stack.

    Raises:
        CommandError: There is none.
    """
    if certificate is None or key is None:
        if connection.data_dir is None:
            raise CommandError("name the sensor's certificate and key with --cert and --key")
        files = files_of(Places(connection.data_dir).sensor_certificates, sensor_id)
        certificate, key = files.certificate, files.key
        if not (certificate.exists() and key.exists()):
            msg = f"the sensor has no certificate here; get one: platewarden sensor certify {sensor_id}"
            raise CommandError(msg)
    tls = ClientTls(certificate=certificate, key=key, ca=connection.ca_file)
    channel = service_channel(connection.target("ocr"), tls, server_name="ocr")
    try:
        yield channel
    finally:
        await channel.close()
