"""Log trainings to TensorBoard, MLflow and Weights & Biases (all extras).

Logging happens in the process of the command, wherever the trainings run. Each tracker is a module that imports its
package when it is first used.
"""

from cifar_dsl.experiments.trackers.base import Tracker, require
from cifar_dsl.experiments.trackers.dispatch import TrackerDispatcher

__all__ = ["Tracker", "TrackerDispatcher", "require"]
