"""The program `cifar-dsl`, also started as `python -m cifar_dsl`.

This file imports only what the interpreter has loaded already: until `run` has begun, Ctrl-C ends in a traceback.
"""

import gc
import os
import signal
import sys

_INTERRUPTED = 128 + signal.SIGINT


def run() -> int:
    """Run the command line in a process of its own, which Ctrl-C ends with 130. Returns the exit code.

    While a command runs, Ctrl-C raises KeyboardInterrupt (`cli.main`) or stops a training (`cli.interruption`). Before
    and after, while modules are imported and while the interpreter shuts down, it ends the process at once.
    """
    _open_closed_streams()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, as after `nohup`
        signal.signal(signal.SIGINT, _end)
    try:
        gc.disable()  # imports create no garbage; see also `cli.main`
        from cifar_dsl.cli import main

        gc.enable()
        code = main()
    except KeyboardInterrupt:  # a second Ctrl-C, while the command line handled the first
        code = _INTERRUPTED
    _give_up_unwritable_streams()
    return code


def _open_closed_streams() -> None:
    """Open the null device in the place of standard streams that are closed, as after `2>&-`.

    Otherwise the next file would take the number of the stream, and what a library prints would land in it.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this stream's
            setattr(sys, name, open(number, mode))  # noqa: PTH123, SIM115  a number; open until the process ends


def _end(_number: int, _frame: object) -> None:
    try:
        os.write(2, b"\ninterrupted\n")
    finally:
        os._exit(_INTERRUPTED)


def _give_up_unwritable_streams() -> None:
    """Drop the rest of the output if it can't be written: the interpreter would try again, and fail with code 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1 if stream is sys.stdout else 2)


if __name__ == "__main__":  # a process that is started for a job imports this, too
    sys.exit(run())
