"""Event files that TensorBoard reads."""

from __future__ import annotations

import time
from pathlib import Path

# Before the names of an epoch's loss and metrics, and of the test split's scores. TensorBoard sorts
# capitals first and opens two groups, so that its first page shows these.
CURVES, SCORES = "Learning curves/", "Test scores/"


class EventFile:
    """An event file, which is opened with the first event.

    A folder's histograms or pictures go into one file: TensorBoard reads several by name, not by
    age, so that their steps would come in any order.
    """

    def __init__(self, folder: str | Path):
        self.folder, self._writer = str(folder), None

    def write(self, summary, step: int = 0) -> None:
        """Write a summary, TensorBoard's or TensorFlow's."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        self.add(summary=Summary.FromString(summary.SerializeToString()), step=step)

    def add(self, **event) -> None:
        """Add an event with these fields."""
        # imported here: they load TensorFlow, whatever the backend
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if self._writer is None:
            self._writer = EventFileWriter(self.folder)
        self._writer.add_event(Event(wall_time=time.time(), **event))
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
