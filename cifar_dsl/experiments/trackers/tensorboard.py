"""Log to TensorBoard's event files with its own writer, without TensorFlow."""

import time
from typing import TYPE_CHECKING

from cifar_dsl.experiments.trackers.base import Training, figures
from cifar_dsl.foundation.folders import make_folder
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import EpochMetrics, RunResult

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter


@frozen
class _Events:
    writer: "EventFileWriter"

    def add_epoch(self, metrics: EpochMetrics) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=_tag(name), simple_value=value)
            for name, value in figures(metrics).items()
            if name != "epoch"
        ]
        self.add(Summary(value=values), metrics.epoch)
        self.writer.flush()

    def add(self, summary: "Summary", step: int) -> None:
        """Write a summary for a step (an epoch)."""
        from tensorboard.compat.proto.event_pb2 import Event

        self.writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def end(self, result: RunResult | None) -> None:
        del result  # the same numbers as those of the last epoch
        self.writer.close()


def open_tracker(training: Training) -> _Events:
    """Create event files in the training's folder, with its params as text.

    Purges existing entries from `training.epoch` on: TensorBoard no longer shows them.
    """
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING
    from tensorboard.plugins.text.metadata import create_summary_metadata
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    make_folder(training.folder)
    events = _Events(EventFileWriter(str(training.folder)))
    purged = training.epoch if training.epoch > 1 else 0  # the text of params, too
    start = SessionLog(status=SessionLog.START)
    events.writer.add_event(Event(wall_time=time.time(), step=purged, session_log=start))
    table = ["| | |", "| --- | --- |", *(f"| {name} | `{value}` |" for name, value in training.params.items())]
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    text = TensorProto(dtype=DT_STRING, string_val=["\n".join(table).encode()], tensor_shape=shape)
    metadata = create_summary_metadata(display_name="", description="")
    events.add(Summary(value=[Summary.Value(tag="recipe", metadata=metadata, tensor=text)]), 0)
    return events


def _tag(name: str) -> str:
    """`test_loss` -> `loss/test`, so that the splits share a group."""
    split, _, metric = name.partition("_")
    return f"{metric}/{split}" if metric in {"loss", "accuracy", "cross_entropy"} else name
