"""The names by which audit's policies know what people do with alerts of either data set."""

from services.alerts.core.model import Partition


def action_in(partition: Partition, action: str) -> str:
    """`action` as it is called in the data set: each has roles of its own (ENF-051 II.H)."""
    return f"mcs_{action}" if partition is Partition.MOTOR_CARRIER else action
