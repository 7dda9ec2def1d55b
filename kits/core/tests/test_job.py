from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from surefoot_kit import KitError, parse_job
from surefoot_kit.job import Job, check_proof

WHOLE = {
    "image": "https://files.example/photo.jpg?signature=x",
    "focal_length": 28,
    "note": None,
    "surefoot": {
        "attempt": "a1",
        "upload": {"url": "https://gateway.example/v1/uploads/a1/output?signature=y"},
        "hello": "https://gateway.example/hello",
        "state": {"url": "https://bucket.example/state.json"},
        "claim": {"url": "https://bucket.example/claim"},
    },
}


def test_a_job_is_taken_apart_into_the_models_input_and_ours() -> None:
    job = parse_job(WHOLE)
    assert job.source == WHOLE["image"]
    assert job.options == {"focal_length": 28}
    assert (job.attempt, job.hello) == ("a1", "https://gateway.example/hello")
    assert job.upload == "https://gateway.example/v1/uploads/a1/output?signature=y"
    assert (job.state, job.claim) == ("https://bucket.example/state.json", "https://bucket.example/claim")


def test_replicates_form_names_the_attempt_alone() -> None:
    job = parse_job({"image": Path("/tmp/photo.jpg"), "surefoot_attempt": "a1"})
    assert (job.attempt, job.upload, job.options, job.source) == ("a1", None, {}, Path("/tmp/photo.jpg"))


def test_the_file_may_be_another_field() -> None:
    assert parse_job({"photo": "https://files.example/x", "image": "mine"}, "photo").options == {"image": "mine"}


@pytest.mark.parametrize(
    "data", [None, "text", {"surefoot": 1}, {"surefoot": {"upload": "https://x"}}, {"surefoot": {"hello": 1}}]
)
def test_what_is_no_job_is_the_inputs_fault(data: Any) -> None:
    with pytest.raises(KitError) as raised:
        parse_job(data)
    assert raised.value.failure.code == "input_invalid"


PROVED = {"attempt": "a1", "upload": {"url": "https://g.example/up?signature=s"}, "hello": "https://g.example/hello"}
# Made by `kitPart` of src/providers/kit.ts, whose test has the same.
PROOF = "0684fd791c3595cf31ffdb953890f7144cf5ac64c5427b51e65382808d241779"


def proved(source: object = "https://g.example/in?signature=i", **changes: object) -> Job:
    return parse_job({"image": source, "surefoot": {**PROVED, "proof": PROOF, **changes}})


def test_the_gateways_proof_is_taken_and_asked_for_only_where_there_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    check_proof(proved(proof=None))
    monkeypatch.setenv("SUREFOOT_KIT_SECRET", "correct horse")
    check_proof(proved())


@pytest.mark.parametrize(
    "job",
    [
        proved(proof=None),
        proved(proof=""),
        proved(proof="é"),
        proved(proof=PROOF.upper()),
        proved("http://169.254.169.254/"),
        proved("data:,x"),
        proved("\ud800"),
        proved(None),
        proved(attempt="a2"),
        proved(upload={"url": "https://elsewhere.example/"}),
        proved(upload=None),
        proved(hello="https://elsewhere.example/"),
        proved(state={"url": "https://elsewhere.example/"}),
        proved(claim={"url": "https://elsewhere.example/"}),
        parse_job({"image": "data:,x", "surefoot_attempt": "a1"}),
    ],
)
def test_a_job_that_the_proof_does_not_speak_of_is_refused(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUREFOOT_KIT_SECRET", "correct horse")
    with pytest.raises(KitError, match="no proof") as raised:
        check_proof(job)
    assert raised.value.failure.code == "deployment_missing"


@pytest.mark.parametrize("secret", ["", "another"])
def test_another_secret_or_an_empty_one_takes_nothing(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUREFOOT_KIT_SECRET", secret)
    with pytest.raises(KitError):
        check_proof(proved())
