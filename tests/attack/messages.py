"""For any RPC, hostile requests that are shaped as its contract says, and bytes that no longer are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from tests.attack.values import Values

_DEPTH: Final = 5
_MOMENTS: Final = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration"})
_COUNTS: Final = (0, 1, 1, 2, 3, 17)
_MANY: Final = 3_000
_MOST_SPOILED: Final = 3
_NESTED: Final = 300
_LENGTH_DELIMITED: Final = 2


class Requests:
    """Draws requests of one method.

    Args:
        random: Decides.
        values: Draws what fields hold.
        sound: Requests that are in order, one after the other as a stream sends them.
    """

    def __init__(self, random: Random, values: Values, sound: Sequence[Message]) -> None:
        self._random = random
        self._values = values
        self._sound = tuple(sound)

    def draw(self, method: MethodDescriptor) -> tuple[bytes, ...]:
        """The messages of one call, as they go over the wire; more than one for a stream only."""
        first = [self._one(method, one) for one in self._sound]
        if not method.client_streaming:
            return (first[0],)
        more = self._random.choice(_COUNTS)
        rest = [self._one(method, self._random.choice(self._sound)) for _ in range(more)]
        return (*first, *rest)

    def broken(self, method: MethodDescriptor) -> tuple[bytes, ...]:
        """The messages of one call, of which the first can be taken apart by nobody."""
        data = self._sound[0].SerializeToString()
        return (self._random.choice((data + b"\x0f", data + b"\x0a\x7f", b"\xff" * 11 + data)),)

    def _one(self, method: MethodDescriptor, sound: Message) -> bytes:
        chance = self._random.random()
        if chance < 0.05:
            return self._fresh(sound).SerializeToString()
        if chance < 0.60:
            return self._spoiled(self._fresh(sound)).SerializeToString()
        if chance < 0.80:
            made = message_factory.GetMessageClass(method.input_type)()
            self._fill(made, _DEPTH)
            return made.SerializeToString()
        return self._damaged(self._fresh(sound))

    def _fresh(self, sound: Message) -> Message:
        """A copy under a request id of its own, without which it would be a repetition."""
        made = type(sound)()
        made.CopyFrom(sound)
        holder: Any = made.header if "header" in made.DESCRIPTOR.fields_by_name else made
        if "request_id" in holder.DESCRIPTOR.fields_by_name and (holder is made or made.HasField("header")):
            holder.request_id = str(self._values.uuid())
        return made

    def _spoiled(self, message: Message) -> Message:
        """The message with some of its fields, wherever they are, set to something else."""
        for _ in range(self._random.randint(1, _MOST_SPOILED)):
            holder = self._random.choice(list(_holders(message)))
            if holder.DESCRIPTOR.fields:
                self._set(holder, self._random.choice(holder.DESCRIPTOR.fields), _DEPTH - 2)
        return message

    def _fill(self, message: Message, depth: int) -> None:
        for field in message.DESCRIPTOR.fields:
            if self._random.random() < 0.7:
                self._set(message, field, depth)

    def _set(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        message.ClearField(field.name)
        if self._random.random() < 0.1:
            return
        if field.is_repeated:
            self._set_many(message, field, depth)
        elif field.type != FieldDescriptor.TYPE_MESSAGE:
            setattr(message, field.name, self._values.scalar(field))
        else:
            part = getattr(message, field.name)
            part.SetInParent()
            self._fill_part(part, depth - 1)

    def _set_many(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        target = getattr(message, field.name)
        count = (
            _MANY if self._random.random() < 0.01 and depth >= _DEPTH - 2 else self._random.choice(_COUNTS)
        )
        if _is_map(field.message_type):
            key = field.message_type.fields_by_name["key"]
            for _ in range(count):
                if field.message_type.fields_by_name["value"].type != FieldDescriptor.TYPE_MESSAGE:
                    target[self._values.scalar(key)] = self._values.scalar(
                        field.message_type.fields_by_name["value"]
                    )
        elif field.type != FieldDescriptor.TYPE_MESSAGE:
            drawn = [self._values.scalar(field) for _ in range(min(count, 17))]
            target.extend((drawn * count)[:count])
        else:
            part = message_factory.GetMessageClass(field.message_type)()
            for turn in range(count):
                if turn < 17:
                    part.Clear()
                    self._fill_part(part, depth - 1)
                target.add().CopyFrom(part)

    def _fill_part(self, part: Message, depth: int) -> None:
        if part.DESCRIPTOR.full_name in _MOMENTS:
            seconds, nanos = self._values.moment()
            part.seconds, part.nanos = seconds, nanos  # type: ignore[attr-defined]
        elif depth > 0:
            self._fill(part, depth)

    def _damaged(self, message: Message) -> bytes:
        """Bytes of the message after something happened to them."""
        data = bytearray(message.SerializeToString())
        ways = (self._cut, self._flipped, self._doubled, self._with_unknown, self._nested, self._no_text)
        return self._random.choice(ways)(data)

    def _cut(self, data: bytearray) -> bytes:
        return bytes(data[: self._random.randrange(len(data) + 1)])

    def _flipped(self, data: bytearray) -> bytes:
        for _ in range(self._random.randint(1, 8)):
            if data:
                data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
        return bytes(data)

    def _doubled(self, data: bytearray) -> bytes:
        return bytes(data * self._random.randint(2, 4))

    def _with_unknown(self, data: bytearray) -> bytes:
        """Fields that the contract does not know, also of the largest number, and groups."""
        return bytes(data) + self._random.choice(
            (
                field_bytes(2**29 - 1, b"x" * 50),
                field_bytes(999, self._random.randbytes(200)),
                b"\xa3\x3e\xa4\x3e",
                b"\xf8\xff\xff\xff\x0f" + b"\xff" * 9 + b"\x01",
            )
        )

    def _nested(self, data: bytearray) -> bytes:
        """A field of the message that holds itself, again and again."""
        number, inner = self._random.randint(1, 12), b""
        for _ in range(self._random.choice((50, 99, 101, _NESTED))):
            inner = field_bytes(number, inner)
        return bytes(data) + inner

    def _no_text(self, data: bytearray) -> bytes:
        """Bytes that are no UTF-8, in a field that may be a text."""
        bad = self._random.choice((b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ab\x80"))
        return bytes(data) + field_bytes(self._random.randint(1, 20), bad)


def field_bytes(number: int, content: bytes) -> bytes:
    """A length-delimited field as it goes over the wire."""
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*made, value))


def _is_map(message: Descriptor | None) -> bool:
    return message is not None and message.GetOptions().map_entry


def _holders(message: Message) -> Iterator[Message]:
    """The message and all that are set within it."""
    yield message
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE and not _is_map(field.message_type):
            for part in value if field.is_repeated else (value,):
                if part.DESCRIPTOR.full_name not in _MOMENTS:
                    yield from _holders(part)
