"""Questions to the person before an act is recorded. Each is about one alert, whatever moves behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: its value, its words, and the fields it needs; `optional` fields may stay empty."""

    value: int
    words: str
    fields: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person chose, and the fields in the order of the choice."""

    value: int
    fields: tuple[str, ...]


class ChoiceForm(ModalScreen[Answer | None]):
    """A list to choose from by number or arrow, then the fields of the choice. Escape records nothing.

    Args:
        title: What is asked.
        about: What it is asked about.
        choices: The answers.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "record nothing")]
    LONGEST: ClassVar[int] = 200

    def __init__(self, title: str, about: Text, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title = title
        self._about = about
        self._choices = tuple(choices)
        self._chosen: Choice | None = None

    def compose(self) -> ComposeResult:
        """The question, the answers, and no field yet."""
        with Vertical(classes="form"):
            yield Static(Text(self._title, "bold"))
            yield Static(self._about, classes="about")
            yield OptionList(
                *(Option(Content(f"{number}  {one.words}")) for number, one in enumerate(self._choices, 1))
            )
            yield Vertical(id="fields")
            yield Static(Text("Enter goes on, Escape records nothing", "dim"))

    def on_mount(self) -> None:
        """The list has the keys first."""
        self.query_one(OptionList).focus()

    async def on_key(self, event: Key) -> None:
        """A digit chooses while no field is open."""
        if self._chosen is None and event.character and event.character.isdecimal():
            number = int(event.character)
            if 1 <= number <= len(self._choices):
                event.stop()
                await self._choose(self._choices[number - 1])

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter on a line of the list chooses it."""
        await self._choose(self._choices[event.option_index])

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in a field goes to the next, and from the last one on."""
        inputs = list(self.query(Input))
        for one in inputs[inputs.index(event.input) + 1 :]:
            one.focus()
            return
        self._finish()

    def action_cancel(self) -> None:
        """Records nothing."""
        self.dismiss(None)

    async def _choose(self, choice: Choice) -> None:
        self._chosen = choice
        fields = self.query_one("#fields", Vertical)
        await fields.remove_children()
        if not choice.fields:
            self._finish()
            return
        self.query_one(OptionList).disabled = True
        inputs = [Input(placeholder=name, max_length=self.LONGEST) for name in choice.fields]
        await fields.mount(Static(Text(choice.words, "bold")), *inputs)
        inputs[0].focus()

    def _finish(self) -> None:
        if self._chosen is None:
            return
        inputs = list(self.query(Input))
        empty = [one for one in inputs if not one.value.strip()]
        if empty and not self._chosen.optional:
            empty[0].focus()
            return
        self.dismiss(Answer(self._chosen.value, tuple(one.value.strip() for one in inputs)))


class Page(ModalScreen[None]):
    """A text to read; Escape or Enter closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "close", "close")]

    def __init__(self, text: Text) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The text, which scrolls."""
        with VerticalScroll(classes="form page"):
            yield Static(self._text)
            yield Static(Text("Escape closes", "dim"))

    def action_close(self) -> None:
        """Back to the board."""
        self.dismiss(None)
