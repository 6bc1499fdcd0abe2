"""Synthetic scenes for the demo: a drawn vehicle on a drawn road with a plate, the same for the same seed.

They are no photographs and look it; each says so in its own picture. Their plates are invented.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

_Image = npt.NDArray[np.uint8]
_Color = tuple[int, int, int]

_WIDTH, _HEIGHT = 1280, 720
_HORIZON = 250
_CAPTION = "SYNTHETIC SCENE: DRAWN BY PLATEWARDEN, NOT A PHOTOGRAPH"
_BODIES: tuple[_Color, ...] = (
    (60, 52, 48),
    (48, 40, 122),
    (118, 74, 36),
    (70, 92, 58),
    (150, 150, 146),
    (92, 96, 104),
)
# 0, 1, I, O, Q, G and J (in this font a C and a 3) are left out: no plate is in doubt by its drawing.
_LETTERS = "ABCDEFHKLMNPRSTUVWXYZ"
_DIGITS = "23456789"
_PLATE_PIXELS = (480, 240)
_JPEG_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Scene:
    """A synthetic picture as JPEG, 1280 x 720, and the text of the one plate in it."""

    image: bytes
    plate: str


def draw_scene(seed: int) -> Scene:
    """The synthetic scene of `seed`: vehicle, place of the plate, light and noise differ by seed."""
    chance = np.random.default_rng(seed)
    text = "".join(chance.choice(list(_LETTERS), 2)) + "".join(chance.choice(list(_DIGITS), 5))
    image = _road(chance)
    _put(image, _plate(text), _draw_vehicle(image, chance), chance)
    image = _photographed(image, chance)
    _write(image, _CAPTION, (16, _HEIGHT - 16), 0.6, (255, 255, 255), 1)
    _, encoded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
    return Scene(encoded.tobytes(), text)


def _road(chance: np.random.Generator) -> _Image:
    """Sky, ground and a road with its lines."""
    image = np.zeros((_HEIGHT, _WIDTH, 3), dtype=np.uint8)
    image[:_HORIZON] = np.linspace((214, 176, 140), (236, 222, 208), _HORIZON)[:, None]
    image[_HORIZON:] = (84, 116, 96)
    middle = int(chance.integers(560, 720))
    far, near = (middle - 70, middle + 70), (-300, _WIDTH + 300)
    road = np.array(
        [(far[0], _HORIZON), (far[1], _HORIZON), (near[1], _HEIGHT), (near[0], _HEIGHT)], dtype=np.int32
    )
    cv2.fillPoly(image, [road], (92, 90, 88))
    for side in (0.3, 0.7):
        top = (round(far[0] + side * (far[1] - far[0])), _HORIZON)
        bottom = (round(near[0] + side * (near[1] - near[0])), _HEIGHT)
        cv2.line(image, top, bottom, (214, 216, 216), 6, cv2.LINE_AA)
    return image


def _draw_vehicle(image: _Image, chance: np.random.Generator) -> tuple[int, int, int]:
    """Draws the rear of a vehicle; gives centre and width of its plate in pixels."""
    body = _BODIES[int(chance.integers(len(_BODIES)))]
    dark: _Color = (body[0] // 2, body[1] // 2, body[2] // 2)
    width = int(chance.integers(460, 620))
    height = round(width * 0.72)
    left = int(chance.integers(200, _WIDTH - width - 200))
    top = int(chance.integers(190, _HEIGHT - height - 60))
    right, bottom = left + width, top + height
    belt, sill = top + round(0.42 * height), bottom - round(0.14 * height)
    for wheel in (left + width // 8, right - width // 8):
        cv2.ellipse(image, (wheel, sill), (width // 11, round(0.15 * height)), 0, 0, 360, (22, 22, 22), -1)
    inset = width // 7
    roof = np.array([(left + inset, top), (right - inset, top), (right, belt), (left, belt)], dtype=np.int32)
    cv2.fillPoly(image, [roof], body, cv2.LINE_AA)
    window = ((roof - roof.mean(axis=0)) * (0.78, 0.7) + roof.mean(axis=0)).astype(np.int32)
    cv2.fillPoly(image, [window], (70, 60, 52), cv2.LINE_AA)
    cv2.rectangle(image, (left, belt), (right, sill), body, -1)
    cv2.rectangle(image, (left - 8, sill - height // 12), (right + 8, sill + height // 20), dark, -1)
    for lamp in (left + 10, right - 10 - width // 8):
        cv2.rectangle(image, (lamp, belt + 18), (lamp + width // 8, belt + height // 7), (40, 34, 190), -1)
    return (left + right) // 2, (belt + sill) // 2 + height // 24, round(width * chance.uniform(0.24, 0.34))


def _plate(text: str) -> _Image:
    """A plate with a state's name, `text` and a motto, seen from straight ahead."""
    width, height = _PLATE_PIXELS
    plate = np.full((height, width, 3), (238, 240, 240), dtype=np.uint8)
    cv2.rectangle(plate, (5, 5), (width - 6, height - 6), (120, 60, 30), 5, cv2.LINE_AA)
    _centred(plate, "ILLINOIS", 48, 1.2, (140, 60, 30), 3)
    _centred(plate, f"{text[:2]} {text[2:]}", 158, 2.9, (60, 24, 16), 9)
    _centred(plate, "SYNTHETIC", 218, 0.9, (120, 60, 30), 2)
    for bolt in (60, width - 60):
        cv2.circle(plate, (bolt, 30), 7, (150, 150, 150), -1, cv2.LINE_AA)
    return plate


def _put(image: _Image, plate: _Image, where: tuple[int, int, int], chance: np.random.Generator) -> None:
    """Puts `plate` into `image`, turned a little, as seen from a camera beside the lane."""
    x, y, width = where
    height = width * _PLATE_PIXELS[1] / _PLATE_PIXELS[0]
    corners = np.array(((-1, -1), (1, -1), (1, 1), (-1, 1))) * (width / 2, height / 2)
    lean = chance.uniform(-0.05, 0.05)
    corners[:, 1] += corners[:, 0] * lean
    corners += chance.uniform(-0.02, 0.02, corners.shape) * height + np.array((x, y))
    target = corners.astype(np.float32)
    # First to about the size it will have: sampling a large picture at few points loses strokes.
    small = cv2.resize(plate, (2 * width, round(2 * height)), interpolation=cv2.INTER_AREA)
    source = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float32) * (small.shape[1], small.shape[0])
    transform = cv2.getPerspectiveTransform(source.astype(np.float32), target)
    warped = cv2.warpPerspective(small, transform, (_WIDTH, _HEIGHT), flags=cv2.INTER_AREA)
    mask = np.zeros((_HEIGHT, _WIDTH), dtype=np.uint8)
    cv2.fillConvexPoly(mask, target.round().astype(np.int32), 255)
    image[mask > 0] = warped[mask > 0]


def _photographed(image: _Image, chance: np.random.Generator) -> _Image:
    """`image` with a camera's light, softness and noise."""
    soft = cv2.GaussianBlur(image, (0, 0), float(chance.uniform(0.5, 0.9))).astype(np.float32)
    lit = soft * chance.uniform(0.75, 1.1) + chance.normal(0, chance.uniform(2, 5), soft.shape)
    return np.asarray(np.clip(lit, 0, 255), dtype=np.uint8)


def _centred(image: _Image, text: str, baseline: int, size: float, color: _Color, weight: int) -> None:
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, size, weight)
    _write(image, text, ((image.shape[1] - width) // 2, baseline), size, color, weight)


def _write(image: _Image, text: str, at: tuple[int, int], size: float, color: _Color, weight: int) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_DUPLEX, size, color, weight, cv2.LINE_AA)
