"""Crop and overview of a stored picture."""

from io import BytesIO

import pytest
from PIL import Image

from services.search.core.pictures import PictureError, PlateBox, crop_and_overview

RED, WHITE = (220, 20, 20), (255, 255, 255)
SIZE = (2000, 1000)
BOX = PlateBox(400, 300, 200, 60)


def picture(kind: str = "JPEG", size: tuple[int, int] = SIZE, orientation: int = 1) -> bytes:
    """A white picture with a red plate in BOX, stored as a camera with that EXIF orientation would."""
    image = Image.new("RGB", size, WHITE)
    image.paste(RED, (int(BOX.x), int(BOX.y), int(BOX.x + BOX.width), int(BOX.y + BOX.height)))
    exif = Image.Exif()
    if orientation == 3:
        image, exif[0x0112] = image.rotate(180), 3
    exif[0x010F] = "maker of the camera"
    written = BytesIO()
    image.save(written, kind, exif=exif)
    return written.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data), formats=("JPEG",))


def red_share(image: Image.Image) -> float:
    pixels = image.convert("RGB").tobytes()
    reds, greens = pixels[::3], pixels[1::3]
    return sum(red > 180 and green < 80 for red, green in zip(reds, greens, strict=True)) / len(reds)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_crop_shows_the_plate_and_the_overview_the_scene(kind: str) -> None:
    pictures = crop_and_overview(picture(kind), BOX)

    crop, overview = opened(pictures.crop), opened(pictures.overview)
    assert overview.size == (1280, 640)
    assert crop.size == (260, 108)
    assert red_share(crop) == pytest.approx(200 * 60 / (260 * 108), abs=0.03)


def test_a_picture_is_turned_upright_before_it_is_cut() -> None:
    pictures = crop_and_overview(picture(orientation=3), BOX)

    assert red_share(opened(pictures.crop)) > 0.3


def test_what_a_camera_wrote_into_its_picture_does_not_come_along() -> None:
    pictures = crop_and_overview(picture(), BOX)

    assert not dict(opened(pictures.overview).getexif())
    assert b"maker of the camera" not in pictures.overview + pictures.crop


@pytest.mark.parametrize(
    "box",
    [
        None,
        PlateBox(0, 0, 0, 0),
        PlateBox(5000, 10, 50, 20),
        PlateBox(10, 10, -5, 20),
        PlateBox(float("nan"), 0, 10, 10),
        PlateBox(0, 0, float("inf"), 10),
    ],
)
def test_without_a_box_inside_the_picture_there_is_an_overview_only(box: PlateBox | None) -> None:
    pictures = crop_and_overview(picture(), box)

    assert pictures.crop == b""
    assert opened(pictures.overview).size == (1280, 640)


def test_a_box_at_the_edge_is_cut_to_the_picture() -> None:
    assert opened(crop_and_overview(picture(), PlateBox(1900, 950, 400, 400)).crop).size == (160, 210)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"\xff\xd8\xff\xe0 no picture",
        picture()[:3000],
        picture("PNG")[:300],
        picture("PNG")[:40] + b"\x00" * 500,
    ],
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(PictureError):
        crop_and_overview(data, BOX)


def test_a_picture_of_more_than_fifty_megapixels_is_refused_before_it_is_decoded() -> None:
    written = BytesIO()
    Image.new("1", (10_000, 5_001)).save(written, "PNG")

    with pytest.raises(PictureError, match="megapixels"):
        crop_and_overview(written.getvalue(), BOX)
