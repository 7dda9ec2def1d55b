from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from surefoot_kit import KitError
from surefoot_kit.address import AddressError, UntrustedAddress, is_public, parse_url, resolve
from surefoot_kit.signals import StateWriter, claim, say_hello
from surefoot_kit.transfer import download, upload

from .conftest import Answer, Server, Time


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "169.254.170.2"),
        *("168.63.129.16", "192.0.0.192", "100.100.100.200", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1%eth0"),
        *("fd00:ec2::254", "fec0::1", "ff02::1", "2002:7f00:1::", "2001:db8::1"),
    ],
)
def test_an_address_within_a_network_is_not(address: str) -> None:
    assert not is_public(address)


@pytest.fixture
def untrusted(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server on this machine that nobody has named."""
    monkeypatch.setenv("SUREFOOT_KIT_TRUSTED_ORIGINS", "http://127.0.0.1:1, https://gateway.example")
    for method in ("GET", "PUT", "POST"):
        server.on(method, "/", Answer())
    return server


def test_nothing_of_a_job_is_asked_within_the_workers_network(untrusted: Server, tmp_path: Path) -> None:
    url = f"{untrusted.url}/"
    (tmp_path / "output").write_bytes(b"x")
    for call in (
        lambda: download(url, tmp_path / "in"),
        lambda: upload(tmp_path / "output", url),
        lambda: claim(url, "job-1", lambda: None),
    ):
        with pytest.raises(KitError, match="SUREFOOT_KIT_TRUSTED_ORIGINS") as raised:
            call()
        assert raised.value.failure.code == "deployment_missing"
    say_hello(url, "job-1").join(30)
    states = StateWriter(url)
    states.put({"state": "running"})
    assert states.finish({"state": "done"}) is False
    assert untrusted.seen == []


@pytest.mark.parametrize("host", ["localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"])
def test_other_ways_to_write_this_machine_are_seen_through(untrusted: Server, tmp_path: Path, host: str) -> None:
    port = untrusted.url.rpartition(":")[2]
    with pytest.raises(KitError):
        download(f"http://{host}:{port}/", tmp_path / "in", tries=1)
    assert untrusted.seen == []


def test_each_redirect_is_checked_anew(server: Server, tmp_path: Path) -> None:
    inner = Server()
    try:
        url = server.on("GET", "/link", Answer(302, headers={"Location": inner.on("GET", "/", Answer(body=b"secret"))}))
        with pytest.raises(UntrustedAddress):
            download(url, tmp_path / "in")
        assert (len(server.seen), inner.seen) == (1, [])
    finally:
        inner.close()


def test_a_trusted_origin_is_meant_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUREFOOT_KIT_TRUSTED_ORIGINS", " http://127.0.0.1:8787/ ,https://10.0.0.2")
    assert resolve(parse_url("http://127.0.0.1:8787/v1/x?y"), True) == ["127.0.0.1"]
    assert resolve(parse_url("https://10.0.0.2:443/x"), True) == ["10.0.0.2"]
    for url in ("http://127.0.0.1:8788/", "https://127.0.0.1:8787/", "http://10.0.0.2/"):
        with pytest.raises(UntrustedAddress):
            resolve(parse_url(url), True)


def test_an_origin_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUREFOOT_KIT_TRUSTED_ORIGINS", "10.0.0.2:8787")
    with pytest.raises(KitError, match="no origin"):
        resolve(parse_url("http://10.0.0.2:8787/"), True)


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Answers for `name.example`, in turn; the names that were asked for."""
    asked, real, left = [], socket.getaddrinfo, list(answers)

    def answer(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if host != "name.example":
            return real(host, port, *args, **more)
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    names(monkeypatch, ["8.8.8.8", "127.0.0.1"])
    with pytest.raises(UntrustedAddress):
        resolve(parse_url("http://name.example/"), True)


def test_a_name_is_asked_for_once_and_what_was_checked_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, server: Server, tmp_path: Path
) -> None:
    port = server.url.rpartition(":")[2]
    asked = names(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    monkeypatch.setenv("SUREFOOT_KIT_TRUSTED_ORIGINS", f"http://name.example:{port}")
    server.on("GET", "/in", Answer(body=b"photo"))
    assert download(f"http://name.example:{port}/in", tmp_path / "in") == 5
    assert asked == ["name.example"]
    assert server.seen[0].headers["host"] == f"name.example:{port}"


@pytest.mark.parametrize(
    "url",
    [
        *("http://g.example/a b?signature=secret", "http://g.example/\n?signature=secret", "http://g.example/é?signature=secret"),
        *("http://[g?signature=secret", "http://g.example:x/?signature=secret", "http://g.example:99999/?signature=secret"),
        *("http:///in?signature=secret", "http://g signature=secret/", "http://" + "a" * 70 + ".example/?signature=secret"),
        "http://g,signature=secret/",
    ],
)
def test_what_is_no_address_is_refused_without_its_words(tmp_path: Path, simulated: Time, url: str) -> None:
    with pytest.raises(KitError) as raised:
        download(url, tmp_path / "in", waiter=simulated.waiter)
    assert raised.value.failure.code == "input_invalid"
    assert "secret" not in str(raised.value)
    with pytest.raises((AddressError, OSError)):
        resolve(parse_url(url), True)


def test_an_answer_that_repeats_the_request_is_not_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "output").write_bytes(b"x")
    words = b"<Error><Code>SignatureDoesNotMatch</Code><Signature>secret</Signature>PUT /up?signature=secret</Error>"
    url = server.on("PUT", "/up", Answer(403, words))
    with pytest.raises(KitError, match="403 SignatureDoesNotMatch") as raised:
        upload(tmp_path / "output", f"{url}?signature=secret")
    assert "secret" not in str(raised.value)


class Trickle:
    """A server that never ends: a byte of its answer at a time, until its client is gone."""

    def __init__(self, begin: bytes) -> None:
        self._begin = begin
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.ended = threading.Event()
        self.came = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        made, _ = self._listening.accept()
        self._listening.close()
        pause = threading.Event()
        try:
            with made:
                made.sendall(self._begin)
                self.came.set()
                while not pause.wait(0.01):
                    made.sendall(b"x")
        except OSError:
            self.ended.set()


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize("ends", ["time", "cancel"])
def test_an_answer_that_trickles_is_cut_by_the_clock_and_by_a_cancel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, begin: bytes, ends: str
) -> None:
    trickle = Trickle(begin)
    monkeypatch.setenv("SUREFOOT_KIT_TRUSTED_ORIGINS", trickle.url)

    class Stop(Exception):
        pass

    def check() -> None:
        if ends == "cancel" and trickle.came.is_set():
            raise Stop()

    with pytest.raises(KitError if ends == "time" else Stop):
        download(f"{trickle.url}/in", tmp_path / "in", total_seconds=0.5 if ends == "time" else 600, check=check, tries=1)
    assert trickle.ended.wait(30)


@pytest.mark.parametrize("ends", ["time", "cancel"])
def test_so_is_the_answer_to_an_upload(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ends: str) -> None:
    trickle = Trickle(b"HTTP/1.1 200 OK\r\nX: ")
    monkeypatch.setenv("SUREFOOT_KIT_TRUSTED_ORIGINS", trickle.url)
    (tmp_path / "output").write_bytes(b"x")

    class Stop(Exception):
        pass

    def check() -> None:
        if ends == "cancel" and trickle.came.is_set():
            raise Stop()

    with pytest.raises(KitError if ends == "time" else Stop):
        upload(tmp_path / "output", f"{trickle.url}/up", total_seconds=0.5 if ends == "time" else 600, check=check)
    assert trickle.ended.wait(30)
