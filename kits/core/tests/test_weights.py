from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from surefoot_kit import KitError
from surefoot_kit.weights import find_weights

from .conftest import Answer, Server, Time

WEIGHTS = bytes(range(256)) * 9000
TAGGED = {"ETag": '"v1"'}
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SUREFOOT_KIT_CACHE", str(folder))
    return folder


def failure_of(place: str, **more: Any) -> str:
    with pytest.raises(KitError) as raised:
        find_weights(place, **more)
    assert raised.value.failure.code == "deployment_missing"
    return raised.value.failure.message


def test_a_mounted_file_is_used_where_it_lies(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(WEIGHTS)
    assert find_weights(str(path), may_download=False) == path
    assert find_weights(str(path), sha256=SHA256.upper()) == path
    assert "SHA-256" in failure_of(str(path), sha256="0" * 64)
    assert not cache.exists()


def test_a_file_that_is_not_there_is_named() -> None:
    assert "/nowhere/weights.pt" in failure_of("/nowhere/weights.pt")


def test_a_download_is_kept_and_done_once(
    server: Server, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = server.on("GET", "/weights.pt", Answer(body=WEIGHTS))
    fractions: list[float] = []
    path = find_weights(url, report=lambda stage, fraction=0.0: fractions.append(fraction))
    assert path.parent == cache and path.name.endswith("-weights.pt")
    assert path.read_bytes() == WEIGHTS
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert f"SHA-256 {SHA256}" in capsys.readouterr().out
    assert find_weights(url, may_download=False) == path
    assert len(server.seen) == 1


def test_a_download_goes_on_where_it_was_cut(server: Server, cache: Path, simulated: Time) -> None:
    span = f"bytes 1000000-{len(WEIGHTS) - 1}/{len(WEIGHTS)}"
    rest = Answer(206, WEIGHTS[1_000_000:], {"Content-Range": span})
    begun = Answer(headers=TAGGED, body=WEIGHTS, cut=1_000_000)
    url = server.on("GET", "/weights.pt", Answer(503), begun, None, rest)
    assert find_weights(url, sha256=SHA256, waiter=simulated.waiter).read_bytes() == WEIGHTS
    asked = [(one.headers.get("range"), one.headers.get("if-range")) for one in server.seen]
    assert asked == [(None, None), (None, None), ("bytes=1000000-", '"v1"'), ("bytes=1000000-", '"v1"')]


def test_a_file_that_changed_meanwhile_is_taken_from_its_start(server: Server, simulated: Time) -> None:
    other = WEIGHTS[::-1]
    begun = Answer(headers=TAGGED, body=WEIGHTS, cut=1_000_000)
    url = server.on("GET", "/weights.pt", begun, Answer(headers={"ETag": '"v2"'}, body=other))
    assert find_weights(url, waiter=simulated.waiter).read_bytes() == other


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"v1"'}])
def test_without_a_strong_validator_a_cut_download_begins_anew(
    server: Server, simulated: Time, headers: dict[str, str]
) -> None:
    url = server.on("GET", "/weights.pt", Answer(headers=headers, body=WEIGHTS, cut=1_000_000), Answer(body=WEIGHTS))
    assert find_weights(url, waiter=simulated.waiter).read_bytes() == WEIGHTS
    assert [one.headers.get("range") for one in server.seen] == [None, None]


@pytest.mark.parametrize("span", [f"bytes 999999-{len(WEIGHTS) - 1}/{len(WEIGHTS)}", "bytes */5", None])
def test_a_part_that_begins_elsewhere_is_not_joined_on(server: Server, simulated: Time, span: str | None) -> None:
    begun = Answer(headers=TAGGED, body=WEIGHTS, cut=1_000_000)
    wrong = Answer(206, WEIGHTS[1_000_000:], {} if span is None else {"Content-Range": span})
    url = server.on("GET", "/weights.pt", begun, wrong, Answer(body=WEIGHTS))
    assert find_weights(url, waiter=simulated.waiter).read_bytes() == WEIGHTS
    assert [one.headers.get("range") for one in server.seen] == [None, "bytes=1000000-", None]


def test_another_file_of_the_same_name_is_another_file(server: Server) -> None:
    first = find_weights(server.on("GET", "/1/weights.pt", Answer(body=b"one")))
    second = find_weights(server.on("GET", "/2/weights.pt", Answer(body=b"two")))
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")


def test_a_kept_file_with_other_bytes_is_downloaded_anew(server: Server, cache: Path) -> None:
    url = server.on("GET", "/weights.pt", Answer(body=WEIGHTS))
    find_weights(url, sha256=SHA256).write_bytes(b"damaged")
    assert find_weights(url, sha256=SHA256).read_bytes() == WEIGHTS
    assert len(list(cache.iterdir())) == 1


def test_the_owners_address_may_be_private_and_its_signature_is_not_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUREFOOT_KIT_TRUSTED_ORIGINS")
    assert find_weights(server.on("GET", "/weights.pt", Answer(body=WEIGHTS))).read_bytes() == WEIGHTS
    for place in (f"{server.url}/gone?signature=secret", f"{server.url}/a b?signature=secret"):
        assert "secret" not in failure_of(place)


def test_a_server_without_ranges_sends_all_again(server: Server, simulated: Time) -> None:
    url = server.on("GET", "/weights.pt", Answer(body=WEIGHTS, cut=1_000_000), Answer(body=WEIGHTS))
    assert find_weights(url, sha256=SHA256, waiter=simulated.waiter).read_bytes() == WEIGHTS


@pytest.mark.parametrize(("answer", "tries"), [(Answer(403), 1), (Answer(503), 6), (None, 6)])
def test_what_cannot_be_downloaded_leaves_nothing(
    server: Server, cache: Path, simulated: Time, answer: Answer | None, tries: int
) -> None:
    failure_of(server.on("GET", "/weights.pt", answer), waiter=simulated.waiter)
    assert len(server.seen) == tries
    assert list(cache.iterdir()) == []


def test_a_download_of_other_bytes_is_not_kept(server: Server, cache: Path) -> None:
    failure_of(server.on("GET", "/weights.pt", Answer(body=WEIGHTS)), sha256="0" * 64)
    assert list(cache.iterdir()) == []


def test_without_consent_nothing_is_downloaded(server: Server, cache: Path) -> None:
    url = server.on("GET", "/weights.pt", Answer(body=WEIGHTS))
    assert failure_of(url, may_download=False, refusal="Accept the licence.") == "Accept the licence."
    assert server.seen == []
