"""Makes the links that npm packages cannot carry, as pg-symlinks.json lists them: `links.py FOLDER`."""

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for one in json.loads((folder / "pg-symlinks.json").read_text(encoding="utf-8")):
        link, file = (
            folder.parent / one[end].replace("native", folder.name, 1) for end in ("target", "source")
        )
        link.symlink_to(file.name)
