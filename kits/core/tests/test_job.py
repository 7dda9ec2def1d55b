from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from surefoot_kit import KitError, parse_job

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
