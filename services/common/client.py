"""Channels to services.

Make one channel for each neighbour in `__main__`, on the loop that uses it, and pass it on: it holds
connections to all replicas behind the name, and any number of calls share it.

Calls do not wait for a connection (`wait_for_ready` stays off). A question must fail at once when audit is
away, a camera keeps what has no answer, and watchers try again by themselves; a queue of calls that wait in
the transport would serve none of them, and would hide the outage. What a restart or a moved replica costs is
covered by the retries below. Give every call a `timeout=`; a retry spends of the same time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from services.common.identity import AccessToken
from services.common.renewing import RenewingChannel
from services.common.tls_files import TlsFiles, TlsPair

_MOST_MESSAGE_BYTES: Final = 20 << 20
# Retries are safe for all our RPCs: whatever changes something carries a request id. UNAVAILABLE says that
# another try may go better, and CANCELLED, to who did not cancel, that the call met a server that was just
# ending; a stream is tried again only while nothing of its answer has come.
_SERVICE_CONFIG: Final = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": ""},
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
                },
            }
        ],
        # When most calls fail, more calls are no help.
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
    }
)
_OPTIONS: Final[tuple[tuple[str, str | int], ...]] = (
    ("grpc.service_config", _SERVICE_CONFIG),
    # Nobody but this code says how calls are made; otherwise a TXT record of the DNS could.
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # A replica that comes back is found again within seconds; the default is two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    # Where replicas are replaced one after the other, a client has to hear of the second new one as soon as
    # the second old one goes. It asks only when it loses a connection.
    ("grpc.dns_min_time_between_resolutions_ms", 500),
    ("grpc.max_send_message_length", _MOST_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MOST_MESSAGE_BYTES),
)


@dataclass(frozen=True, slots=True)
class ClientTls:
    """PEM files: certificate and key of a service or sensor, and the authority that servers must be of."""

    certificate: Path
    key: Path
    ca: Path


def service_channel(target: str, tls: ClientTls, *, server_name: str) -> grpc.aio.Channel:
    """A channel with mutual TLS to the service `server_name` at `target`.

    `target` is `host:port`, and calls are spread over all addresses of the name; or it is the replicas'
    addresses themselves, IPv4 with commas between, where no name has them.

    The server must prove the name `server_name`, not that of the host: every service may answer at 127.0.0.1,
    but only one has audit's certificate. Files that are renewed count for the calls that begin afterwards.
    """
    options = (*_OPTIONS, ("grpc.ssl_target_name_override", server_name))
    address = f"ipv4:{target}" if "," in target else target

    def make(pair: TlsPair) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(pair.roots, pair.key, pair.chain)
        return grpc.aio.secure_channel(address, credentials, options=options)

    return RenewingChannel(TlsFiles(tls.certificate, tls.key, [tls.ca]), make)


def user_channel(target: str, ca_file: Path, *, alone: bool = False) -> grpc.aio.Channel:
    """A channel for a person: server TLS, and a token on every call (`bearer`).

    The server must prove the name of the host in `target`. A channel that is `alone` shares no connection
    with others to the same place: who makes a new one after a try without an answer does not meet the same
    dead link again.
    """
    options = (*_OPTIONS, ("grpc.use_local_subchannel_pool", 1)) if alone else _OPTIONS
    return grpc.aio.secure_channel(
        target, grpc.ssl_channel_credentials(ca_file.read_bytes()), options=options
    )


def bearer(token: AccessToken | str) -> tuple[str, str]:
    """The metadata entry that carries `token`: `metadata=(bearer(token),)`."""
    value = token.reveal() if isinstance(token, AccessToken) else token
    return ("authorization", f"Bearer {value}")
