"""How the log is shown on a terminal."""

from services.cli.log_query import question_words


def test_a_question_is_told_by_what_it_asked_for_in_a_line() -> None:
    recorded = (
        "kind:5:reads\nfrom_us:1:0\npage_size:3:100\nplate_form:7:pattern\nplate:4:AB*4\nstate:0:\narea:0:"
    )

    assert question_words(recorded) == "plate_form pattern, plate AB*4"


def test_a_value_with_a_colon_stays_whole() -> None:
    assert question_words("kind:5:reads\narea:9:group:abc") == "area group:abc"


def test_what_was_refused_is_shown_as_it_came() -> None:
    assert (
        question_words("question.reads kind:reads plate:AB1234") == "question.reads kind:reads plate:AB1234"
    )
    assert question_words("") == ""
