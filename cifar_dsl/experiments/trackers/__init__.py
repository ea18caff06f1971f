"""What trainings give, told to programs that show it: TensorBoard, MLflow, Weights & Biases. All of them are extras.

They are told where the command runs, wherever the trainings do. A module a tracker; its package is imported late.
"""

from cifar_dsl.experiments.trackers.base import NAMES, Tracker, Training, require
from cifar_dsl.experiments.trackers.dispatch import TrackerDispatcher

__all__ = ["NAMES", "Tracker", "TrackerDispatcher", "Training", "require"]
