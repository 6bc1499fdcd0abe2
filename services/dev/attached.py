"""Runs a command that ends with its parent and, where it must, under another account.

Started by file name with `python -I -S`, so it imports the standard library alone and becomes the command
itself (exec) within some 15 ms:

    python -I -S attached.py PARENT_PID DEATH_SIGNAL ACCOUNT COMMAND...

DEATH_SIGNAL is what the kernel sends to the command when the thread that started it ends, kill -9 included.
ACCOUNT says who the command runs as:

    own         the caller.
    mapped:UID  the caller, who shows as UID inside a user namespace. PostgreSQL refuses to run as root, and
                this is how root runs it without making users or giving files away; it also helps a caller
                without an entry in the user database, as in some containers.
    dropped:UID UID, with the one capability to pass permissions of files. For root where user namespaces
                are forbidden: the programs may lie below a home directory that is closed to all others.
"""

import ctypes
import os
import sys

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_CANNOT_RUN = 126


def main(argv: list[str]) -> None:
    """Becomes the command that `argv` names; see the module."""
    parent, death_signal, account, command = int(argv[1]), int(argv[2]), argv[3], argv[4:]
    try:
        _change_account(account)
        # Last, as a change of account clears it.
        _call("prctl", _PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(_CANNOT_RUN)  # the parent ended before the kernel was told
        os.execv(command[0], command)  # noqa: S606 - the command is the caller's own
    except OSError as error:
        print(f"cannot start {command[0]} as {account}: {error}", file=sys.stderr)
        sys.exit(_CANNOT_RUN)


def _change_account(account: str) -> None:
    kind, _, uid = account.partition(":")
    if kind == "mapped":
        _map_to(int(uid))
    elif kind == "dropped":
        _drop_to(int(uid))


def _map_to(uid: int) -> None:
    own_uid, own_gid = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWUSER)
    # Nothing may be imported from here on: the library may have been readable by the old account alone.
    for name, text in (
        ("setgroups", b"deny"),
        ("uid_map", b"%d %d 1" % (uid, own_uid)),
        ("gid_map", b"%d %d 1" % (uid, own_gid)),
    ):
        file = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(file, text)
        os.close(file)


def _drop_to(uid: int) -> None:
    _call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    mask = 1 << _CAP_DAC_OVERRIDE
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)  # effective, permitted, inheritable
    _call("capset", ctypes.byref(header), ctypes.byref(data))
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv)
