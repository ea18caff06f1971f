"""The progress of a training in a notebook: a bar, the latest figures and the learning curves, updated in place."""

import sys
from html import escape
from typing import Any

from cifar_dsl.foundation.text import accuracy_in_percent
from cifar_dsl.runs import EpochMetrics
from cifar_dsl.training.events import (
    EpochEnded,
    Event,
    Listener,
    Note,
    StepsDone,
    TrainingEnded,
    TrainingFailed,
    TrainingStarted,
    TrainingStopped,
    ignore,
)

_LEAST_CHANGE = 0.005  # of the bar, before it is drawn again


def default_listener(title: str, *, keeps_curves: bool = True) -> Listener:
    """The listener of a training that is given none: a bar in a notebook, silence elsewhere."""
    return NotebookProgress(title, keeps_curves=keeps_curves) if _in_notebook() else ignore


def _in_notebook() -> bool:
    """Whether a notebook runs this code. IPython in a terminal has no kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class NotebookProgress:
    """Shows the events of a training of one seed in the output of a cell.

    Unless it `keeps_curves`, they go when the training is done: those of many trainings would fill the page.
    """

    def __init__(self, title: str, *, keeps_curves: bool = True) -> None:
        self._title = title
        self._keeps_curves = keeps_curves
        self._epochs = 0.0
        self._done = 0.0
        self._shown = -1.0
        self._epochs_so_far: list[EpochMetrics] = []
        self._notes: list[str] = []
        self._state = ""
        self._display: Any = None

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case TrainingStarted(epochs=epochs):
                self._epochs = epochs
            case StepsDone():
                self._done = event.epochs_done
            case EpochEnded(metrics=metrics):
                self._epochs_so_far.append(metrics)
                self._shown = -1.0
            case Note(text=text):
                self._notes.append(text)
            case TrainingEnded():
                self._state, self._shown = "done", -1.0
            case TrainingStopped() | TrainingFailed():
                self._state, self._shown = "stopped", -1.0
            case _:
                return
        if self._share - self._shown >= _LEAST_CHANGE:
            self._shown = self._share
            self._draw()

    @property
    def _share(self) -> float:
        return self._done / self._epochs if self._epochs else 0.0

    @property
    def html(self) -> str:
        """The bar, the figures and, from the second epoch on, the curves."""
        from cifar_dsl.api.displays import curves_html

        parts = [self._title, self._state or f"epoch {self._done:.1f} of {self._epochs:g}"]
        if self._epochs_so_far:
            latest = self._epochs_so_far[-1]
            tested = latest.test_accuracy
            accuracy = "" if tested is None else f", test accuracy {accuracy_in_percent(tested)}"
            parts.append(f"train loss {latest.train_loss:.4f}{accuracy} after epoch {latest.epoch}")
        notes = "".join(f"<br>{escape(note)}" for note in self._notes)
        bar = f'<progress value="{self._share:.3f}" max="1" style="width: 24em"></progress>'
        has_curves = len(self._epochs_so_far) > 1 and (self._keeps_curves or not self._state)
        curves = curves_html(self._epochs_so_far) if has_curves else ""
        return f"<div>{bar}<br>{escape('; '.join(parts))}{notes}{curves}</div>"

    def _draw(self) -> None:
        from IPython.display import HTML, display

        if self._display is None:
            self._display = display(HTML(self.html), display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._display.update(HTML(self.html))  # type: ignore[no-untyped-call]
