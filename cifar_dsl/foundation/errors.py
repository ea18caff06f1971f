"""What a person at the keyboard can mend, and their wish to stop; a spec's own mistakes are `diagnostics`."""


class UserError(Exception):
    """Something is not as it must be: `message` says what and where, `reason` why, `help` what to do.

    The command line shows it without a traceback and ends with 1.
    """

    def __init__(self, message: str, *help: str, reason: str = "") -> None:  # noqa: A002
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.help = help


class StoppedError(Exception):
    """Somebody asked to stop, by Ctrl-C, say; all that was done is kept."""
