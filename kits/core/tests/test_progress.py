from __future__ import annotations

import threading

import pytest

from surefoot_kit import Canceled, KitError, Progress
from surefoot_kit.progress import ModelReport, Reporter


class Setup:
    def __init__(self, **settings: float) -> None:
        self.now, self.sent, self.stop = 0.0, list[Progress](), False
        self.reporter = Reporter(self.sent.append, lambda: self.stop, clock=lambda: self.now, **settings)


def test_stages_come_in_order_and_the_fraction_never_falls() -> None:
    setup = Setup()
    for part, stage, fraction in [("fetch", "fetch", 1.0), ("load", "load", 0.5), ("model", "predict", 0.2), ("fetch", "odd", 0.0)]:
        setup.now += 2
        setup.reporter.report(part, stage, fraction)
    assert [one.stage for one in setup.sent] == ["fetch", "load", "predict", "odd"]
    assert [round(one.fraction, 3) for one in setup.sent] == [0.05, 0.175, 0.39, 0.39]


def test_no_part_reaches_the_last_tenth() -> None:
    setup = Setup()
    setup.reporter.report("upload", "upload", 7.0)
    assert setup.sent[-1].fraction == pytest.approx(0.9)


def test_within_a_stage_at_most_one_report_a_second_is_sent() -> None:
    setup = Setup()
    setup.reporter.report("upload", "upload", 0.1)
    setup.now = 0.9
    setup.reporter.report("upload", "upload", 0.2)
    assert len(setup.sent) == 1
    setup.now = 1.0
    setup.reporter.report("upload", "upload", 0.3)
    assert len(setup.sent) == 2


def test_beats_move_the_fraction_but_never_out_of_the_part() -> None:
    setup = Setup()
    setup.reporter.report("model", "predict", 0.5)
    for _ in range(29):
        setup.now += 10
        setup.reporter.beat()
    fractions = [one.fraction for one in setup.sent]
    assert len(fractions) == 30
    assert fractions == sorted(set(fractions))
    assert fractions[-1] < 0.75
    assert {one.stage for one in setup.sent} == {"predict"}


def test_beats_fall_silent_when_nothing_real_comes_and_begin_again_when_it_does() -> None:
    setup = Setup(quiet_seconds=300)
    setup.reporter.report("model", "predict")
    setup.now = 300
    setup.reporter.beat()
    assert len(setup.sent) == 2
    setup.now = 301
    setup.reporter.beat()
    assert len(setup.sent) == 2
    setup.reporter.report("model", "write", 0.9)
    setup.now = 311
    setup.reporter.beat()
    assert [one.stage for one in setup.sent] == ["predict", "predict", "write", "write"]


def test_before_the_first_stage_nothing_beats() -> None:
    setup = Setup()
    setup.reporter.beat()
    assert setup.sent == []


def test_after_the_end_nothing_is_sent() -> None:
    setup = Setup()
    setup.reporter.report("fetch", "fetch")
    setup.reporter.close()
    setup.now = 100
    setup.reporter.beat()
    setup.reporter.report("upload", "upload")
    assert len(setup.sent) == 1


def test_beats_come_by_themselves() -> None:
    beaten = threading.Event()

    def send(progress: Progress) -> None:
        if progress.fraction > 0.3:
            beaten.set()

    reporter = Reporter(send, lambda: False, beat_seconds=0.001, least_seconds=0)
    reporter.report("model", "predict")
    reporter.start()
    assert beaten.wait(30)
    reporter.close()


def test_a_cancelled_run_ends_in_its_next_report() -> None:
    setup = Setup()
    report = ModelReport(setup.reporter, "model")
    report("predict")
    setup.stop = True
    with pytest.raises(Canceled):
        report("write", 0.9)
    assert [one.stage for one in setup.sent] == ["predict"]


def test_callbacks_that_fail_harm_no_run() -> None:
    def fail() -> bool:
        raise RuntimeError("the provider's client is broken")

    reporter = Reporter(lambda progress: 1 / 0, fail)
    reporter.report("fetch", "fetch")
    reporter.beat()


def test_a_report_without_a_stage_is_the_models_fault() -> None:
    with pytest.raises(KitError, match="stage"):
        ModelReport(Setup().reporter, "model")(0.5)  # type: ignore[arg-type]


def test_a_report_is_the_json_and_the_log_line_that_adapters_read() -> None:
    progress = Progress("predict", 0.42)
    assert progress.to_json() == {"stage": "predict", "fraction": 0.42}
    assert progress.to_log_line() == "predict:  42%|####      | 42/100"
