from __future__ import annotations

import json

import pytest

from surefoot_kit import KitError
from surefoot_kit.signals import StateWriter, claim, say_hello

from .conftest import Answer, Server, Time


def test_hello_tells_the_runs_id_and_is_tried_again(server: Server, simulated: Time) -> None:
    url = server.on("POST", "/hello", None, Answer(503), Answer(200))
    say_hello(url, "job-1", simulated.waiter).join(30)
    assert [json.loads(one.body) for one in server.seen] == [{"surefoot": "hello", "id": "job-1"}] * 3


def test_a_hello_that_is_refused_or_goes_nowhere_is_given_up(server: Server, simulated: Time) -> None:
    say_hello(server.on("POST", "/hello", Answer(403)), "job-1", simulated.waiter).join(30)
    assert len(server.seen) == 1
    server.on("POST", "/hello", None)
    say_hello(server.url + "/hello", "job-1", simulated.waiter).join(30)
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    ("answers", "is_ours"),
    [
        ([Answer(200)], True),
        ([Answer(412)], False),
        ([Answer(409), Answer(412)], False),
        ([None, Answer(200)], True),
        # Its own claim may have come through before the answer was lost.
        ([None, Answer(412)], True),
        ([Answer(503), Answer(412)], True),
    ],
)
def test_a_claim_lets_one_delivery_in(
    server: Server, simulated: Time, answers: list[Answer | None], is_ours: bool
) -> None:
    url = server.on("PUT", "/claim", *answers)
    assert claim(url, "job-1", lambda: None, simulated.waiter) is is_ours
    assert {(one.body, one.headers["if-none-match"]) for one in server.seen} == {(b"job-1", "*")}


@pytest.mark.parametrize(("answer", "tries"), [(Answer(403), 1), (None, 4)])
def test_a_claim_that_cannot_be_made_fails(
    server: Server, simulated: Time, answer: Answer | None, tries: int
) -> None:
    url = server.on("PUT", "/claim", answer)
    with pytest.raises(KitError) as raised:
        claim(url, "job-1", lambda: None, simulated.waiter)
    assert raised.value.failure.code == "provider_unreachable"
    assert len(server.seen) == tries


def test_the_last_state_is_written_after_all_others_and_tried_again(server: Server, simulated: Time) -> None:
    url = server.on("PUT", "/state", Answer(200), Answer(503), Answer(200))
    states = StateWriter(url, simulated.waiter)
    states.put({"state": "running", "fraction": 0})
    server.wait_for(lambda: len(server.seen) == 1)
    assert states.finish({"state": "done"}) is True
    assert [json.loads(one.body)["state"] for one in server.seen] == ["running", "done", "done"]


def test_without_an_address_there_is_no_state(server: Server) -> None:
    states = StateWriter(None)
    states.put({"state": "running"})
    assert states.finish({"state": "done"}) is True
    assert server.seen == []
