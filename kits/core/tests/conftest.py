"""A scripted server on loopback, and time that passes only when somebody waits."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable

import pytest

from surefoot_kit import Waiter


@dataclass
class Seen:
    """One request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What is sent back. `early`: before the body is read, and the connection is closed. `cut`: only so many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    early: bool = False
    cut: int | None = None


class Server:
    """Answers each request with the next of the answers for its method and path; the last one repeats."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.arrived = threading.Condition()
        self._answers: dict[tuple[str, str], list[Answer | None]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                outer.handle(self)

            do_GET = do_PUT = do_POST = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Http(ThreadingHTTPServer):
            daemon_threads = True
            # All of a test's connections at once are more than the default of five.
            request_queue_size = 64

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Clients that break off are part of the tests."""

        self._http = Http(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def on(self, method: str, path: str, *answers: Answer | None) -> str:
        """Sets the answers, None for a connection that breaks; the path's URL."""
        self._answers[method, path] = list(answers)
        return self.url + path

    def requests(self, method: str, path: str) -> list[Seen]:
        return [one for one in self.seen if (one.method, one.path) == (method, path)]

    def wait_for(self, ready: Callable[[], bool]) -> None:
        with self.arrived:
            assert self.arrived.wait_for(ready, timeout=30)

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        answers = self._answers.get((handler.command, path), [Answer(404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        early = answer is not None and answer.early
        body = b"" if early else handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        with self.arrived:
            self.seen.append(Seen(handler.command, path, {k.lower(): v for k, v in handler.headers.items()}, body))
            self.arrived.notify_all()
        handler.close_connection = answer is None or early or answer.cut is not None
        if answer is None:
            return
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        if handler.close_connection:
            handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(answer.body[: answer.cut])

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class Time:
    """A clock that moves when somebody naps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiter = Waiter(clock=lambda: self.now, nap=self._nap)

    def _nap(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs make their folders."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server()
    monkeypatch.setenv("SUREFOOT_KIT_TRUSTED_ORIGINS", made.url)
    yield made
    made.close()


@pytest.fixture
def simulated() -> Time:
    return Time()
