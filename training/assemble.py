"""Puts exported nets together as a version of the models that the service can load.

python -m training.assemble --models DIR --version plates-4 --out services/ocr/models

Writes OUT/VERSION/ with the four nets and model.toml. The numbers of calibration come after, from
training.calibrate; until then the service takes those of its code.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

from training.plates import ISSUERS, KINDS

NETS = ("detector", "corners", "characters", "issuer")
_LICENCE = "Apache-2.0"


def assemble(models: Path, version: str, out: Path) -> Path:
    """The folder of the version, newly written; what stood there before goes.

    Raises:
        FileNotFoundError: A net is missing in `models`.
    """
    missing = [name for name in NETS if not (models / f"{name}.onnx").is_file()]
    if missing:
        raise FileNotFoundError(f"{models} holds no {', '.join(missing)}")
    folder = out / version
    folder.mkdir(parents=True, exist_ok=True)
    for name in NETS:
        shutil.copyfile(models / f"{name}.onnx", folder / f"{name}.onnx")
    (folder / "model.toml").write_text(_listed(folder, version), encoding="utf-8")
    return folder


def _listed(folder: Path, version: str) -> str:
    lines = [
        "# One version of the models: its nets, what their answers mean, how far they are to be believed.",
        f'version = "{version}"',
        f"date = {datetime.now(UTC).date().isoformat()}",
        f'licence = "{_LICENCE}"',
        f"issuers = {_names(ISSUERS)}",
        f"kinds = {_names(KINDS)}",
    ]
    for name in NETS:
        digest = hashlib.sha256((folder / f"{name}.onnx").read_bytes()).hexdigest()
        lines += ["", f"[files.{name}]", f'file = "{name}.onnx"', f'sha256 = "{digest}"']
    return "\n".join(lines) + "\n"


def _names(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes a version of the models from exported nets.")
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    print(assemble(options.models, options.version, options.out))
