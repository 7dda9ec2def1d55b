"""A run from its job to its end: claim, hello, fetch, load, predict, upload, report."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Literal, Mapping

from .failure import Failure, KitError, classify
from .job import Job, check_proof, parse_job
from .model import Model, as_model, find_model
from .progress import Canceled, ModelReport, Progress, Reporter
from .signals import StateWriter, claim, say_hello
from .transfer import MAX_INPUT_BYTES, Waiter, digest, download, upload


@dataclass(frozen=True)
class Result:
    """How a run ended. `run` answers it for every end; it raises nothing that a job could cause."""

    status: Literal["succeeded", "failed", "canceled", "skipped"]
    """`skipped`: another delivery has the attempt, or the gateway no longer wants its output. Answer the provider as after success."""
    run_ms: int
    """Milliseconds from the job to here."""
    bytes: int | None = None
    """Length of the output."""
    sha256: str | None = None
    """Checksum of the output, 64 hex digits."""
    path: Path | None = None
    """The output itself, where the job had no upload URL and the provider takes the file; the caller removes its folder."""
    failure: Failure | None = None
    """Why it failed; `str(result.failure)` is what to give to the provider as its error."""
    poisoned: bool = False
    """End this worker: what comes next would fail too (RunPod: `refresh_worker`; elsewhere exit)."""

    def to_json(self) -> dict[str, Any]:
        """Small and plain, for the provider's answer: nobody reads it."""
        known = {"bytes": self.bytes, "sha256": self.sha256, "error": str(self.failure) if self.failure else None}
        said = {name: value for name, value in known.items() if value is not None}
        return {"status": self.status, "uploaded": self.status == "succeeded" and self.path is None, "runMs": self.run_ms, **said}

    def raise_for_failure(self) -> None:
        """Raises `KitError` where the run failed, for providers that want an exception."""
        if self.failure is not None:
            raise KitError(self.failure.code, self.failure.message, poisoned=self.failure.poisoned)


@dataclass(frozen=True)
class Settings:
    """What a worker may be told; the defaults are right for the gateway's."""

    max_input_bytes: int = MAX_INPUT_BYTES
    fetch_seconds: float = 120.0
    upload_seconds: float = 600.0
    beat_seconds: float = 10.0
    """How often a silent stage is reported again."""
    quiet_seconds: float = 300.0
    """How long a stage without news is reported at all; then the gateway's own watch for stalls sees it."""
    waiter: Waiter = field(default_factory=Waiter)


class Worker:
    """One model in one process. Loads it once; runs one job at a time, others wait."""

    def __init__(self, model: Any = None, settings: Settings = Settings()) -> None:
        """`model`: anything that `as_model` takes; default what `SUREFOOT_KIT_MODEL` names."""
        self.settings = settings
        self._given = model
        self._model: Model | None = None
        self._loaded = False
        self._lock = threading.Lock()

    @property
    def model(self) -> Model:
        """The model. Fails with `deployment_missing` where its name leads nowhere."""
        if self._model is None:
            self._model = find_model(self._given) if self._given is None or isinstance(self._given, str) else as_model(self._given)
        return self._model

    def load(self, report: Callable[..., None] = lambda stage, fraction=0.0: None) -> None:
        """
        Loads the model if it is not loaded: call it when the worker starts, so that no job waits for it. Fails with `KitError`
        (`no_gpu`, `deployment_missing`, `out_of_memory`, ...); a run tries again and answers the failure.
        """
        with self._lock:
            self._load(report)

    def run(
        self,
        job: Mapping[str, Any],
        *,
        run_id: str | None = None,
        report: Callable[[Progress], object] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Result:
        """
        Does one job. `job`: the input as the provider handed it over, with the key `surefoot` in it. `run_id`: the provider's
        own id of the run, by which the gateway's adapter can find it; without one no hello is said. `report` gets `Progress`,
        from this thread and from another, one at a time, never after the return. `cancelled` is asked between stages and between pieces of
        transfers, and from another thread while a transfer waits.
        """
        return _Run(self, job, run_id, report or (lambda progress: None), cancelled or (lambda: False)).result()

    def _load(self, report: Callable[..., None]) -> None:
        if self._loaded:
            return
        try:
            self.model.load(report)
        except Canceled:
            raise
        except Exception as error:
            failure = classify(error)
            raise KitError(failure.code, failure.message, poisoned=failure.poisoned) from error
        self._loaded = True


class _Run:
    """The state of one run; in its own class so that each step reads alone."""

    def __init__(
        self,
        worker: Worker,
        data: Mapping[str, Any],
        run_id: str | None,
        report: Callable[[Progress], object],
        cancelled: Callable[[], bool],
    ) -> None:
        self._worker, self._data, self._run_id = worker, data, run_id
        self._report, self._cancelled = report, cancelled
        self._settings = worker.settings
        self._began = time.monotonic()
        self._state = StateWriter(None)

    def result(self) -> Result:
        folder = Path(tempfile.mkdtemp(prefix="surefoot-"))
        keep = False
        settings = self._settings
        reporter = Reporter(
            self._tell, self._cancelled, beat_seconds=settings.beat_seconds, quiet_seconds=settings.quiet_seconds
        )
        try:
            result = self._work(folder, reporter)
            keep = result.path is not None
        except Canceled:
            result = Result("canceled", self._ms())
        except Exception as error:
            failure = classify(error)
            result = Result("failed", self._ms(), failure=failure, poisoned=failure.poisoned)
            _release_memory(failure)
        except BaseException:
            # Cog cancels by an exception of its own.
            self._state.close()
            raise
        finally:
            reporter.close()
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
        self._finish(result)
        return result

    def _work(self, folder: Path, reporter: Reporter) -> Result:
        settings, check = self._settings, reporter.check
        job = parse_job(self._data, self._worker.model.field)
        check_proof(job)
        if job.claim is not None and not claim(job.claim, self._run_id or job.attempt or "kit", check, settings.waiter):
            return Result("skipped", self._ms())
        if job.hello is not None and self._run_id is not None:
            say_hello(job.hello, self._run_id, settings.waiter)
        self._state = StateWriter(job.state, settings.waiter)
        self._state.put({"state": "running", "fraction": 0})
        reporter.report("fetch", "fetch")
        reporter.start()
        source = folder / "input"
        output = folder / str(getattr(self._worker.model, "output_name", "output"))
        download(
            job.source,
            source,
            max_bytes=settings.max_input_bytes,
            total_seconds=settings.fetch_seconds,
            check=check,
            progress=lambda fraction: reporter.report("fetch", "fetch", fraction),
            waiter=settings.waiter,
        )
        with self._worker._lock:
            check()
            self._worker._load(ModelReport(reporter, "load"))
            check()
            self._worker.model.predict(source, output, ModelReport(reporter, "model"), job.options)
        if not output.is_file() or output.stat().st_size == 0:
            raise KitError("output_invalid", "The model ended without an error and without an output.")
        return self._deliver(job, output, reporter)

    def _deliver(self, job: Job, output: Path, reporter: Reporter) -> Result:
        reporter.report("upload", "upload")
        if job.upload is None:
            sha256 = digest(output, reporter.check)
            return Result("succeeded", self._ms(), bytes=output.stat().st_size, sha256=sha256, path=output)
        done = upload(
            output,
            job.upload,
            check=reporter.check,
            progress=lambda fraction: reporter.report("upload", "upload", fraction),
            waiter=self._settings.waiter,
            total_seconds=self._settings.upload_seconds,
        )
        status: Literal["succeeded", "skipped"] = "skipped" if done.outcome == "over" else "succeeded"
        return Result(status, self._ms(), bytes=done.bytes, sha256=done.sha256)

    def _tell(self, progress: Progress) -> None:
        self._state.put({"state": "running", **progress.to_json()})
        self._report(progress)

    def _finish(self, result: Result) -> None:
        if result.status == "succeeded":
            self._state.finish({"state": "done", "runMs": result.run_ms})
        elif result.status == "skipped":
            self._state.close()
        else:
            error = str(result.failure) if result.failure else "The run was cancelled."
            self._state.finish({"state": "failed", "error": error, "runMs": result.run_ms})

    def _ms(self) -> int:
        return round((time.monotonic() - self._began) * 1000)


def _release_memory(failure: Failure) -> None:
    """After an `out_of_memory` the allocator still holds what the run had; the next run must find it free."""
    import gc
    import sys

    torch = sys.modules.get("torch")
    if failure.code == "out_of_memory" and torch is not None and torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


_default: Worker | None = None
_default_lock = threading.Lock()


def default_worker() -> Worker:
    """This process's worker for the model that `SUREFOOT_KIT_MODEL` names."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Worker()
        return _default


def load() -> None:
    """`default_worker().load()`."""
    default_worker().load()


def run(
    job: Mapping[str, Any],
    *,
    run_id: str | None = None,
    report: Callable[[Progress], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Result:
    """`default_worker().run(...)`."""
    return default_worker().run(job, run_id=run_id, report=report, cancelled=cancelled)
