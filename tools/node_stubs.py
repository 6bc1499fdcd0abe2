"""Makes the TypeScript stubs that the Node client needs: protos/ in, client/node/src/gen out.

Run by `make client-node`, when client/node/node_modules has its packages.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import google
import grpc_tools

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "client" / "node"
OUTPUT = CLIENT / "src" / "gen"
CONTRACT = "alpr/alerts/v1/alert_service.proto"
# Errors come as google.rpc.Status; its contract lies in the package of its Python stubs.
FOREIGN = ("google/rpc/status.proto", "google/rpc/error_details.proto")


def closure(protos: Path, name: str) -> set[str]:
    """`name` and all contracts of ours that it needs, as paths below `protos`."""
    needed = {name}
    for imported in re.findall(r'^import "(alpr/[^"]+)";', (protos / name).read_text(encoding="utf-8"), re.M):
        needed |= closure(protos, imported)
    return needed


def generate() -> int:
    """Makes the stubs anew; how many files there are.

    Raises:
        SystemExit: protoc refused a file; its own message is on stderr.
    """
    protos = ROOT / "protos"
    foreign = next(folder for path in google.__path__ if (folder := Path(path).parent / FOREIGN[0]).is_file())
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc"),
        f"--plugin=protoc-gen-es={CLIENT / 'node_modules' / '.bin' / 'protoc-gen-es'}",
        f"--es_out={OUTPUT}",
        "--es_opt=target=ts,import_extension=js",
        *(
            f"-I{folder}"
            for folder in (protos, Path(grpc_tools.__file__).parent / "_proto", foreign.parents[2])
        ),
        *sorted(closure(protos, CONTRACT)),
        *FOREIGN,
    ]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - no input from outside
        raise SystemExit("The stubs of the Node client were not made: protoc's message is above.")
    return len(list(OUTPUT.rglob("*.ts")))


if __name__ == "__main__":
    print(f"made {generate()} stub files in {OUTPUT.relative_to(ROOT)}/", file=sys.stderr)
