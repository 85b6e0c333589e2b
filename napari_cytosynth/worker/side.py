"""The side process: work on pictures that would hold up the viewer's interpreter.

``python -m napari_cytosynth.worker.side`` reads frames from standard input and answers
each on standard output; it ends with its standard input. It keeps nothing but the
picture opened last, so any other side process can go on with the next question.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, Protocol

import numpy as np

from napari_cytosynth.core.cells import Detections
from napari_cytosynth.core.smear import Calibration, SmearImage
from napari_cytosynth.worker.wire import Frame, FrameReader, error_frame

NICENESS = 5
"""It yields the processor to the viewer."""

_CHUNK = 1 << 20


def frames_of(pipe: BinaryIO) -> Iterator[Frame]:
    """Yield the frames that come through a pipe, until it ends."""
    reader = FrameReader()
    while chunk := pipe.read1(_CHUNK):  # type: ignore[attr-defined]
        yield from reader.feed(chunk)


class VerbDesk:
    """Answers questions by the verb that they name.

    Parameters
    ----------
    verbs : mapping of str to callable
        From a question to its answer.
    """

    def __init__(self, verbs: Mapping[str, Callable[[Frame], Frame]]) -> None:
        self._verbs = verbs

    def answer(self, question: Frame) -> Frame:
        """Return the answer; an error becomes a frame that says it."""
        try:
            return self._verbs[question.data["verb"]](question)
        except Exception as error:  # noqa: BLE001  crosses the process unchanged
            return error_frame(error)


class SideDesk(VerbDesk):
    """Answers questions about pictures, by the verb that they name."""

    def __init__(self) -> None:
        # Imported here, before the first question comes: they take two seconds.
        from napari_cytosynth.core.registry import load
        from napari_cytosynth.ingest.finding import InlineFinder

        load("detectors", "classic")
        self._finder = InlineFinder()
        self._image: SmearImage | None = None
        super().__init__(
            {
                "calibrate": self._calibrate,
                "tile": self._tile,
                "crops": self._crops,
                "measure": self._measure,
            }
        )

    def close(self) -> None:
        """Release the picture."""
        if self._image is not None:
            self._image.close()
            self._image = None

    def _opened(self, uri: str) -> SmearImage:
        from napari_cytosynth.ingest.opening import open_smear

        if self._image is None or self._image.smear.uri != uri:
            self.close()
            self._image = open_smear(uri)
        return self._image

    def _calibrate(self, question: Frame) -> Frame:
        image = self._opened(question.data["uri"])
        made = self._finder.calibrate(image, question.data["mpp"])
        return Frame({"calibration": made.to_json()})

    def _tile(self, question: Frame) -> Frame:
        data = question.data
        image = self._opened(data["uri"])
        calibration = Calibration.from_json(data["calibration"])
        steps = self._finder.scan(image, data["detector"], calibration, data["tile"])
        step = next(steps, None)
        if step is None:
            return Frame({"total": data["tile"]})
        _, total, found = step
        return Frame({"total": total}, arrays_of(found))

    def _crops(self, question: Frame) -> Frame:
        image, mpp = self._opened(question.data["uri"]), question.data["mpp"]
        crops = self._finder.crops(image, question.arrays["boxes"], mpp)
        return Frame({}, {"crops": crops})

    def _measure(self, question: Frame) -> Frame:
        image, mpp = self._opened(question.data["uri"]), question.data["mpp"]
        measures = self._finder.measure(image, question.arrays["boxes"], mpp)
        return Frame({}, {"measures": measures})


def arrays_of(found: Detections) -> dict[str, Any]:
    """Return detections as plain arrays; :func:`detections_of` reads them back."""
    sizes = np.array([len(outline) for outline in found.outlines], np.int64)
    points = [np.zeros((0, 2), np.float32), *found.outlines]
    return {
        "boxes": found.boxes,
        "scores": found.scores,
        "edges": found.edges,
        "kinds": found.kinds,
        "points": np.concatenate(points),
        "sizes": sizes,
    }


def detections_of(arrays: Any) -> Detections:
    """Build detections from what :func:`arrays_of` made."""
    ends = np.cumsum(arrays["sizes"])
    outlines = np.split(arrays["points"], ends)[: len(ends)]
    return Detections(
        boxes=arrays["boxes"],
        scores=arrays["scores"],
        edges=arrays["edges"],
        outlines=outlines,
        kinds=arrays["kinds"],
    )


class Desk(Protocol):
    """Answers questions, one at a time."""

    def answer(self, question: Frame) -> Frame:
        """Return the answer; an error becomes a frame that says it."""
        ...

    def close(self) -> None:
        """Release what it holds."""
        ...


def serve(desk: Desk) -> None:
    """Answer until standard input ends."""
    outlet = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a library prints must not fall between the frames.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    for question in frames_of(sys.stdin.buffer):
        outlet.write(desk.answer(question).encode())
        outlet.flush()
    desk.close()


if __name__ == "__main__":
    serve(SideDesk())
