"""Things that are no plates but look like them to a young net: lettering, signs, grilles, lights."""

from __future__ import annotations

import math
import random
import string
from collections.abc import Callable, Sequence

import cv2
import numpy as np

Drawing = tuple[np.ndarray, np.ndarray]  # picture [h, w, 3] BGR and its cover [h, w], both uint8
# Draws a text as a mask [h, w], white on black, of any size.
Writer = Callable[[random.Random, str], np.ndarray]

# What is written on cars and along roads.
_TEXT = """
    Toyota Honda Camry Corolla CIVIC accord F-150 SILVERADO Ram 1500 EXPLORER escape Fusion Malibu IMPALA
    Hybrid turbo 4x4 V6 XLE LX GT 2.0T TDI quattro 320i X5 C200 CR-V XC90 Rav4 sport limited AWD EcoBoost
    SALE open PIZZA hotel Parking STOP exit taxi POLICE school BUS baby on board Student Driver coffee bank
    for sale call now Free delivery since plumbing electric heating & cooling roofing vote 2020 I love my dog
    caution wide turns how is my driving lease rent www.example.com city motors moving company
"""
_WORDS = _TEXT.split()
# What stands on boards over and along roads.
_BOARDS = """
    EXIT|EXIT ONLY|ONLY|ONE WAY|DO NOT ENTER|WRONG WAY|NO TURN ON RED|SPEED LIMIT|LEFT LANE MUST TURN LEFT
    |NORTH|SOUTH|EAST|WEST|TO|JCT|ROAD WORK AHEAD|DETOUR|SCHOOL|NO PARKING ANY TIME|BUS STOP|TOLL PLAZA
    |KEEP RIGHT|MERGE|YIELD|BRIDGE MAY ICE|TRUCKS USE RIGHT LANE|AIRPORT|DOWNTOWN|Main St|Lake Ave|Elm Rd
    |Park Blvd|Oak Dr|Next Right|Rest Area|CENTRO|SAIDA|RETORNO|PARE|AUSFAHRT|SORTIE|1 MILE|500 FT
    |CLEARANCE 13-6|US DOT|GVW 26000
"""
_DIRECTIONS = [text.strip() for text in _BOARDS.split("|")]


def strokes(rng: random.Random, text: str) -> np.ndarray:
    """`text` in plain strokes, white on black: the writer that needs no fonts."""
    face, thick = rng.choice([0, 2, 3, 4, 6]), rng.choice([1, 2, 3])
    (wide, high), base = cv2.getTextSize(text, face, 1.2, thick)
    image = np.zeros((high + base + 4, wide + 4), np.uint8)
    cv2.putText(image, text, (2, high + 2), face, 1.2, 255, thick, cv2.LINE_AA)
    return image


def _mask(write: Writer, rng: random.Random, text: str, height: int) -> np.ndarray:
    drawn = write(rng, text)
    wide = max(2, round(drawn.shape[1] * height / drawn.shape[0]))
    return cv2.resize(drawn, (wide, height), interpolation=cv2.INTER_AREA)


def draw(rng: random.Random, write: Writer) -> Drawing:
    """One thing that is not a plate."""
    picture, cover = rng.choice(_KINDS)(rng, write)
    return np.ascontiguousarray(picture), np.ascontiguousarray(cover)


def _colour(rng: random.Random, low: int = 0, high: int = 255) -> tuple[int, int, int]:
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def _panel(rng: random.Random, wide: int, high: int, colour: tuple[int, int, int]) -> Drawing:
    ramp = np.linspace(1, rng.uniform(0.6, 1.1), high)[:, None, None]
    picture = np.clip(np.array(colour) * ramp * np.ones((high, wide, 1)), 0, 255).astype(np.uint8)
    return picture, np.full((high, wide), 255, np.uint8)


def _phrase(rng: random.Random, least: int, most: int) -> str:
    if rng.random() < 0.2:
        return "".join(rng.choice(string.digits + "-. ") for _ in range(rng.randint(8, 14)))
    return " ".join(rng.choice(_WORDS) for _ in range(rng.randint(least, most)))


def _write(picture: np.ndarray, mask: np.ndarray, left: int, top: int, colour: Sequence[int]) -> None:
    high = min(mask.shape[0], picture.shape[0] - top)
    wide = min(mask.shape[1], picture.shape[1] - left)
    if high <= 0 or wide <= 0:
        return
    share = mask[:high, :wide, None].astype(np.float32) / 255
    place = picture[top : top + high, left : left + wide]
    place[:] = (place * (1 - share) + np.array(colour, np.float32) * share).astype(np.uint8)


def _words(rng: random.Random, write: Writer) -> Drawing:
    """A word or two without any ground of their own, as on a boot lid or a shop window."""
    mask = _mask(write, rng, _phrase(rng, 1, 2), 48)
    picture, _ = _panel(rng, mask.shape[1], mask.shape[0], _colour(rng))
    return picture, mask


def _number(rng: random.Random, write: Writer) -> Drawing:
    """A few figures or letters in nearly the colour of what they stand on: a model's number, a fleet's."""
    text = "".join(rng.choice(string.digits) for _ in range(rng.randint(2, 4)))
    if rng.random() < 0.5:
        text = "".join(rng.choice(string.ascii_uppercase) for _ in range(rng.randint(2, 4)))
    mask = _mask(write, rng, text, 48)
    if rng.random() < 0.6:
        mask = (mask * rng.uniform(0.2, 0.7)).astype(np.uint8)
    picture, _ = _panel(rng, mask.shape[1], mask.shape[0], _colour(rng))
    return picture, mask


def _board(rng: random.Random, write: Writer) -> Drawing:
    """A board with directions in one to three rows: green, blue, white, black, amber, with a rim."""
    said = [rng.choice(_DIRECTIONS) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    if rng.random() < 0.4:
        said[-1] += f" {rng.randint(1, 399)}{rng.choice(['', '', 'A', 'B'])}"
    masks = [_mask(write, rng, text, rng.randint(24, 48)) for text in said]
    ground, ink = rng.choice(
        [
            ((70, 110, 20), (240, 245, 240)),
            ((140, 70, 20), (240, 240, 240)),
            ((235, 235, 235), (20, 20, 20)),
            ((30, 30, 30), (235, 235, 235)),
            ((20, 170, 240), (15, 15, 15)),
            ((40, 30, 180), (240, 240, 240)),
        ]
    )
    edge = rng.randint(6, 18)
    wide = max(mask.shape[1] for mask in masks) + 2 * edge
    picture, cover = _panel(rng, wide, sum(mask.shape[0] + edge for mask in masks) + edge, ground)
    top = edge
    for mask in masks:
        _write(picture, mask, (wide - mask.shape[1]) // 2, top, ink)
        top += mask.shape[0] + edge
    if rng.random() < 0.6:
        cv2.rectangle(picture, (2, 2), (wide - 3, picture.shape[0] - 3), ink, 2)
    return picture, cover


def _dealer(rng: random.Random, write: Writer) -> Drawing:
    """A dealer's name on cardboard where a plate will be: a large word, small print above or below."""
    wide, high = rng.choice([(180, 90), (200, 100), (240, 52)])
    picture, cover = _panel(rng, wide, high, _colour(rng))
    ink = _colour(rng)
    # Words only: figures in large would make a plate of it.
    rows = [(rng.choice(_WORDS).title(), 0.5), (_phrase(rng, 2, 3), 0.2)]
    if rng.random() < 0.5:
        rows.reverse()
    top = int(high * 0.1)
    for text, share in rows:
        mask = _mask(write, rng, text, int(high * share))
        mask = cv2.resize(mask, (min(mask.shape[1], wide - 12), mask.shape[0]), interpolation=cv2.INTER_AREA)
        _write(picture, mask, (wide - mask.shape[1]) // 2, top, ink)
        top += mask.shape[0] + int(high * 0.1)
    return picture, cover


def _overlay(rng: random.Random, write: Writer) -> Drawing:
    """A camera's own time stamp, white or yellow, at times on a black bar."""
    text = f"20{rng.randint(10, 29)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} "
    text += f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
    mask = _mask(write, rng, text[rng.choice([0, 0, 11]) :], 30)
    picture = np.zeros((*mask.shape, 3), np.uint8)
    _write(picture, mask, 0, 0, rng.choice([(255, 255, 255), (60, 230, 250), (80, 250, 80)]))
    return picture, np.full(mask.shape, 255, np.uint8) if rng.random() < 0.4 else mask


def _sticker(rng: random.Random, write: Writer) -> Drawing:
    """A bumper sticker: several words in a row on a long strip, or two small rows."""
    rows = rng.choice([1, 1, 2])
    masks = [_mask(write, rng, _phrase(rng, 2, 4), rng.randint(24, 40)) for _ in range(rows)]
    wide = max(mask.shape[1] for mask in masks) + 24
    picture, cover = _panel(rng, wide, sum(mask.shape[0] for mask in masks) + 14 * rows, _colour(rng))
    ink, top = _colour(rng), 8
    for mask in masks:
        _write(picture, mask, rng.randint(4, max(5, wide - mask.shape[1] - 2)), top, ink)
        top += mask.shape[0] + 8
    return picture, cover


def _poster(rng: random.Random, write: Writer) -> Drawing:
    """A page of small print with or without a heading."""
    wide, high = rng.randint(100, 220), rng.randint(90, 240)
    picture, cover = _panel(rng, wide, high, _colour(rng))
    ink, top = _colour(rng), 6
    while top < high - 12:
        size = rng.choice([8, 10, 10, 14, 30])
        _write(picture, _mask(write, rng, _phrase(rng, 2, 6), size), rng.randint(2, 20), top, ink)
        top += size + rng.randint(3, 12)
    return picture, cover


def _sign(rng: random.Random, write: Writer) -> Drawing:
    """A road sign: disc, octagon, triangle, diamond or board with a rim."""
    side = 120
    corners = rng.choice([3, 4, 4, 8, 40])
    turn = rng.choice([0, math.pi / corners, math.pi / 2])
    ring = [turn + 2 * math.pi * index / corners for index in range(corners)]
    unit = np.array([(math.cos(angle), math.sin(angle)) for angle in ring])
    picture, _ = _panel(rng, side, side, _colour(rng))
    cover = np.zeros((side, side), np.uint8)
    cv2.fillPoly(cover, [(60 + 58 * unit).astype(np.int32)], 255, cv2.LINE_AA)
    if rng.random() < 0.6:
        cv2.fillPoly(picture, [(60 + rng.uniform(38, 52) * unit).astype(np.int32)], _colour(rng), cv2.LINE_AA)
    if rng.random() < 0.7:
        text = rng.choice(["STOP", "50", "30", "25", "P", "YIELD", "ONE WAY", "EXIT", "80", "65"])
        mask = _mask(write, rng, text, rng.randint(20, 44))
        _write(picture, mask, max(0, 60 - mask.shape[1] // 2), 60 - mask.shape[0] // 2, _colour(rng))
    return picture, cover


def _grille(rng: random.Random, _: Writer) -> Drawing:
    """Bars or a mesh between bright rims."""
    wide, high = rng.randint(90, 240), rng.randint(40, 90)
    picture, cover = _panel(rng, wide, high, _colour(rng, 0, 90))
    bright, step, thick = _colour(rng, 60, 240), rng.randint(5, 16), rng.choice([1, 2, 3])
    across, along = rng.choice([(True, False), (False, True), (True, True)])
    for at in range(0, wide if across else 0, step):
        cv2.line(picture, (at, 0), (at + rng.choice([0, 0, 8]), high), bright, thick)
    for at in range(0, high if along else 0, step):
        cv2.line(picture, (0, at), (wide, at), bright, thick)
    if rng.random() < 0.5:
        cv2.rectangle(picture, (0, 0), (wide - 1, high - 1), bright, thick + 1)
    return picture, cover


def _light(rng: random.Random, _: Writer) -> Drawing:
    """A lamp: red, amber or white glass with a bright core, with rounded corners."""
    wide, high = rng.randint(50, 180), rng.randint(30, 90)
    glass = rng.choice([(30, 20, 190), (20, 20, 120), (20, 130, 230), (210, 210, 210), (60, 50, 160)])
    picture, _cover = _panel(rng, wide, high, glass)
    for _index in range(rng.randint(1, 4)):
        centre = (rng.randint(0, wide), rng.randint(0, high))
        axes = (rng.randint(5, wide // 2), rng.randint(4, high // 2))
        cv2.ellipse(picture, centre, axes, 0, 0, 360, _colour(rng, 100, 255), rng.choice([-1, 2]))
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 5))
    cover = np.zeros((high, wide), np.uint8)
    cv2.ellipse(cover, (wide // 2, high // 2), (wide // 2, high // 2), 0, 0, 360, 255, -1)
    return picture, cover if rng.random() < 0.5 else np.full((high, wide), 255, np.uint8)


def _blank(rng: random.Random, _: Writer) -> Drawing:
    """An empty panel, with a rim or a stripe: a plate's place without its plate."""
    wide, high = rng.randint(80, 240), rng.randint(36, 100)
    picture, cover = _panel(rng, wide, high, _colour(rng))
    if rng.random() < 0.6:
        cv2.rectangle(picture, (2, 2), (wide - 3, high - 3), _colour(rng), rng.randint(1, 5))
    if rng.random() < 0.4:
        at = rng.randint(0, high)
        cv2.rectangle(picture, (0, at), (wide, at + rng.randint(3, 20)), _colour(rng), -1)
    return picture, cover


def _badge(rng: random.Random, write: Writer) -> Drawing:
    """A maker's oval or shield."""
    wide, high = rng.randint(60, 120), rng.randint(40, 80)
    picture, _cover = _panel(rng, wide, high, _colour(rng))
    cover = np.zeros((high, wide), np.uint8)
    centre, axes = (wide // 2, high // 2), (wide // 2 - 2, high // 2 - 2)
    cv2.ellipse(cover, centre, axes, 0, 0, 360, 255, -1)
    cv2.ellipse(picture, centre, axes, 0, 0, 360, _colour(rng, 120, 255), rng.randint(2, 7))
    mask = _mask(write, rng, rng.choice(_WORDS), high // 3)
    _write(picture, mask, max(0, wide // 2 - mask.shape[1] // 2), high // 3, _colour(rng))
    return picture, cover


def _window(rng: random.Random, _: Writer) -> Drawing:
    """Panes of a building or of a bus: a dark or lit quad with bars."""
    wide, high = rng.randint(60, 200), rng.randint(50, 160)
    picture, cover = _panel(rng, wide, high, _colour(rng, 10, 200))
    frame, columns, rows = _colour(rng), rng.randint(1, 5), rng.randint(1, 4)
    for index in range(columns + 1):
        cv2.line(picture, (wide * index // columns, 0), (wide * index // columns, high), frame, 3)
    for index in range(rows + 1):
        cv2.line(picture, (0, high * index // rows), (wide, high * index // rows), frame, 3)
    return picture, cover


_KINDS = (
    *(_words, _words, _number, _sticker, _sign, _board, _board, _dealer, _poster, _grille),
    *(_light, _light, _blank, _badge, _overlay, _window),
)
