"""
HTTP as a kit needs it: one request at a time, streamed both ways, without proxies or cookies, with an end in time, and to
where a kit may connect.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import threading
import time
from contextlib import AbstractContextManager, contextmanager
from typing import Callable, Iterable, Iterator, Mapping
from urllib.parse import urljoin

from .address import AddressError, Place, parse_url, resolve

_REDIRECTS = 5
_LOOK_SECONDS = 0.25
# What a file says that is written or read within an exchange, and no socket does.
_OF_DISKS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})


class WebError(Exception):
    """A request that got no answer: no connection, a cut, a time limit. Worth another try. Its words hold no signed address."""


@contextmanager
def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | Iterable[bytes] | None = None,
    timeout: float = 60.0,
    total_seconds: float | None = None,
    check: Callable[[], None] = lambda: None,
    redirects: int = 0,
    guarded: bool = True,
) -> Iterator[http.client.HTTPResponse]:
    """
    One request; the answer, whatever its status, is read within the `with`. `timeout` in seconds holds for each wait on the
    socket, `total_seconds` for all of it, redirects too; `check` is asked from another thread a few times a second, and what
    it raises ends the exchange wherever it waits. A body that is no bytes needs a Content-Length. An answer that comes
    before the whole body was taken is an answer (a server that refuses need not read 66 MB). `guarded`: see `resolve`; not for
    addresses that the worker's owner has set. Fails with `WebError`, also where the `with` reads and is cut; with
    `UntrustedAddress`; a full disk stays the `OSError` that it is.
    """
    end = None if total_seconds is None else time.monotonic() + total_seconds
    watch = _Watch(end, check)
    try:
        with _open(method, url, headers, body, timeout, redirects, guarded, watch) as response:
            yield response
        watch.stop()
    except WebError:
        watch.stop()
        raise
    finally:
        watch.close()


@contextmanager
def _open(
    method: str,
    url: str,
    headers: Mapping[str, str] | None,
    body: bytes | Iterable[bytes] | None,
    timeout: float,
    redirects: int,
    guarded: bool,
    watch: _Watch,
) -> Iterator[http.client.HTTPResponse]:
    connection: http.client.HTTPConnection | None = None
    origin = "The address"
    try:
        place = parse_url(url)
        origin = place.origin
        kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        connection = kind(place.host, place.port, timeout=timeout)
        connection.sock = _connect(place, timeout, guarded, watch)
        cut: OSError | None = None
        try:
            connection.request(method, place.target, body=body, headers={"User-Agent": "surefoot-kit", **(headers or {})})
        except (BrokenPipeError, ConnectionResetError, ConnectionAbortedError) as error:
            cut = error
        try:
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise cut or error
        location = response.headers.get("Location")
        if redirects > 0 and method == "GET" and response.status in (301, 302, 303, 307, 308) and location:
            connection.close()
            following = _join(url, location)
            with _open(method, following, headers, None, timeout, redirects - 1, guarded, watch) as last:
                yield last
            return
        yield response
    except AddressError as error:
        raise WebError(str(error)) from error
    except http.client.HTTPException as error:
        # Its words may be the server's, or hold the path with its signature.
        raise WebError(f"{origin} ({type(error).__name__})") from error
    except OSError as error:
        if error.errno in _OF_DISKS:
            raise
        raise WebError(f"{origin} ({type(error).__name__}: {error.strerror or error})") from error
    finally:
        if connection is not None:
            connection.close()


def _join(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise AddressError("the address of a redirect is none") from error


def _connect(place: Place, timeout: float, guarded: bool, watch: _Watch) -> socket.socket:
    """A connection to one of the addresses that were checked: a name asked for twice may have two answers."""
    failed: OSError | None = None
    for address in resolve(place, guarded):
        watch.stop()
        try:
            return _secure(socket.create_connection((address, place.port), watch.within(timeout)), place, timeout, watch)
        except OSError as error:
            failed = error
    raise failed or OSError("the host has no address")


def _secure(made: socket.socket, place: Place, timeout: float, watch: _Watch) -> socket.socket:
    made.settimeout(timeout)
    if place.scheme == "https":
        made = _tls().wrap_socket(made, server_hostname=place.host, do_handshake_on_connect=False)
    watch.holds(made)
    try:
        if isinstance(made, ssl.SSLSocket):
            made.do_handshake()
    except BaseException:
        made.close()
        raise
    return made


class _Watch:
    """
    Ends an exchange from another thread, at its end in time or when `check` raises: a head that comes byte by byte keeps to
    each socket's own limit for ever. Shutting a socket down wakes whoever reads it, closing it would not.
    """

    def __init__(self, end: float | None, check: Callable[[], None]) -> None:
        self._end, self._check = end, check
        self._reason: BaseException | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="surefoot-watch", daemon=True).start()

    def holds(self, made: socket.socket) -> None:
        """The socket to shut down from now on."""
        with self._lock:
            self._socket = made
            if self._reason is not None:
                _shut(made)

    def within(self, seconds: float) -> float:
        """`seconds`, or less where less is left."""
        return seconds if self._end is None else max(0.001, min(seconds, self._end - time.monotonic()))

    def stop(self) -> None:
        """Raises why the exchange was ended, if it was."""
        if self._reason is not None:
            raise self._reason

    def close(self) -> None:
        """Nothing is ended any more."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(self.within(_LOOK_SECONDS)):
            reason = self._look()
            if reason is not None:
                with self._lock:
                    self._reason = reason
                    if self._socket is not None:
                        _shut(self._socket)
                return

    def _look(self) -> BaseException | None:
        if self._end is not None and time.monotonic() >= self._end:
            return WebError("it took too long and was given up")
        try:
            self._check()
        except BaseException as error:
            return error
        return None


def _shut(made: socket.socket) -> None:
    try:
        # Not SSLSocket's own, which takes the encryption away from under whoever reads.
        socket.socket.shutdown(made, socket.SHUT_RDWR)
    except OSError:
        pass


def get(
    url: str, *, timeout: float = 60.0, total_seconds: float | None = None, check: Callable[[], None] = lambda: None
) -> AbstractContextManager[http.client.HTTPResponse]:
    """GET, through up to five redirects."""
    return exchange("GET", url, timeout=timeout, total_seconds=total_seconds, check=check, redirects=_REDIRECTS)


def send(
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout: float = 10.0,
    total_seconds: float = 30.0,
    check: Callable[[], None] = lambda: None,
) -> int:
    """A small request; the answer's status. Fails with `WebError`, `UntrustedAddress`, or what `check` raises."""
    sized = {"Content-Length": str(len(body)), **headers}
    with exchange(
        method, url, headers=sized, body=body, timeout=timeout, total_seconds=total_seconds, check=check
    ) as response:
        response.read(65_536)
        return response.status


_context: ssl.SSLContext | None = None


def _tls() -> ssl.SSLContext:
    global _context
    if _context is None:
        _context = ssl.create_default_context()
    return _context
