"""A furnished system that stays up, for whoever works on pages: `python -m tests.browser.stand FOLDER`.

With PW_TEST_STAND=FOLDER the tests of pages use it instead of starting one of their own, and with
PW_TEST_CONSOLE=URL another console than its own: one that was started by hand from its env/console.env.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.cli.words import ROLE
from services.dev.issuer import DevelopmentIssuer
from services.dev.pki import DevelopmentAuthority
from tests.support.access_stack import CAMERA, OTHER_ORI, World, running_world
from tests.support.access_world import Callers, Principal, machines
from tests.support.ports import free_base_port

_FACTS = "facts.json"


@dataclass
class Stand:
    """What `Supervisor` says of itself, of one that runs in another process."""

    said: Mapping[str, Any]
    issuer: DevelopmentIssuer

    @property
    def targets(self) -> Mapping[str, str]:
        return dict(self.said["targets"])

    @property
    def machine_targets(self) -> Mapping[str, str]:
        return dict(self.said["machine_targets"])

    @property
    def ca_file(self) -> Path:
        return Path(self.said["ca_file"])

    @property
    def admin_url(self) -> str:
        return str(self.said["admin_url"])

    @property
    def console_url(self) -> str:
        return os.environ.get("PW_TEST_CONSOLE") or str(self.said["console_url"])

    def token(self, subject: str) -> str:
        return self.issuer.token(subject)


def attached_world(folder: Path) -> World:
    """The world of the stand in `folder`."""
    said = json.loads((folder / "stack.json").read_text("utf-8"))
    facts = json.loads((folder / _FACTS).read_text("utf-8"))
    people = [Principal(word, subject=facts["subjects"][word]) for word in ROLE.words]
    others = machines(DevelopmentAuthority(folder / "pki"), CAMERA, OTHER_ORI)
    stand: Any = Stand(said, DevelopmentIssuer(folder / "issuer"))
    return World(Callers(stand), [Principal("anybody"), *people, *others], facts["facts"])


async def _stand(folder: Path) -> None:
    async with running_world(folder, free_base_port(), console=True) as world:
        subjects = {one.name: one.subject for one in world.principals if one.subject}
        text = json.dumps({"facts": world.facts, "subjects": subjects})
        (folder / _FACTS).write_text(text, encoding="utf-8")
        print(world.callers.stack.console_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_stand(Path(sys.argv[1]).absolute()))
