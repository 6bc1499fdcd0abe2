"""`python -m deploy.smoke`: plays an overlay of deploy/k8s with podman and tells a story against it."""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # the library's own notes are no part of the account

from deploy.smoke.engine import EngineError
from deploy.smoke.manifests import ManifestError
from deploy.smoke.play import Options, Play
from deploy.smoke.terminal import StoryError


async def _main(options: Options, *, keep: bool) -> int:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {text}", flush=True)

    play, task = Play(options, say), asyncio.current_task()
    if task:  # as Ctrl-C: what was made is removed
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await play.tell()
    except (EngineError, ManifestError, StoryError) as error:
        say(f"FAILED: {error}")
        return 1
    else:
        say("PASSED")
        return 0
    finally:
        if keep:
            say(f"kept: {options.folder}; press Enter to remove it")
            await asyncio.to_thread(sys.stdin.readline)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whoever is impatient leaves nothing behind either
        await play.close()


def main() -> int:
    """0 when all of it held; 1 when not, and 2 when it could not be tried, with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m deploy.smoke")
    parser.add_argument("--overlay", default="dev", help="of deploy/k8s/overlays")
    ours = importlib.metadata.version("platewarden")
    parser.add_argument("--tag", default=ours, help=f"of the images platewarden/...; {ours} if not given")
    parser.add_argument("--keep", action="store_true", help="wait for Enter before everything is removed")
    parser.add_argument("--logs", type=Path, help="folder for the logs of all containers")
    given = parser.parse_args()
    if os.geteuid() != 0:
        print("this needs root: it makes networks and packet filters", file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="platewarden-smoke-"))
    folder.chmod(0o711)  # users of containers go through it to their volumes
    return asyncio.run(_main(Options(given.overlay, given.tag, folder, given.logs), keep=given.keep))


if __name__ == "__main__":
    sys.exit(main())
