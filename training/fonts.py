"""The faces that plates are drawn with: our own dies and free fonts.

python -m training.fonts --into FOLDER fetches the free fonts named in fonts.lock.toml.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import tempfile
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.dies import GLYPH_HEIGHT, Dies, random_style

# Beginnings of file names, with how often a plate takes them.
_PLATE_FACES = {
    "routed-gothic.": 6, "routed-gothic-narrow.": 6, "routed-gothic-wide.": 2, "barlow-latin-6": 3,
    "barlow-condensed-latin-6": 3, "barlow-semi-condensed-latin-6": 3, "roboto-condensed-latin-6": 3,
    "overpass-latin-7": 3, "saira-latin-6": 2, "saira-condensed-latin-6": 3,
    "saira-semi-condensed-latin-6": 3, "rajdhani-latin-6": 2, "big-shoulders-display-latin-6": 2,
    "B612-Regular": 2, "B612-Bold.": 1,
    "OSP-DIN": 2, "oswald-latin-5": 1, "pathway-gothic-one": 1, "francois-one": 0.7,
    "archivo-narrow-latin-6": 1.5, "bebas-neue": 1.5, "merriweather-latin-7": 0.25, "alfa-slab-one": 0.15,
    "GL-Nummernschild": 0.6,
}  # fmt: skip
_SERIF = (
    "playfair-display-latin-7", "merriweather-latin-7", "alfa-slab-one", "arvo-latin-", "bitter-latin-6",
    "lora-latin-6", "rokkitt-latin-6", "rye", "abril-fatface", "cinzel-latin-7", "noto-serif-latin-7",
    "crete-round", "zilla-slab-latin-6", "libre-baskerville-latin-", "eb-garamond-latin-6", "gelasio-latin-6",
    "ultra", "limelight",
)  # fmt: skip
_SCRIPT = (
    "pacifico", "lobster", "dancing-script-latin-7", "kaushan", "yellowtail", "great-vibes", "satisfy",
    "cookie", "sacramento", "allura", "courgette", "playball", "berkshire-swash", "damion",
    "permanent-marker", "kalam-latin-7", "caveat-brush", "niconne", "yesteryear",
)  # fmt: skip
# Sans faces of names and mottoes that no number is written in.
_SANS = (
    "montserrat-latin-7", "poppins-latin-6", "righteous", "josefin-sans-latin-6", "bangers", "patua-one",
    "fjalla-one", "anton", "archivo-black", "russo-one", "sansita-latin-7", "chango",
)  # fmt: skip
# A pool of dies that is slowly renewed: dies for every plate would cost more than the plate.
_POOL = 160
_RENEWED = 0.05


class Alphabet(Protocol):
    """Masks (uint8, GLYPH_HEIGHT rows) of characters."""

    def __getitem__(self, character: str) -> np.ndarray: ...


class FontAlphabet:
    """The characters of a font file, as high as GLYPH_HEIGHT where they are as high as an H."""

    def __init__(self, path: Path) -> None:
        self._font = ImageFont.truetype(str(path), 160)
        left, top, _, bottom = self._font.getbbox("H")
        self._top, self._height, self._left = top, bottom - top, left
        self._drawn: dict[str, np.ndarray] = {}

    def __getitem__(self, character: str) -> np.ndarray:
        if character not in self._drawn:
            image = Image.new("L", (360, 320), 0)
            ImageDraw.Draw(image).text((60, 40), character, font=self._font, fill=255)
            rows = np.array(image)[40 + self._top : 40 + self._top + self._height]
            columns = np.where(rows.max(0) > 30)[0]
            cut = Image.fromarray(rows[:, columns[0] : columns[-1] + 1])
            width = max(3, round(cut.width * GLYPH_HEIGHT / cut.height))
            self._drawn[character] = np.array(cut.resize((width, GLYPH_HEIGHT), Image.Resampling.BILINEAR))
        return self._drawn[character]


class Faces:
    """The fonts of a folder and our own dies.

    Args:
        folder: Holds .ttf, .otf or .woff files; None draws with our own dies and PIL's font only.
    """

    def __init__(self, folder: Path | None) -> None:
        files = (
            sorted(p for p in folder.rglob("*") if p.suffix in {".ttf", ".otf", ".woff"}) if folder else []
        )
        self._plates = [
            (FontAlphabet(p), w) for p in files for s, w in _PLATE_FACES.items() if p.name.startswith(s)
        ]
        self._german = [
            FontAlphabet(p) for p in files if p.name.startswith(("GL-Nummernschild-Eng", "OSP-DIN"))
        ]
        self._mercosur = [FontAlphabet(p) for p in files if p.name.startswith("GL-")]
        self._british = [
            FontAlphabet(p) for p in files if p.name.startswith(("barlow-condensed-latin-7", "overpass"))
        ]
        self._routed = [FontAlphabet(p) for p in files if p.name.startswith("routed-gothic")]
        sans = [p for p in files if p.name.startswith((*_PLATE_FACES, *_SANS))]
        self._text = {
            "sans": sans,
            "serif": [p for p in files if p.name.startswith(_SERIF)],
            "script": [p for p in files if p.name.startswith(_SCRIPT)],
        }
        self._pool: list[Dies] = []

    def dies(self, rng: random.Random) -> Alphabet:
        """Characters as pressed by some dies."""
        if len(self._pool) < _POOL:
            self._pool.append(Dies(random_style(rng)))
            return self._pool[-1]
        place = rng.randrange(_POOL)
        if rng.random() < _RENEWED:
            self._pool[place] = Dies(random_style(rng))
        return self._pool[place]

    def plate(self, rng: random.Random, dies: float) -> Alphabet:
        """A face for a plate's characters: with probability `dies` our own, else a free font's."""
        if not self._plates or rng.random() < dies:
            return self.dies(rng)
        faces, weights = zip(*self._plates, strict=True)
        return rng.choices(faces, weights)[0]

    def german(self, rng: random.Random) -> Alphabet:
        """The forgery-resistant face of Germany and its kin (FE), or DIN."""
        return rng.choice(self._german) if self._german else self.dies(rng)

    def mercosur(self, rng: random.Random) -> Alphabet:
        """The face of Mercosur plates."""
        return rng.choice(self._mercosur) if self._mercosur else self.german(rng)

    def british(self, rng: random.Random) -> Alphabet:
        """Close to Charles Wright."""
        return rng.choice(self._british) if self._british else self.dies(rng)

    def routed(self, rng: random.Random) -> Alphabet:
        """Engraver's letters of one stroke width, thin: to be thickened."""
        return rng.choice(self._routed) if self._routed else self.dies(rng)

    def label(self, kind: str, rng: random.Random) -> Path | None:
        """A font file for small lettering; `kind` is sans, serif or script. None stands for PIL's own."""
        files = self._text[kind] or self._text["sans"]
        return rng.choice(files) if files else None


@lru_cache(maxsize=4096)
def sized(path: Path | None, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font at `size` pixels."""
    return ImageFont.truetype(str(path), size) if path else ImageFont.load_default(size)


@lru_cache(maxsize=20000)
def lettering(path: Path | None, size: int, text: str) -> np.ndarray | None:
    """A mask (uint8, tight) of `text`; None when there is nothing of it to see."""
    font = sized(path, size)
    left, top, right, bottom = (int(v) for v in font.getbbox(text))
    if right - left < 1 or bottom - top < 1:
        return None
    image = Image.new("L", (right - left + 2, bottom - top + 2), 0)
    ImageDraw.Draw(image).text((-left, -top), text, font=font, fill=255)
    return np.array(image)


def fetch(into: Path) -> int:
    """The number of font files put into the folder `into`.

    Raises:
        subprocess.CalledProcessError: npm or apt-get could not fetch one.
    """
    lock = tomllib.loads(Path(__file__).with_name("fonts.lock.toml").read_text(encoding="utf-8"))
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for package in lock["package"]:
            for name in package["names"]:
                if package["kind"] == "npm":
                    subprocess.run(
                        ["npm", "pack", "--silent", name], cwd=scratch, check=True, stdout=subprocess.DEVNULL
                    )
                else:
                    subprocess.run(["apt-get", "download", "-qq", name], cwd=scratch, check=True)
        for archive in sorted(Path(scratch).iterdir()):
            unpacked = Path(scratch) / f"{archive.name}.files"
            unpacked.mkdir()
            command = (
                ["dpkg", "-x", archive, unpacked]
                if archive.suffix == ".deb"
                else ["tar", "xzf", archive, "-C", unpacked]
            )
            subprocess.run(command, check=True)
        return sum(_kept(p, into) for p in Path(scratch).rglob("*") if p.suffix in {".ttf", ".otf", ".woff"})


def _kept(path: Path, into: Path) -> bool:
    wanted = path.name.startswith((*_PLATE_FACES, *_SANS, *_SERIF, *_SCRIPT, "barlow-condensed-latin-7"))
    latin = path.suffix != ".woff" or ("-latin-" in path.name and "-ext-" not in path.name)
    if wanted and latin and "italic" not in path.name:
        shutil.copyfile(path, into / path.name)
        return True
    return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fetches the fonts that plates are drawn with.")
    parser.add_argument("--into", type=Path, required=True)
    print(fetch(parser.parse_args().into), "fonts")
