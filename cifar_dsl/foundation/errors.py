"""Every exception that this package raises on purpose. Anything else is a bug, and the command line exits with 101.

    CifarDslError
      SpecError            (in `language.diagnostics`, whose diagnostics it holds)
      UserError
        DataError
          DownloadError
        DeviceError
        EngineError
        RunError
          DiskFullError
          LockedError
          NewerRunError
        SweepError
      StoppedError

Exceptions for control flow inside a room (`EvaluationFailed`, `MisfitError`, ...) never leave it and are not listed.
"""


class CifarDslError(Exception):
    """The base class of all exceptions below. Never raised itself."""

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows instead of a traceback: the message says what to do."""
        return [*f"{type(self).__name__}: {self}".split("\n"), *getattr(self, "__notes__", [])]


class SpecWarning(UserWarning):
    """A likely mistake in a spec, as `cifar-dsl check` reports it. Issued by `cifar_dsl.train`; not an exception."""


class UserError(CifarDslError):
    """An error other than in a spec that the user can fix: `message` states the problem, `help` the fix.

    Raised by commands and the API for invalid arguments. The command line prints it and exits with 1. In a traceback,
    `reason` and `help` follow the message as notes.
    """

    def __init__(self, message: str, *help: str, reason: str = "") -> None:  # noqa: A002
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.help = help
        for line in (*filter(None, [reason]), *(f"help: {line}" for line in help)):
            self.add_note(line)


class DataError(UserError):
    """A dataset can't be found, read, or used. Raised by `training.datasets`. Exit code 1."""


class DownloadError(DataError):
    """A server can't be reached, or sends another file. Raised by `training.datasets.download`. Exit code 1."""


class DeviceError(UserError):
    """The requested device doesn't exist here. Raised by `training.device`. Exit code 1."""


class EngineError(UserError):
    """The requested engine can't run this training. Raised by `training.engines`. Exit code 1."""


class RunError(UserError):
    """A run is missing, damaged, or can't be used or written. Raised by `runs`. Exit code 1."""


class DiskFullError(RunError):
    """The disk is full, so a run can't be written. Raised by `runs`. Exit code 1; no other training is started."""


class LockedError(RunError):
    """Another process is training the run. Raised by `runs.lock`. Exit code 1; `--wait` waits first."""


class NewerRunError(RunError):
    """A newer version of cifar_dsl wrote the run, in a format unknown here. Raised by `runs`. Exit code 1."""


class SweepError(UserError):
    """A sweep has too many specs, or only one. Raised by `experiments.sweep`. Exit code 1."""


class StoppedError(CifarDslError):
    """The user stopped the training, such as with Ctrl-C. Everything up to the last checkpoint is kept.

    Raised by `training.loop` and by `runs.lock` while waiting. A job reports it as `TrainingStopped`, for which the
    command line exits with 130.
    """
