"""`platewarden key`: changes a key file step by step, so that no key is replaced in one go.

A file of lines of 64 hexadecimal digits (keys that seal), or the log's signing key (PEM). In both the first
one is in use and the others are known, too. docs/operations/keys.md says what to restart after which step.
"""

import secrets
import stat
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from services.cli.locate import CommandError
from services.cli.options import Json, run
from services.cli.output import Output
from services.common.config import ConfigError
from services.common.durable import replace_file
from services.common.keyfile import MOST_KEYS, read_key
from services.common.keyring import every

app = typer.Typer(no_args_is_help=True, help="Key files: show them, and put a new key into a key's place.")
_KeyFile = Annotated[
    Path, typer.Argument(help="File of the key, as PW_..._KEY_FILE or PW_..._KEK_FILE names it.")
]
_PEM_END = b"-----END "


@app.command()
def show(file: _KeyFile, as_json: Json = False) -> None:
    """Which keys it holds, in their order, by fingerprint; never a key itself."""
    _run(file, lambda keys: keys, as_json=as_json)


@app.command()
def add(file: _KeyFile, as_json: Json = False) -> None:
    """First step: a new key behind the others. Whoever has read the file then knows what is to come."""
    _run(file, _added, as_json=as_json)


@app.command()
def first(file: _KeyFile, as_json: Json = False) -> None:
    """Second step: the newest key becomes the one in use; those before open what they sealed."""
    _run(file, lambda keys: [keys[-1], *keys[:-1]], as_json=as_json)


@app.command()
def retire(file: _KeyFile, as_json: Json = False) -> None:
    """Last step: only the key in use stays. Of the log's keys the public halves of former ones stay, too."""
    _run(file, _retired, as_json=as_json)


class _Former(bytes):
    """The public half, PEM, of a key of the log that signs no more."""


def _added(keys: Sequence[bytes]) -> Sequence[bytes]:
    if len(keys) >= MOST_KEYS:
        raise CommandError(f"the file holds {len(keys)} keys already; retire those that are used no more")
    return [*keys, _pem(Ed25519PrivateKey.generate()) if _is_pem(keys[0]) else secrets.token_bytes(32)]


def _retired(keys: Sequence[bytes]) -> Sequence[bytes]:
    return [keys[0], *map(_public, keys[1:])] if _is_pem(keys[0]) else keys[:1]


def _run(file: Path, step: Callable[[Sequence[bytes]], Sequence[bytes]], *, as_json: bool) -> None:
    async def work(output: Output) -> None:
        before = _read(file)
        former = [one for one in before if isinstance(one, _Former)]
        after = [*step(before[: len(before) - len(former)]), *former]
        if after != before:
            _write(file, after)
        shown = [(_fingerprint(one), _use(number, one)) for number, one in enumerate(after)]
        named = [{"fingerprint": fingerprint, "use": use} for fingerprint, use in shown]
        lines = "\n".join(f"{fingerprint}  {use}" for fingerprint, use in shown)
        output.result({"file": str(file), "keys": named}, lines)

    run(work, as_json=as_json)


def _write(file: Path, keys: Sequence[bytes]) -> None:
    replace_file(file, _text(keys), stat.S_IMODE(file.stat().st_mode))


def _read(file: Path) -> list[bytes]:
    try:
        content = file.read_bytes()
        if _PEM_END not in content:
            return list(every(read_key(file, "the key file")))
        blocks = [f"-----BEGIN {one}".encode() for one in content.decode("ascii").split("-----BEGIN ")[1:]]
        keys = sorted(map(_checked, blocks), key=lambda one: isinstance(one, _Former))
    except (OSError, ValueError, TypeError, ConfigError) as error:
        raise CommandError(f"{file} is no file of keys ({type(error).__name__})") from None
    if isinstance(keys[0], _Former):
        raise CommandError(f"{file} holds no key that signs")
    return keys


def _checked(block: bytes) -> bytes:
    if b"PRIVATE KEY" in block:
        key = load_pem_private_key(block, None)
        if isinstance(key, Ed25519PrivateKey):
            return _pem(key)
    elif isinstance(load_pem_public_key(block), Ed25519PublicKey):
        return _Former(block.rstrip() + b"\n")
    raise ValueError("another kind of key")


def _is_pem(key: bytes) -> bool:
    return _PEM_END in key


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public(pem: bytes) -> bytes:
    public = load_pem_private_key(pem, None).public_key()
    return _Former(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _text(keys: Sequence[bytes]) -> bytes:
    return b"".join(one if _is_pem(one) else one.hex().encode() + b"\n" for one in keys)


def _fingerprint(key: bytes) -> str:
    """Enough to tell keys apart, and nothing about them; of a signing key it is that of its public half."""
    shown = key if isinstance(key, _Former) or not _is_pem(key) else _public(key)
    return sha256(b"platewarden/fingerprint/v1/" + shown).hexdigest()[:16]


def _use(number: int, key: bytes) -> str:
    if isinstance(key, _Former):
        return "signed once"
    if number == 0:
        return "in use"
    return "signs, too" if _is_pem(key) else "opens what it sealed"
