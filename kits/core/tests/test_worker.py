from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any, Callable, Mapping

import pytest

from surefoot_kit import KitError, Progress, Report, Settings, Worker, find_model
from surefoot_kit import worker as module

from .conftest import Answer, Server, Time
from .node import check_splat

# A JPEG as far as its first bytes tell, which is all that the dummy looks at.
PHOTO = b"\xff\xd8\xff" + bytes(5000)


class Desk:
    """A gateway as a job names it: everything goes well unless told otherwise."""

    def __init__(self, server: Server, simulated: Time) -> None:
        self.server = server
        self.settings = Settings(waiter=simulated.waiter)
        server.on("GET", "/in", Answer(body=PHOTO))
        for method, path in [("PUT", "/up"), ("PUT", "/state"), ("PUT", "/claim"), ("POST", "/hello")]:
            server.on(method, path, Answer(200))
        url = server.url
        self.job: dict[str, Any] = {
            "image": f"{url}/in",
            "surefoot": {"attempt": "a1", "upload": {"url": f"{url}/up?signature=s"}, "hello": f"{url}/hello"},
        }

    def with_bucket(self) -> Desk:
        self.job["surefoot"] |= {"state": {"url": f"{self.server.url}/state"}, "claim": {"url": f"{self.server.url}/claim"}}
        return self

    def worker(self, model: Any = "dummy") -> Worker:
        return Worker(model, self.settings)

    def states(self) -> list[dict[str, Any]]:
        return [json.loads(one.body) for one in self.server.requests("PUT", "/state")]


@pytest.fixture
def desk(server: Server, simulated: Time) -> Desk:
    return Desk(server, simulated)


def test_a_job_is_fetched_run_and_uploaded_and_nothing_is_left(desk: Desk, tmp_path: Path, scratch: Path) -> None:
    sent: list[Progress] = []
    result = desk.worker().run(desk.job, run_id="job-1", report=sent.append)
    assert (result.status, result.failure, result.path, result.poisoned) == ("succeeded", None, None, False)
    (put,) = desk.server.requests("PUT", "/up")
    assert (result.bytes, result.sha256) == (len(put.body), hashlib.sha256(put.body).hexdigest())
    assert put.headers["x-content-sha256"] == result.sha256
    assert list(dict.fromkeys(one.stage for one in sent)) == ["fetch", "predict", "write", "upload"]
    assert [one.fraction for one in sent] == sorted(one.fraction for one in sent)
    assert result.to_json() == {
        "status": "succeeded",
        "uploaded": True,
        "runMs": result.run_ms,
        "bytes": result.bytes,
        "sha256": result.sha256,
    }
    assert list(scratch.iterdir()) == []
    (tmp_path / "scene.ply").write_bytes(put.body)
    check = check_splat(tmp_path / "scene.ply")
    assert (check["valid"], check["statistics"]["count"]) == (True, 1024)
    assert check["statistics"]["saturated"] == 0


def test_the_dummys_file_depends_on_the_photo_alone(desk: Desk, server: Server) -> None:
    worker = desk.worker()
    first, again = worker.run(desk.job), worker.run(desk.job)
    server.on("GET", "/in", Answer(body=PHOTO + b"other"))
    other = worker.run(desk.job)
    assert first.sha256 == again.sha256 != other.sha256


def test_hello_comes_before_the_model_is_loaded(desk: Desk, server: Server) -> None:
    class Slow:
        name, field = "slow", "image"

        def load(self, report: Report) -> None:
            server.wait_for(lambda: server.requests("POST", "/hello") != [])

        def predict(self, image: Path, output: Path, report: Report, options: Mapping[str, Any]) -> None:
            output.write_bytes(b"done")

    assert desk.worker(Slow()).run(desk.job, run_id="job-1").status == "succeeded"
    (hello,) = server.requests("POST", "/hello")
    assert json.loads(hello.body) == {"surefoot": "hello", "id": "job-1"}


def test_without_the_providers_id_no_hello_is_said(desk: Desk, server: Server) -> None:
    desk.worker().run(desk.job)
    assert server.requests("POST", "/hello") == []


def test_on_aws_the_attempt_is_claimed_first_and_its_state_written_last(desk: Desk, server: Server) -> None:
    result = desk.with_bucket().worker().run(desk.job, run_id="task-1")
    assert (server.seen[0].path, server.seen[0].body) == ("/claim", b"task-1")
    states = desk.states()
    assert states[-1] == {"state": "done", "runMs": result.run_ms}
    assert {one["state"] for one in states[:-1]} <= {"running"}
    written = [one.path for one in server.seen if one.path in ("/up", "/state")]
    assert written.count("/up") == 1 and written[-1] == "/state", "the output is there before the report"


def test_a_second_delivery_finds_the_claim_taken_and_does_nothing(desk: Desk, server: Server) -> None:
    desk.with_bucket()
    server.on("PUT", "/claim", Answer(412))
    result = desk.worker().run(desk.job, run_id="task-2")
    assert (result.status, result.failure) == ("skipped", None)
    assert [one.path for one in server.seen] == ["/claim"]


@pytest.mark.parametrize(("status", "ended"), [(409, "succeeded"), (410, "skipped")])
def test_a_twin_is_as_good_and_an_attempt_that_is_over_is_left(
    desk: Desk, server: Server, status: int, ended: str
) -> None:
    server.on("PUT", "/up", Answer(status))
    assert desk.worker().run(desk.job).status == ended


@pytest.mark.parametrize("path", ["/claim", "/up"])
def test_a_run_that_is_skipped_leaves_no_thread(desk: Desk, server: Server, path: str) -> None:
    server.on("PUT", path, Answer(412 if path == "/claim" else 410))
    assert desk.with_bucket().worker().run(desk.job).status == "skipped"
    for thread in threading.enumerate():
        if thread.name == "surefoot-state":
            thread.join(30)
            assert not thread.is_alive()


def test_a_job_without_proof_is_refused_before_anything_is_asked(
    desk: Desk, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUREFOOT_KIT_SECRET", "correct horse")
    result = desk.worker().run(desk.job, run_id="job-1")
    assert result.failure is not None and result.failure.code == "deployment_missing"
    assert server.seen == []


def test_where_the_provider_takes_the_file_it_is_left_to_the_wrapper(tmp_path: Path) -> None:
    given = tmp_path / "photo"
    given.write_bytes(PHOTO)
    result = Worker("dummy").run({"image": given, "surefoot_attempt": "a1"})
    assert result.path is not None
    assert (result.path.name, result.path.stat().st_size) == ("scene.ply", result.bytes)
    assert result.to_json()["uploaded"] is False


def failing(error: Callable[[], BaseException]) -> Any:
    def model(image: Path, output: Path, report: Report) -> None:
        raise error()

    return model


@pytest.mark.parametrize(
    ("error", "code", "poisoned"),
    [
        (lambda: KitError("input_invalid", "There is no face in it."), "input_invalid", False),
        (lambda: ValueError("shapes"), "model_error", False),
        (lambda: RuntimeError("CUDA out of memory"), "out_of_memory", False),
        (lambda: RuntimeError("CUDA error: an illegal memory access was encountered"), "worker_lost", True),
    ],
)
def test_a_model_that_fails_is_told_in_our_codes(
    desk: Desk, scratch: Path, error: Callable[[], BaseException], code: str, poisoned: bool
) -> None:
    result = desk.with_bucket().worker(failing(error)).run(desk.job)
    assert result.status == "failed" and result.failure is not None
    assert (result.failure.code, result.poisoned) == (code, poisoned)
    assert desk.states()[-1] == {"state": "failed", "error": str(result.failure), "runMs": result.run_ms}
    with pytest.raises(KitError, match=rf"\[surefoot:{code}\]"):
        result.raise_for_failure()
    assert list(scratch.iterdir()) == []


def test_a_model_without_an_output_has_failed(desk: Desk) -> None:
    result = desk.worker(lambda image, output, report: None).run(desk.job)
    assert result.failure is not None and result.failure.code == "output_invalid"


@pytest.mark.parametrize("job", [None, {}, {"image": "file:///etc/passwd"}, {"image": 1}, {"surefoot": []}])
def test_a_job_that_is_none_is_the_inputs_fault(job: Any) -> None:
    result = Worker("dummy").run(job)
    assert result.failure is not None and result.failure.code == "input_invalid"


def test_a_bad_input_is_told_to_the_bucket_too(desk: Desk) -> None:
    desk.with_bucket().job["image"] = "nonsense"
    desk.worker().run(desk.job)
    assert desk.states()[-1]["error"].startswith("[surefoot:input_invalid]")


def test_what_is_no_photo_is_refused(desk: Desk, server: Server) -> None:
    server.on("GET", "/in", Answer(body=b"<html>"))
    result = desk.worker().run(desk.job)
    assert result.failure is not None and result.failure.code == "input_invalid"
    assert server.requests("PUT", "/up") == []


@pytest.mark.parametrize("stage", ["fetch", "predict", "write", "upload"])
def test_a_cancel_ends_the_run_at_its_next_stage(
    desk: Desk, server: Server, scratch: Path, stage: str
) -> None:
    reached: list[str] = []
    result = desk.with_bucket().worker().run(
        desk.job, report=lambda one: reached.append(one.stage), cancelled=lambda: stage in reached
    )
    assert (result.status, result.failure) == ("canceled", None)
    assert reached[-1] == stage
    assert server.requests("PUT", "/up") == []
    assert desk.states()[-1]["state"] == "failed"
    assert list(scratch.iterdir()) == []


class Counting:
    """Loads badly the first time."""

    name, field = "counting", "photo"

    def __init__(self) -> None:
        self.loads, self.inside, self.most = 0, 0, 0
        self.options: list[Mapping[str, Any]] = []

    def load(self, report: Report) -> None:
        self.loads += 1
        if self.loads == 1:
            raise RuntimeError("Found no NVIDIA driver on your system.")

    def predict(self, image: Path, output: Path, report: Report, options: Mapping[str, Any]) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.options.append(options)
        report("predict")
        output.write_bytes(image.read_bytes())
        self.inside -= 1


def test_a_load_that_failed_is_told_and_tried_again_and_then_kept(desk: Desk) -> None:
    model = Counting()
    worker = desk.worker(model)
    job = {"photo": desk.job["image"], "strength": 2, "surefoot": desk.job["surefoot"]}
    first = worker.run(job)
    assert first.failure is not None and (first.failure.code, first.poisoned) == ("no_gpu", True)
    assert [worker.run(job).status for _ in range(2)] == ["succeeded", "succeeded"]
    assert (model.loads, model.options) == (2, [{"strength": 2}] * 2)


def test_load_raises_what_a_run_would_answer() -> None:
    worker = Worker(Counting())
    with pytest.raises(KitError) as raised:
        worker.load()
    assert (raised.value.failure.code, raised.value.failure.poisoned) == ("no_gpu", True)
    worker.load()


def test_one_run_at_a_time_has_the_model(desk: Desk) -> None:
    model = Counting()
    model.loads = 1
    worker = desk.worker(model)
    job = {"photo": desk.job["image"], "surefoot": desk.job["surefoot"]}
    statuses: list[str] = []
    threads = [threading.Thread(target=lambda: statuses.append(worker.run(job).status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (statuses, model.most, model.loads) == (["succeeded"] * 8, 1, 2)


def with_options(image: Path, output: Path, report: Report, options: Mapping[str, Any]) -> None:
    output.write_text(json.dumps(dict(options)))


def test_a_plain_function_is_a_model_with_or_without_options(desk: Desk, server: Server) -> None:
    desk.job["strength"] = 3
    desk.worker(with_options).run(desk.job)
    desk.worker(lambda image, output, report: output.write_bytes(b"x")).run(desk.job)
    assert [one.body for one in server.requests("PUT", "/up")] == [b'{"strength": 3}', b"x"]


@pytest.mark.parametrize("name", ["nonsense", "json:nothing", "no.such.module:thing", "json:decoder"])
def test_a_model_that_cannot_be_found_is_the_configurations_fault(name: str) -> None:
    with pytest.raises(KitError) as raised:
        find_model(name)
    assert raised.value.failure.code == "deployment_missing"
    result = Worker(name).run({"image": "data:,x"})
    assert result.failure is not None and result.failure.code == "deployment_missing"


def test_the_environment_names_the_model_of_the_process(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_default", None)
    monkeypatch.setenv("SUREFOOT_KIT_MODEL", f"{__name__}:with_options")
    module.load()
    assert module.run(desk.job).status == "succeeded"
    assert module.default_worker().model.name == "with_options"
