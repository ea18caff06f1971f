"""How runs are trained and kept, none of which changes a result."""

from attrs import frozen


@frozen
class Habits:
    """A checkpoint is written after every `checkpoint_every` epochs (0: never), and the last `keep_last` are kept.

    `engine` says how steps are run. Where another process trains the same run, this one is to `wait` for it. A run that
    is complete is trained again on `retrain`; what a broken-off training left is thrown away on `restart`. Where it
    `is_alone` on its device, the energy that the device takes is measured.
    """

    engine: str = "auto"
    checkpoint_every: int = 1
    keep_last: int = 2
    wait: bool = False
    retrain: bool = False
    restart: bool = False
    is_alone: bool = True
