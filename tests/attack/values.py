"""Values that attackers put into fields: at the border, beyond it, and what other programs would run."""

from __future__ import annotations

from random import Random
from typing import Any, Final
from uuid import UUID

from google.protobuf.descriptor import FieldDescriptor

# Stands in hostile texts and nowhere else, so that wherever it turns up something has been repeated.
CANARY: Final = "QZ7CANARY"
PLATE_CANARY: Final = "QZ7CANRY"

SQL: Final = (
    f"'; DROP TABLE archive.read; -- {CANARY}",
    f"' OR '1'='1' /*{CANARY}*/",
    f"1; SELECT pg_sleep(20); --{CANARY}",
    f"$${CANARY}$$; COPY (SELECT 1) TO PROGRAM 'true'; --",
    f"{CANARY}' UNION SELECT plate FROM archive.read --",  # noqa: S608 - nothing runs it
    f"E'\\x00{CANARY}'",
    f"{CANARY}\\",
)
_TEXTS: Final = (
    *SQL,
    *("", " ", "\x00", "\t\r\n", "a\x00b", "\x7f", "\ufeff", "\u202e" + CANARY, "\U0001f697" * 3, "\uffff"),
    *("%", "_", "%s%n%x", "${jndi:ldap://example.invalid/a}", "{{7*7}}", f"<script>{CANARY}</script>"),
    *(f"../../../etc/{CANARY}", "/dev/zero", "C:\\con", "a\r\nX-Injected: 1", "(" * 40, "[A-", "(?:a+)+$"),
    *("*", "?", "*" * 12, "?" * 12, "A*", "AB12??", "AB1234", PLATE_CANARY, "ＡＢ１２", "ﬁ", "ß" * 12),  # noqa: RUF001
    *("00000000-0000-0000-0000-000000000000", "{9b2d1c9e-0000-4000-8000-000000000000}", "9B2D1C9E"),
    *("NaN", "1e999", "-1", "true", "null", "[]", "2026-02-30", "2026-W54", "9999-12-31", "Z" * 300),
    *(
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "https://[::1]:1/",
        "gopher://x",
        "https://" + "a" * 300,
    ),
    *("../../etc/localtime", "America/Chicago", "UTC\x00", "a@b", f"{CANARY}@police.illinois.gov", "@" * 20),
)
_LONG: Final = (1_000, 10_000, 70_000)
_HUGE: Final = 1 << 20
_INTEGERS: Final = (0, 1, 2, 3, 7, 60, 255, 1_000, 100_000, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
_DOUBLES: Final = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, 41.9, -87.6, 90.0, 90.000001, -180.0, 180.0, 360.0, 1e9),
    *(1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan")),
)
_SIZES: Final = (0, 1, 16, 31, 32, 33, 64, 5_000)
_PICTURES: Final = (
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\xff\xff\xff\x7fWEBP",
    b"GIF89a\xff\xff\xff\xff",
)
_SECONDS: Final = (
    0,
    1,
    -1,
    -62135596800,
    253402300799,
    253402300800,
    2**63 - 1,
    -(2**63),
    946684800,
    4102444800,
)
_NANOS: Final = (0, 0, 0, 1, 999_999_999, 10**9, -1, 2**31 - 1, -(2**31))
_INT32: Final = 2**31
_BITS: Final = {
    **dict.fromkeys((FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_ENUM), 32),
    FieldDescriptor.CPPTYPE_INT64: 64,
}


class Values:
    """Draws values. What it draws depends on `random` and `known` alone.

    Args:
        random: Decides.
        known: Ids and names that exist, which make a request be looked at further.
    """

    def __init__(self, random: Random, known: tuple[str, ...]) -> None:
        self._random = random
        self._known = known

    def text(self) -> str:
        """A text: hostile, long, or something that exists."""
        chance = self._random.random()
        if chance < 0.25 and self._known:
            return self._random.choice(self._known)
        if chance < 0.40:
            return str(self.uuid())
        if chance < 0.43:
            return (self._random.choice(("A", "é", "'", "\U0001f697")) * self._random.choice(_LONG))[
                : _LONG[-1]
            ]
        return self._random.choice(_TEXTS)

    def uuid(self) -> UUID:
        """An id that nothing has."""
        return UUID(int=self._random.getrandbits(128), version=4)

    def scalar(self, field: FieldDescriptor) -> Any:
        """A value that the field can hold on the wire."""
        kind = field.cpp_type
        if kind == FieldDescriptor.CPPTYPE_STRING:
            return self.data() if field.type == FieldDescriptor.TYPE_BYTES else self.text()
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return self._random.random() < 0.5
        if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
            return self._double(kind)
        if kind == FieldDescriptor.CPPTYPE_ENUM and self._random.random() < 0.7:
            return self._random.choice(field.enum_type.values).number
        return self._integer(kind)

    def data(self) -> bytes:
        """Bytes of a telling length, some of which begin as a picture does."""
        chance = self._random.random()
        if chance < 0.3:
            return self._random.choice(_PICTURES) + self._random.randbytes(self._random.choice(_SIZES))
        if chance < 0.31:
            return bytes(_HUGE)
        return self._random.randbytes(self._random.choice(_SIZES))

    def moment(self) -> tuple[int, int]:
        """Seconds and nanoseconds, seldom of this century."""
        return self._random.choice(_SECONDS), self._random.choice(_NANOS)

    def _double(self, kind: int) -> float:
        value = self._random.choice(_DOUBLES)
        # What a float cannot hold it takes as infinite.
        return (
            max(min(value, 3e38), -3e38)
            if kind == FieldDescriptor.CPPTYPE_FLOAT and abs(value) > 3e38
            else value
        )

    def _integer(self, kind: int) -> int:
        value = self._random.choice(_INTEGERS) * self._random.choice((1, 1, 1, -1))
        if kind == FieldDescriptor.CPPTYPE_UINT32:
            return abs(value) % 2**32
        if kind == FieldDescriptor.CPPTYPE_UINT64:
            return abs(value)
        half = 1 << (_BITS[kind] - 1)
        return max(-half, min(half - 1, value))
