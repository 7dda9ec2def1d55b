"""What a run tells of itself while it works: real stages, and beats in between that say that the process lives."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Mapping

from .failure import KitError


@dataclass(frozen=True)
class Progress:
    """One report. Each wrapper sends it in its provider's way; `to_json` is the form that RunPod's and AWS's adapters read."""

    stage: str
    """`fetch`, `load`, the model's own words (`predict`, `write`, ...), or `upload`."""
    fraction: float
    """Share of the whole run, 0 to 0.9, never falling: the last tenth is the provider's."""

    def to_json(self) -> dict[str, Any]:
        """`{ "stage": ..., "fraction": ... }`."""
        return {"stage": self.stage, "fraction": round(self.fraction, 4)}

    def to_log_line(self) -> str:
        """A line as tqdm prints it, `predict:  42%|####      | 42/100`, which the gateway reads out of logs."""
        percent = int(self.fraction * 100)
        return f"{self.stage}: {percent:3d}%|{'#' * (percent // 10):<10}| {percent}/100"


class Canceled(Exception):
    """Raised inside a run that was cancelled, out of `report` and out of transfers."""


# Where each part of a run lies. Guesses that keep the order: the gateway learns how long stages really take.
SPANS: Mapping[str, tuple[float, float]] = {
    "fetch": (0.0, 0.05),
    "load": (0.05, 0.3),
    "model": (0.3, 0.75),
    "upload": (0.75, 0.9),
}


class Reporter:
    """
    Sends progress to a wrapper's callback, from one thread at a time, and nothing after `close`. A new stage is sent at once,
    fractions at most every `least_seconds`. While nothing new comes, a beat every `beat_seconds` moves the fraction a
    little (a twentieth of what is left of the part), for at most `quiet_seconds`: a call that hangs for good must look like
    it, or the gateway could not tell. Exceptions of the callback are ignored: a report is a courtesy.
    """

    def __init__(
        self,
        send: Callable[[Progress], object],
        cancelled: Callable[[], bool],
        *,
        beat_seconds: float = 10.0,
        quiet_seconds: float = 300.0,
        least_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._cancelled, self._clock = send, cancelled, clock
        self._beat_seconds, self._quiet_seconds, self._least_seconds = beat_seconds, quiet_seconds, least_seconds
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._last = Progress("", 0.0)
        self._end = SPANS["fetch"][1]
        self._sent_at = self._real_at = clock()
        self._thread: threading.Thread | None = None

    def check(self) -> None:
        """Raises `Canceled` once the run is cancelled. A callback that fails says nothing."""
        try:
            stop = self._cancelled()
        except Exception:
            stop = False
        if stop:
            raise Canceled("The run was cancelled.")

    def report(self, part: str, stage: str, fraction: float = 0.0) -> None:
        """A real report from within a part of `SPANS`; `fraction` is the share of that part. Raises `Canceled`."""
        self.check()
        start, end = SPANS[part]
        with self._lock:
            self._end = end
            self._real_at = self._clock()
            at = start + (end - start) * min(1.0, max(0.0, fraction))
            self._offer(Progress(stage[:80], max(at, self._last.fraction)))

    def beat(self) -> None:
        """One beat: what the thread does every `beat_seconds`."""
        with self._lock:
            if self._last.stage == "" or self._clock() - self._real_at > self._quiet_seconds:
                return
            fraction = self._last.fraction + (self._end - self._last.fraction) / 20
            self._offer(Progress(self._last.stage, max(fraction, self._last.fraction)))

    def start(self) -> None:
        """Begins to beat."""
        self._thread = threading.Thread(target=self._beats, name="surefoot-beats", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the beats; nothing is sent afterwards."""
        self._closed.set()
        with self._lock:
            pass

    def _beats(self) -> None:
        while not self._closed.wait(self._beat_seconds):
            self.beat()

    def _offer(self, progress: Progress) -> None:
        now = self._clock()
        if self._closed.is_set():
            return
        if progress.stage == self._last.stage and now - self._sent_at < self._least_seconds:
            return
        self._last, self._sent_at = progress, now
        try:
            self._send(progress)
        except Exception:
            pass


class ModelReport:
    """`report(stage, fraction)` as a model gets it: its own work, 0 to 1, mapped to its part of the run."""

    def __init__(self, reporter: Reporter, part: str) -> None:
        self._reporter, self._part = reporter, part

    def __call__(self, stage: str, fraction: float = 0.0) -> None:
        if not isinstance(stage, str):
            raise KitError("model_error", "report() takes the stage's name first.")
        self._reporter.report(self._part, stage, fraction)
