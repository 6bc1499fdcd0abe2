"""The detector's training pictures say where their plates are, whatever was done to them."""

import csv
import dataclasses
import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from training import detector_evaluation as evaluation
from training import distractors, pasting, photographs, scenes, targets
from training.exposure import Exposure
from training.photographs import Photograph
from training.targets import Plate

MAGENTA = (255, 0, 255)
SIZE = (256, 320)


def street(seed: int, high: int = 240, wide: int = 360) -> np.ndarray:
    """A grey-green picture of soft blotches: nothing in it is magenta."""
    rough = np.random.default_rng(seed).integers(40, 160, (high // 20, wide // 20), np.uint8)
    grey = cv2.resize(rough, (wide, high), interpolation=cv2.INTER_CUBIC)
    return cv2.merge([grey // 2, grey, grey // 2])


def photograph(seed: int, *boxes: photographs.Box) -> Photograph:
    """A street with magenta plates."""
    image = street(seed)
    for left, top, wide, high in boxes:
        cv2.rectangle(image, (int(left), int(top)), (int(left + wide) - 1, int(top + high) - 1), MAGENTA, -1)
    return photographs.with_patches(Photograph(f"{seed}.png", image, boxes))


def dice(seed: int) -> random.Random:
    return random.Random(seed)


def magenta_plate(_: random.Random) -> np.ndarray:
    plate = np.full((60, 120, 3), MAGENTA, np.uint8)
    plate[:, ::12] = (120, 0, 120)
    return plate


class Plain(Exposure):
    """A camera that changes nothing, so that colours tell what is where."""

    def take(self, rng: random.Random, image: np.ndarray) -> np.ndarray:
        rng.random()
        return image


@pytest.fixture(scope="module")
def stock() -> scenes.Stock:
    pictures = [
        photograph(1, (100.0, 90.0, 80.0, 24.0)),
        photograph(2, (40.0, 60.0, 60.0, 30.0), (220.0, 150.0, 90.0, 24.0)),
    ]
    made = scenes.make_stock(pictures, magenta_plate, distractors.strokes, 3, (4, 30))
    return dataclasses.replace(made, exposure=Plain(3))


def drawn(stock: scenes.Stock, count: int, seed: int = 5) -> list[scenes.Scene]:
    rng = dice(seed)
    return [scenes.draw(rng, stock, *SIZE) for _ in range(count)]


def is_magenta(image: np.ndarray) -> np.ndarray:
    """Pixels in which red and blue are far above green, however dark they are."""
    blue, green, red = (image[..., channel].astype(float) for channel in range(3))
    return (np.minimum(blue, red) > 2.0 * green + 3) & (np.minimum(blue, red) > 12)


def test_the_same_seed_gives_the_same_scenes(stock: scenes.Stock) -> None:
    first, second = drawn(stock, 6), drawn(stock, 6)

    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.image, other.image)
        assert [plate.box for plate in one.plates] == [plate.box for plate in other.plates]


def test_plates_are_where_the_labels_say_after_zoom_turn_mirror_and_paste(stock: scenes.Stock) -> None:
    seen = 0
    for scene in drawn(stock, 60):
        magenta = is_magenta(scene.image)
        for plate in scene.plates:
            _, _, wide, high = plate.box
            if wide < 24 or high < 10:
                continue
            mask = np.zeros(SIZE, np.uint8)
            centre = plate.quad.mean(axis=0)
            inner = centre + (plate.quad - centre) * 0.7
            cv2.fillConvexPoly(mask, np.round(inner).astype(np.int32), 1)
            outer = centre + (plate.quad - centre) * 1.3 + np.sign(plate.quad - centre) * 2
            ring = np.zeros(SIZE, np.uint8)
            cv2.polylines(ring, [np.round(outer).astype(np.int32)], True, 1)
            if magenta[mask > 0].mean() < 0.5:  # in deep shade or in other colours: colour says nothing
                continue
            seen += 1
            assert magenta[ring > 0].mean() < 0.3
    assert seen >= 40


def test_nothing_looks_like_a_plate_outside_labels_and_ignored_places(stock: scenes.Stock) -> None:
    for scene in drawn(stock, 60, seed=6):
        magenta = is_magenta(scene.image)
        for left, top, wide, high in [*(plate.box for plate in scene.plates), *scene.ignored]:
            x0, y0 = max(0, int(left) - 3), max(0, int(top) - 3)
            magenta[y0 : max(0, int(top + high) + 4), x0 : max(0, int(left + wide) + 4)] = False
        # Distractors have colours of their own; they are few and not this colour for the most part.
        assert magenta.mean() < 0.12


def test_close_ups_are_marked_where_they_are_and_of_what_is_cut_off_no_corner_is_known(
    stock: scenes.Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "_CLOSE_UPS", 1.0)
    monkeypatch.setattr(scenes, "_piece", lambda _rng, _stock: street(7))  # nothing in it is magenta
    known = []
    for scene in drawn(stock, 30):
        magenta = is_magenta(scene.image)
        for left, top, wide, high in [*(plate.box for plate in scene.plates), *scene.ignored]:
            magenta[int(top) : int(top + high) + 2, int(left) : int(left + wide) + 2] = False
        assert magenta.mean() < 0.003
        for plate in scene.plates:
            left, top, wide, high = plate.box
            start = max(edge for edge in (32, 160) if edge <= left)
            assert left + wide <= start + 96
            known.append(plate.corners_known)
    assert 5 < sum(known) < len(known) - 5


def test_an_erased_plate_leaves_no_trace() -> None:
    picture = photograph(4, (100.0, 90.0, 80.0, 24.0))
    patch = picture.patches[0]
    image = picture.image.copy()

    high, wide = patch.pixels.shape[:2]
    image[patch.top : patch.top + high, patch.left : patch.left + wide] = patch.pixels

    assert is_magenta(picture.image).any()
    assert not is_magenta(image).any()


def test_corners_go_clockwise_from_the_upper_left_and_boxes_enclose_them(stock: scenes.Stock) -> None:
    plates = [plate for scene in drawn(stock, 60) for plate in scene.plates]

    assert sum(plate.corners_known for plate in plates) >= 20
    for plate in plates:
        left, top, wide, high = plate.box
        x, y = plate.quad[:, 0], plate.quad[:, 1]
        along, down = plate.quad[1] - plate.quad[0], plate.quad[3] - plate.quad[0]
        assert along[0] * down[1] - along[1] * down[0] > 0
        assert x[0] < x[1]
        assert x[3] < x[2]
        assert y[0] < y[3]
        assert y[1] < y[2]
        assert left <= x.min()
        assert left + wide >= x.max() - 1e-3
        assert top <= y.min()
        assert top + high >= y.max() - 1e-3


def test_plates_are_mostly_visible_and_of_a_readable_size(stock: scenes.Stock) -> None:
    for scene in drawn(stock, 60):
        assert scene.image.shape == (*SIZE, 3)
        assert scene.image.dtype == np.uint8
        for plate in scene.plates:
            left, top, wide, high = plate.box
            inside = max(0.0, min(left + wide, SIZE[1]) - max(left, 0)) * max(
                0.0, min(top + high, SIZE[0]) - max(top, 0)
            )
            assert inside / (wide * high) >= 0.75
            assert wide >= 12


def test_the_camera_keeps_the_place_of_things() -> None:
    image = np.zeros((160, 200, 3), np.uint8)
    image[60:90, 80:140] = 220
    camera, rng = Exposure(1), dice(2)

    for _ in range(40):
        taken = cv2.cvtColor(camera.take(rng, image), cv2.COLOR_BGR2GRAY).astype(float)

        bright = taken - np.median(taken)
        rows, columns = np.nonzero(bright > bright.max() * 0.5)
        assert taken.shape == image.shape[:2]
        assert abs(np.median(rows) - 74.5) < 2.5
        assert abs(np.median(columns) - 109.5) < 2.5


def test_paste_draws_inside_its_quad_only() -> None:
    rng = dice(8)
    for _ in range(30):
        canvas = np.full((200, 240, 3), 90, np.uint8)
        quad = pasting.quad_at(rng, (120, 100), rng.uniform(30, 120), rng.uniform(15, 60))

        pasting.paste(rng, canvas, np.full((50, 100, 3), MAGENTA, np.uint8), quad)

        mask = np.zeros((200, 240), np.uint8)
        centre = quad.mean(axis=0)
        cv2.fillConvexPoly(mask, np.round(centre + (quad - centre) * 1.1).astype(np.int32), 1)
        mask = cv2.dilate(mask, np.ones((5, 5), np.uint8))
        assert not (is_magenta(canvas) & (mask == 0)).any()


@pytest.mark.parametrize("seed", range(5))
def test_maps_decode_to_the_plates_they_were_made_from(seed: int) -> None:
    rng = dice(seed)
    plates = [
        Plate(pasting.quad_at(rng, (x, y), wide, wide / 2.2), corners_known=True)
        for x, y, wide in ((60.3, 50.9, 42), (200.5, 60.2, 90), (90, 180.7, 130), (260.1, 200, 14))
    ]

    maps = targets.encode(plates, [], *SIZE)
    peaks = np.where(maps.heat == 1, maps.heat, 0)
    found = targets.decode(peaks, maps.box, maps.corners, 0.5)

    assert len(found) == len(plates)
    for plate in plates:
        match = min(found, key=lambda one: abs(one.quad - plate.quad).sum())
        assert np.allclose(match.quad, plate.quad, atol=1e-3)
        assert np.allclose(match.box, plate.box, atol=1e-3)


def test_maps_follow_the_published_formula() -> None:
    quad = np.array([(100, 40), (164, 44), (160, 76), (98, 70)], np.float32)

    maps = targets.encode([Plate(quad, corners_known=True)], [], *SIZE)

    row, column = 58 // 8, 131 // 8
    assert maps.heat[row, column] == 1
    assert (column + maps.box[0, row, column]) * 8 == pytest.approx(131)
    assert (row + maps.box[1, row, column]) * 8 == pytest.approx(58)
    assert np.exp(maps.box[2, row, column]) * 32 == pytest.approx(66)
    assert np.exp(maps.box[3, row, column]) * 16 == pytest.approx(36)
    assert maps.corners[:, row, column] == pytest.approx(((quad - (131, 58)) / (66, 36)).reshape(8), abs=1e-5)


def test_neighbouring_cells_describe_the_same_plate() -> None:
    quad = pasting.quad_at(dice(1), (150, 120), 160, 80)

    maps = targets.encode([Plate(quad, corners_known=True)], [], *SIZE)
    found = targets.decode(maps.box_counts, maps.box, maps.corners, 0.5, overlap=2.0)

    assert len(found) > 1
    assert all(np.allclose(one.quad, quad, atol=1e-3) for one in found)


def test_an_ignored_place_does_not_count_but_a_plate_in_it_does() -> None:
    plate = Plate(np.array([(40, 40), (80, 40), (80, 60), (40, 60)], np.float32), corners_known=False)

    maps = targets.encode([plate], [(-20.0, -20.0, 200.0, 200.0)], *SIZE)

    assert maps.counted[0, 0] == 0
    assert maps.counted[50 // 8, 60 // 8] == 1
    assert maps.counted[-1, -1] == 1
    assert maps.corners_count.sum() == 0
    assert maps.box_counts.sum() >= 1


def test_of_two_overlapping_answers_the_better_one_stays() -> None:
    score = np.zeros((4, 8), np.float32)
    score[1, 2], score[1, 3], score[3, 7] = 0.9, 0.8, 0.7

    found = targets.decode(score, np.zeros((4, 4, 8)), np.zeros((8, 4, 8)), 0.5)

    assert [one.score for one in found] == pytest.approx([0.9, 0.7])


def test_photographs_are_read_with_their_notes_and_without_black_frames(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), street(1))
    cv2.imwrite(str(tmp_path / "images" / "black.png"), np.zeros((50, 80, 3), np.uint8))
    with (tmp_path / "labels.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["image", "plate_text", "x", "y", "w", "h", "country", "note"])
        writer.writerow(["a.png", "AB12", 10, 20, 40, 20, "", ""])
        writer.writerow(["a.png", "", 100, 20, 40, 20, "", "not-a-plate"])
        writer.writerow(["black.png", "AB12", 10, 20, 40, 20, "", ""])
    more = tmp_path / "more.csv"
    more.write_text(
        "image,x,y,w,h,note\na.png,200,20,40,20,\na.png,200,90,40,20,unsure\na.png,200,140,40,20,hard\n"
    )

    read = photographs.load(tmp_path, more)

    assert [one.name for one in read] == ["a.png"]
    assert read[0].plates == ((10, 20, 40, 20), (200, 20, 40, 20))
    assert read[0].ignored == ((100, 20, 40, 20), (200, 90, 40, 20))
    assert read[0].hard == ((200, 140, 40, 20),)
    assert len(read[0].patches) == 2


def test_no_text_is_on_both_sides_of_the_split() -> None:
    image = street(1)
    pictures = [
        Photograph(
            f"{number}.png", image, (), texts=(f"AA{number % 60}", f"AA{(number + number // 120) % 60}")
        )
        for number in range(200)
    ]

    learnt, kept = photographs.split(pictures)

    assert learnt
    assert kept
    assert not {text for one in learnt for text in one.texts} & {text for one in kept for text in one.texts}


def test_a_detector_that_says_the_truth_has_full_recall_and_no_false_box(stock: scenes.Stock) -> None:
    seen = [evaluation.Example(scene.image, scene.plates, scene.ignored) for scene in drawn(stock, 12)]
    answers = iter(targets.encode(example.plates, example.ignored, *SIZE) for example in seen)

    def truth(_: np.ndarray) -> evaluation.Maps:
        maps = next(answers)
        return np.where(maps.heat == 1, maps.heat, 0), maps.box, maps.corners

    report = evaluation.evaluate(truth, seen, longest=None)

    assert report.plates == sum(len(example.plates) for example in seen) > 0
    assert min(report.scores) == min(report.tight) == 1
    assert report.false == []
    assert max(report.corner_errors) == pytest.approx(0, abs=1e-4)


def test_a_box_beside_every_label_is_false_unless_the_place_is_ignored() -> None:
    score = np.zeros((8, 8), np.float32)
    score[1, 1] = score[6, 6] = 0.9
    image = np.zeros((64, 64, 3), np.uint8)
    maps = (score, np.zeros((4, 8, 8)), np.zeros((8, 8, 8)))

    report = evaluation.evaluate(
        lambda _: maps, [evaluation.Example(image, (), ((40.0, 40.0, 20.0, 20.0),))], longest=None
    )

    assert report.false == [pytest.approx(0.9)]


@pytest.mark.parametrize(("high", "wide"), [(720, 1280), (300, 400), (1280, 720), (33, 1000)])
def test_a_frame_fits_the_net_and_keeps_its_proportions(high: int, wide: int) -> None:
    framed, scale = evaluation.frame(np.full((high, wide, 3), 7, np.uint8), 640)

    assert framed.shape[0] % 32 == framed.shape[1] % 32 == 0
    assert scale == pytest.approx(640 / max(high, wide))
    assert (framed[: round(high * scale), : round(wide * scale)] == 7).all()
