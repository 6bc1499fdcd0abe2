"""Prometheus metrics of calls: by method and code, never by content or caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Histogram, start_http_server

HANDLED: Final = Counter("grpc_server_handled", "Calls that got an answer.", ["method", "code"])
# Apart from the answers: a client that went away says nothing about this server.
CANCELLED: Final = Counter("grpc_server_cancelled", "Calls that their client gave up.", ["method"])
SECONDS: Final = Histogram(
    "grpc_server_handling_seconds",
    "Time from the first to the last byte of an answered call; of streams too.",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 3600),
)


def serve_metrics(host: str, port: int) -> Callable[[], None]:
    """Serves all metrics of the process over HTTP at /metrics; gives the function that ends it.

    Raises:
        OSError: The address cannot be listened on.
    """
    server, thread = start_http_server(port, addr=host)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
