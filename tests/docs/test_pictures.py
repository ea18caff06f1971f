"""The pictures of README.md show what the code prints and declares today."""

from website import badges, terminal


def test_the_terminal_shows_what_the_commands_print() -> None:
    assert terminal.PICTURE.read_text(encoding="utf-8") == terminal.drawn(), "run `python -m website.terminal`"


def test_the_badges_state_what_pyproject_declares() -> None:
    for name, text in badges.badges().items():
        assert (badges.FOLDER / name).read_text(encoding="utf-8") == text, "run `python -m website.badges`"
