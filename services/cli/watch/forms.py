"""Questions to the person before an act is recorded. Each is about one alert, whatever moves behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
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

    Digits and Enter act at once, before the next key is dealt with: who types faster than the screen is drawn
    writes into the field that is meant.

    Args:
        title: What is asked.
        about: What it is asked about.
        choices: The answers, at most nine.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "record nothing"),
        Binding("enter", "go_on", "go on", priority=True),
        *(Binding(str(number), f"choose({number})", priority=True) for number in range(1, 10)),
    ]
    LONGEST: ClassVar[int] = 200

    def __init__(self, title: str, about: Text, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title = title
        self._about = about
        self._choices = tuple(choices)
        self._chosen: Choice | None = None
        most = max(len(choice.fields) for choice in choices)
        self._inputs = [Input(max_length=self.LONGEST) for _ in range(most)]
        self._options = OptionList(
            *(Option(Content(f"{number}  {one.words}")) for number, one in enumerate(self._choices, 1))
        )

    def compose(self) -> ComposeResult:
        """The question, the answers, and fields that are hidden until a choice needs them."""
        with Vertical(classes="form"):
            yield Static(Text(self._title, "bold"))
            yield Static(self._about, classes="about")
            yield self._options
            for field in self._inputs:
                field.display = False
                yield field
            yield Static(Text("Enter goes on, Escape records nothing", "dim"))

    def on_mount(self) -> None:
        """The list has the keys first, and nothing is chosen by a mere Enter."""
        self._options.highlighted = None
        self._options.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A digit chooses while no field is open; then it belongs into the field."""
        return self._chosen is None if action == "choose" else True

    def action_choose(self, number: int) -> None:
        """Chooses by number."""
        if number > len(self._choices):
            return
        self._options.highlighted = number - 1
        self._options.disabled = True
        self._chosen = self._choices[number - 1]
        for field, name in zip(self._inputs, self._chosen.fields, strict=False):
            field.placeholder = name
            field.display = True
        if self._fields:
            self.set_focus(self._fields[0])
        else:
            self._finish()

    def action_go_on(self) -> None:
        """Chooses what is marked in the list; in a field goes to the next one, and from the last one on."""
        if self._chosen is None:
            if self._options.highlighted is not None:
                self.action_choose(self._options.highlighted + 1)
            return
        after = self._fields[self._fields.index(self.focused) + 1 :] if self.focused in self._fields else []
        if after:
            self.set_focus(after[0])
        else:
            self._when_typed(self._fields)

    def action_cancel(self) -> None:
        """Records nothing."""
        self.dismiss(None)

    @property
    def _fields(self) -> list[Input]:
        return self._inputs[: len(self._chosen.fields)] if self._chosen else []

    def _when_typed(self, fields: list[Input]) -> None:
        """Finishes when each field has got the keys that were typed into it; they come through its queue."""
        if fields:
            fields[0].call_later(self._when_typed, fields[1:])
        else:
            self._finish()

    def _finish(self) -> None:
        if self._chosen is None:
            return
        empty = [field for field in self._fields if not field.value.strip()]
        if empty and not self._chosen.optional:
            self.set_focus(empty[0])
            return
        self.dismiss(Answer(self._chosen.value, tuple(field.value.strip() for field in self._fields)))


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
