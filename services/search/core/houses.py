"""The two data sets, and how each names what is its own (ENF-051 II.H; ADR-0020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Schema = Literal["archive", "motor_carrier"]


@dataclass(frozen=True, slots=True)
class HouseNames:
    """Names of a data set's own functions, kinds of questions, actions and folders of the image store.

    Attributes:
        schema: Where its functions are.
        days: Its folder below that of a day; "" for the day's own.
        holds: Where pictures of held reads are, by hold.
        evidence: Where evidence packages are.
        steps: What the names of its steps of a purge, and of their lines on a certificate, begin with.
    """

    schema: Schema
    kinds: str
    actions: str
    days: str
    holds: str
    evidence: str
    steps: str

    def kind(self, name: str) -> str:
        """The kind of question that is `name` here."""
        return f"{self.kinds}{name}"

    def find(self, name: str) -> str:
        """The function that puts questions of that kind."""
        return f"find_{self.kind(name)}"

    def action(self, name: str) -> str:
        """The action that is `name` here."""
        return f"{self.actions}{name}"


ARCHIVE: Final = HouseNames("archive", "", "", "", "holds", "evidence", "")
MOTOR_CARRIER: Final = HouseNames(
    "motor_carrier", "mcs", "mcs_", "mcs", "mcs_holds", "mcs_evidence", "motor_carrier_"
)
