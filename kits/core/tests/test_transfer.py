from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from surefoot_kit import Canceled, KitError, classify
from surefoot_kit.transfer import download, upload

from .conftest import Answer, Server, Time

PHOTO = bytes(range(256)) * 4000


def code_of(raised: pytest.ExceptionInfo[KitError]) -> str:
    return raised.value.failure.code


class TestDownload:
    def test_a_file_is_fetched_through_a_redirect(self, server: Server, tmp_path: Path) -> None:
        server.on("GET", "/real", Answer(body=PHOTO))
        url = server.on("GET", "/link", Answer(302, headers={"Location": "/real"}))
        fractions: list[float] = []
        assert download(url, tmp_path / "in", progress=fractions.append) == len(PHOTO)
        assert (tmp_path / "in").read_bytes() == PHOTO
        assert fractions[-1] == 1.0

    def test_redirects_have_an_end(self, server: Server, tmp_path: Path, simulated: Time) -> None:
        url = server.on("GET", "/link", Answer(302, headers={"Location": "/link"}))
        with pytest.raises(KitError) as raised:
            download(url, tmp_path / "in", waiter=simulated.waiter)
        assert code_of(raised) == "input_invalid"
        assert len(server.seen) == 6

    def test_a_redirect_out_of_the_web_is_not_followed(self, server: Server, tmp_path: Path, simulated: Time) -> None:
        url = server.on("GET", "/link", Answer(302, headers={"Location": "file:///etc/passwd"}))
        with pytest.raises(KitError) as raised:
            download(url, tmp_path / "in", waiter=simulated.waiter)
        assert code_of(raised) == "input_invalid"

    @pytest.mark.parametrize("passing", [None, Answer(503), Answer(429), Answer(body=PHOTO, cut=1000)])
    def test_what_passes_is_tried_again(
        self, server: Server, tmp_path: Path, simulated: Time, passing: Answer | None
    ) -> None:
        url = server.on("GET", "/in", passing, Answer(body=PHOTO))
        assert download(url, tmp_path / "in", waiter=simulated.waiter) == len(PHOTO)
        assert (tmp_path / "in").read_bytes() == PHOTO

    def test_what_stays_is_the_inputs_fault_and_names_no_signature(self, server: Server, tmp_path: Path) -> None:
        url = server.on("GET", "/in", Answer(403))
        with pytest.raises(KitError) as raised:
            download(f"{url}?signature=secret", tmp_path / "in")
        assert code_of(raised) == "input_invalid"
        assert "secret" not in str(raised.value)
        assert len(server.seen) == 1

    def test_a_file_over_the_limit_is_refused_by_its_length_alone(self, server: Server, tmp_path: Path) -> None:
        url = server.on("GET", "/in", Answer(body=PHOTO))
        with pytest.raises(KitError) as raised:
            download(url, tmp_path / "in", max_bytes=len(PHOTO) - 1)
        assert code_of(raised) == "input_too_large"
        assert not (tmp_path / "in").exists()

    def test_a_file_that_comes_too_slowly_is_given_up(self, server: Server, tmp_path: Path, simulated: Time) -> None:
        def crawl() -> None:
            simulated.now += 100

        url = server.on("GET", "/in", Answer(body=PHOTO * 4))
        with pytest.raises(KitError, match="slowly"):
            download(url, tmp_path / "in", check=crawl, waiter=simulated.waiter)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
    def test_a_full_disk_is_not_taken_for_a_bad_input(self, server: Server) -> None:
        url = server.on("GET", "/in", Answer(body=PHOTO))
        with pytest.raises(OSError) as raised:
            download(url, Path("/dev/full"))
        assert (classify(raised.value).code, len(server.seen)) == ("provider_error", 1)

    def test_a_data_url_is_decoded(self, tmp_path: Path) -> None:
        assert download("data:image/png;base64,aGVsbG8=", tmp_path / "in") == 5
        assert (tmp_path / "in").read_bytes() == b"hello"

    @pytest.mark.parametrize(
        ("source", "code"),
        [
            ("data:image/png;base64,!!", "input_invalid"),
            ("data:none", "input_invalid"),
            ("data:;base64," + "A" * 400, "input_too_large"),
            ("data:," + "A" * 101, "input_too_large"),
            ("file:///etc/passwd", "input_invalid"),
            ("/etc/passwd", "input_invalid"),
            (None, "input_invalid"),
            (5, "input_invalid"),
        ],
    )
    def test_what_is_no_file_is_refused(self, tmp_path: Path, source: Any, code: str) -> None:
        with pytest.raises(KitError) as raised:
            download(source, tmp_path / "in", max_bytes=100)
        assert code_of(raised) == code

    def test_a_path_object_is_copied_within_the_limit(self, tmp_path: Path) -> None:
        source = tmp_path / "given"
        source.write_bytes(PHOTO)
        assert download(source, tmp_path / "in") == len(PHOTO)
        with pytest.raises(KitError) as raised:
            download(source, tmp_path / "in", max_bytes=10)
        assert code_of(raised) == "input_too_large"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "output"
    path.write_bytes(PHOTO * 3)
    return path


class TestUpload:
    def test_a_file_goes_with_its_length_and_checksum(self, server: Server, output: Path) -> None:
        url = server.on("PUT", "/up", Answer(201))
        fractions: list[float] = []
        done = upload(output, f"{url}?signature=x", progress=fractions.append)
        (seen,) = server.seen
        sha256 = hashlib.sha256(PHOTO * 3).hexdigest()
        assert (done.outcome, done.bytes, done.sha256) == ("stored", 3 * len(PHOTO), sha256)
        assert seen.body == PHOTO * 3
        assert seen.headers["content-length"] == str(3 * len(PHOTO))
        assert seen.headers["content-type"] == "application/octet-stream"
        assert seen.headers["x-content-sha256"] == sha256
        assert "transfer-encoding" not in seen.headers
        assert fractions[-1] == 1.0

    @pytest.mark.parametrize("early", [False, True])
    @pytest.mark.parametrize(("status", "outcome"), [(409, "exists"), (410, "over")])
    def test_a_twin_or_an_attempt_that_is_over_end_the_upload(
        self, server: Server, tmp_path: Path, status: int, outcome: str, early: bool
    ) -> None:
        large = tmp_path / "large"
        large.write_bytes(b"x" * (24 << 20))
        url = server.on("PUT", "/up", Answer(status, early=early))
        assert upload(large, url).outcome == outcome
        assert len(server.seen) == 1

    @pytest.mark.parametrize("passing", [None, Answer(500), Answer(503), Answer(429), Answer(422)])
    def test_what_passes_is_tried_again(
        self, server: Server, output: Path, simulated: Time, passing: Answer | None
    ) -> None:
        url = server.on("PUT", "/up", passing, passing, Answer(201))
        assert upload(output, url, waiter=simulated.waiter).outcome == "stored"
        assert [one.body for one in server.seen] == [PHOTO * 3] * 3
        assert 1.5 <= simulated.now <= 3.0

    def test_a_stored_upload_whose_answer_was_lost_ends_as_success(self, server: Server, output: Path, simulated: Time) -> None:
        url = server.on("PUT", "/up", None, Answer(409))
        assert upload(output, url, waiter=simulated.waiter).outcome == "exists"

    def test_the_wait_is_the_one_that_was_asked_for(self, server: Server, output: Path, simulated: Time) -> None:
        url = server.on("PUT", "/up", Answer(429, headers={"Retry-After": "7"}), Answer(201))
        upload(output, url, waiter=simulated.waiter)
        assert simulated.now == 7

    @pytest.mark.parametrize(
        ("status", "code"), [(403, "output_lost"), (404, "output_lost"), (400, "output_lost"), (413, "output_too_large")]
    )
    def test_a_refusal_ends_it_at_once(self, server: Server, output: Path, status: int, code: str) -> None:
        url = server.on("PUT", "/up", Answer(status, body=b"no"))
        with pytest.raises(KitError) as raised:
            upload(output, url)
        assert code_of(raised) == code
        assert len(server.seen) == 1

    def test_tries_have_an_end(self, server: Server, output: Path, simulated: Time) -> None:
        url = server.on("PUT", "/up", Answer(503))
        with pytest.raises(KitError, match="could not upload"):
            upload(output, url, waiter=simulated.waiter)
        assert len(server.seen) == 9

    def test_nothing_is_tried_past_the_limit(self, server: Server, output: Path, simulated: Time) -> None:
        url = server.on("PUT", "/up", Answer(503, headers={"Retry-After": "50"}))
        with pytest.raises(KitError):
            upload(output, url, waiter=simulated.waiter, total_seconds=120)
        assert simulated.now == 100

    def test_a_cancel_ends_a_wait(self, server: Server, output: Path, simulated: Time) -> None:
        def check() -> None:
            if simulated.now >= 3:
                raise Canceled()

        url = server.on("PUT", "/up", Answer(503, headers={"Retry-After": "60"}))
        with pytest.raises(Canceled):
            upload(output, url, check=check, waiter=simulated.waiter)
        assert simulated.now == 3

    def test_a_cancel_ends_an_upload_between_two_pieces(self, server: Server, output: Path) -> None:
        sent: list[float] = []

        def check() -> None:
            if sent:
                raise Canceled()

        url = server.on("PUT", "/up", Answer(201))
        with pytest.raises(Canceled):
            upload(output, url, check=check, progress=sent.append)
        assert len(sent) == 1
