"""The words of the `platewarden` command: all are there, and each imports what it needs."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from services.cli.main import MORE, WORDS, app

COMMANDS = [(word,) for word in WORDS] + [(word, name) for word, names in MORE.items() for name in names]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_word_calls_something_and_says_what(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"])

    assert done.exit_code == 0, done.output
    assert f"Usage: platewarden {' '.join(words)}" in done.output


def test_the_help_has_all_words_and_a_wrong_one_is_told_which_is_meant() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    wrong = CliRunner().invoke(app, ["serch"])

    assert all(f"│ {word} " in shown.output for word in WORDS)
    assert "No such command 'serch'. Did you mean 'search'?" in wrong.output
    assert wrong.exit_code == 2


def test_a_word_imports_what_it_needs_and_no_more() -> None:
    code = (
        "import sys; from services.cli.main import app; app(['purposes', '--help'], standalone_mode=False);"
        " names = 'account', 'capture', 'search', 'up';"
        " print([name for name in names if f'services.cli.{name}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603

    assert done.stdout.splitlines()[-1] == "['search']"
