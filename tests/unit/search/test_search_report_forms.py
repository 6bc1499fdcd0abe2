"""Reports in their forms: each says what its rows are good for, and shows nothing but what it was given."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from html.parser import HTMLParser

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.search.core.map import draw_map
from services.search.core.report import letter, site_letters, sites_of
from services.search.core.report_csv import COLUMNS, to_csv
from services.search.core.report_geojson import to_geojson
from services.search.core.timeline import timeline_of
from services.search.outlines import united_states
from services.search.report_html import to_html
from services.search.report_pdf import to_pdf
from tests.support.search_report import ACCOUNT, MADE, NOTICE, pictured, report, reported

HOSTILE = '<script>alert(1)</script><img src="file:///etc/passwd"/>&amp;"\'</svg>'
FORMS = {
    "geojson": to_geojson,
    "csv": to_csv,
    "html": lambda one: to_html(one, united_states()),
    "pdf": lambda one: to_pdf(one, united_states()),
}


class Tags(HTMLParser):
    """What a page is made of: its tags with their attributes."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def pdf_pages(document: bytes) -> list[str]:
    opened = pypdfium2.PdfDocument(document)
    try:
        return [" ".join(page.get_textpage().get_text_range().split()) for page in opened]
    finally:
        opened.close()


def all_text(form: str, data: bytes) -> str:
    return " ".join(pdf_pages(data)) if form == "pdf" else data.decode()


@pytest.mark.clause("III.B.3.r")
@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_that_it_is_a_lead_only_and_how_far_verification_is(form: str) -> None:
    data = FORMS[form](report(reported(0)))

    assert NOTICE in all_text(form, data)
    assert "NEW" in all_text(form, data)


@pytest.mark.clause("III.B.3.m")
@pytest.mark.parametrize("form", FORMS)
def test_every_form_names_the_account_and_both_log_entries(form: str) -> None:
    text = all_text(form, FORMS[form](report(reported(0))))

    assert ACCOUNT in text
    assert "1041" in text
    assert "1042" in text


@pytest.mark.parametrize("form", FORMS)
def test_the_same_report_gives_the_same_bytes(form: str) -> None:
    one = report(*(pictured(n) for n in range(3)))

    assert FORMS[form](one) == FORMS[form](one)


@pytest.mark.parametrize("form", FORMS)
def test_a_report_without_reads_is_still_a_report(form: str) -> None:
    assert FORMS[form](report())


@pytest.mark.parametrize("form", FORMS)
def test_nothing_tells_who_drove(form: str) -> None:
    """ENF-051 IV.C.2: a plate is identified, never a person."""
    text = all_text(form, FORMS[form](report(reported(0)))).lower()

    assert not re.search(r"\b(owner_name|driver|registered owner|face)\b", text)


def test_geojson_is_a_collection_of_points_east_before_north() -> None:
    document = json.loads(to_geojson(report(reported(0), reported(1))))

    assert document["type"] == "FeatureCollection"
    assert [one["type"] for one in document["features"]] == ["Feature", "Feature"]
    assert document["features"][0]["geometry"] == {"type": "Point", "coordinates": [-87.9, 41.9]}
    assert document["features"][0]["properties"]["capture_time"] == "2026-11-25T21:04:00Z"
    assert all(one["properties"]["lead_only"] is True for one in document["features"])
    assert document["notice"]["lead_only"] is True
    assert document["report"]["case_number"] == "2026-0123456"


@given(st.text(), st.text())
def test_csv_gives_back_what_went_in(place: str, group: str) -> None:
    sheet = to_csv(report(reported(0, place=place, sensor_group=group))).decode()

    rows = list(csv.DictReader(io.StringIO(sheet, newline="")))

    assert [row["place"].removeprefix("'") for row in rows] == [place.removeprefix("'")]
    assert [row["sensor_group"].removeprefix("'") for row in rows] == [group.removeprefix("'")]
    assert tuple(rows[0]) == COLUMNS


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_in_csv_is_a_formula(start: str) -> None:
    sheet = to_csv(report(reported(0, place=f"{start}HYPERLINK(1)", latitude=-1.5))).decode()

    [row] = csv.DictReader(io.StringIO(sheet, newline=""))

    assert row["place"] == f"'{start}HYPERLINK(1)"
    assert float(row["latitude"]) == -1.5


def test_a_page_fetches_nothing_and_runs_nothing() -> None:
    one = report(pictured(0, place=HOSTILE), title=HOSTILE, asked=(("Plate", HOSTILE),))

    page = to_html(one, united_states())

    tags = Tags(page).tags
    assert not [
        tag for tag, _ in tags if tag in {"script", "link", "iframe", "object", "embed", "base", "form"}
    ]
    sources = [attributes["src"] or "" for tag, attributes in tags if "src" in attributes]
    assert len(sources) == 2
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not [
        name for _, attributes in tags for name in attributes if name.startswith("on") or name == "href"
    ]
    assert b"default-src 'none'" in page
    assert not re.search(rb"url\(|@import", page)


def test_a_page_shows_hostile_words_as_they_are() -> None:
    page = to_html(report(reported(0, place=HOSTILE)), united_states())

    assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_words_in_a_pdf_are_no_markup() -> None:
    document = to_pdf(report(reported(0, place=HOSTILE)), united_states())

    assert "<script>alert(1)</script>" in " ".join(pdf_pages(document)).replace("> ", ">").replace(" <", "<")


@pytest.mark.clause("III.B.3.m")
def test_each_sheet_of_a_pdf_carries_mark_and_number() -> None:
    pages = pdf_pages(to_pdf(report(*(reported(n) for n in range(120))), united_states()))

    assert len(pages) > 3
    for number, text in enumerate(pages, start=1):
        assert f"Account {ACCOUNT} · log entries 1041 and 1042" in text
        assert f"Page {number} of {len(pages)}" in text
        assert "UNVERIFIED" in text


def test_a_pdf_of_a_thousand_reads_has_them_all() -> None:
    text = " ".join(
        pdf_pages(to_pdf(report(*(reported(n, plate=f"P{n:04}") for n in range(1000))), united_states()))
    )

    assert all(f"P{n:04}" in text for n in range(1000))


def test_pictures_stand_in_a_pdf() -> None:
    opened = pypdfium2.PdfDocument(to_pdf(report(pictured(0), reported(1)), united_states()))

    pictures = [one for page in opened for one in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])]

    assert len(pictures) == 2


def test_older_reads_that_are_left_out_are_spoken_of() -> None:
    one = report(reported(0), has_more=True)

    assert "there are older ones" in to_html(one, united_states()).decode()
    assert "there are older ones" in pdf_pages(to_pdf(one, united_states()))[0]
    assert json.loads(to_geojson(one))["report"]["has_more"] is True


def test_places_have_letters_by_their_reads() -> None:
    reads = [reported(0), reported(3), reported(6), reported(1), reported(4), reported(2)]

    sites = sites_of(reads)

    assert [(site.letter, site.count) for site in sites] == [("A", 3), ("B", 2), ("C", 1)]
    assert [site_letters(reads, sites)[read.read_id] for read in reads] == ["A", "A", "A", "B", "B", "C"]
    assert [letter(n) for n in (0, 25, 26, 27, 701, 702)] == ["A", "Z", "AA", "AB", "ZZ", "AAA"]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-90, 90), st.floats(-180, 180)),
        min_size=1,
        max_size=12,
    )
)
def test_all_places_stand_on_the_map(places: list[tuple[float, float]]) -> None:
    reads = [reported(n, latitude=lat, longitude=lon) for n, (lat, lon) in enumerate(places)]

    drawn = draw_map(sites_of(reads), united_states(), 1000, 560)

    assert all(0 <= dot.x <= 1000 and 0 <= dot.y <= 560 for dot in drawn.dots)
    assert 0 < drawn.bar <= 250
    assert sum(dot.count for dot in drawn.dots) == len(reads)


def test_a_map_of_chicago_shows_its_counties_and_shore() -> None:
    drawn = draw_map(sites_of([reported(0), reported(1)]), united_states(), 1000, 560)

    assert "Cook" in {name.name for name in drawn.names}
    assert {line.kind.value for line in drawn.lines} >= {"county", "coast"}


@given(st.lists(st.integers(0, 90 * 86400), min_size=1, max_size=30))
def test_all_moments_stand_on_the_timeline_under_a_scale_that_can_be_read(seconds: list[int]) -> None:
    reads = [reported(n, capture_time=MADE - timedelta(seconds=s)) for n, s in enumerate(seconds)]
    sites = sites_of(reads)

    timeline = timeline_of(reads, sites, site_letters(reads, sites))

    moments = [moment for lane in timeline.lanes for moment in lane.moments]
    assert len(moments) == len(reads)
    assert all(0 <= moment <= 1 for moment in moments)
    assert 1 <= len(timeline.ticks) <= 9
    assert all(0 <= tick.at <= 1 for tick in timeline.ticks)


def test_places_beyond_the_tenth_share_a_lane() -> None:
    reads = [reported(n, sensor_id=f"sensor-{n}") for n in range(14)]
    sites = sites_of(reads)

    timeline = timeline_of(reads, sites, site_letters(reads, sites))

    assert len(timeline.lanes) == 11
    assert timeline.lanes[-1].name == "4 more places"
    assert len(timeline.lanes[-1].moments) == 4
