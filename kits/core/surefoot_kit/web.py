"""HTTP as a kit needs it: one request at a time, streamed both ways, with time limits and without proxies or cookies."""

from __future__ import annotations

import errno
import http.client
import ssl
from contextlib import AbstractContextManager, contextmanager
from typing import Iterable, Iterator, Mapping
from urllib.parse import urljoin, urlsplit

from .failure import plain

_REDIRECTS = 5
# What a file says that is written or read within an exchange, and no socket does.
_OF_DISKS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG})


class WebError(Exception):
    """A request that got no answer: no connection, a cut, a time limit. Worth another try."""


@contextmanager
def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | Iterable[bytes] | None = None,
    timeout: float = 60.0,
    redirects: int = 0,
) -> Iterator[http.client.HTTPResponse]:
    """
    One request; the answer, whatever its status, is read within the `with`. `timeout` in seconds holds for each wait on the
    socket. A body that is no bytes needs a Content-Length. An answer that comes before the whole body was taken is an
    answer (a server that refuses need not read 66 MB). Fails with `WebError`, also where the `with` reads and is cut; a full disk
    stays the `OSError` that it is.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WebError(f"This is no http or https address: {plain(url)}")
    connection: http.client.HTTPConnection
    try:
        port = parts.port
    except ValueError as error:
        raise WebError(f"This address has no valid port: {plain(url)}") from error
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.hostname, port, timeout=timeout, context=_tls())
    else:
        connection = http.client.HTTPConnection(parts.hostname, port, timeout=timeout)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    try:
        cut: OSError | None = None
        try:
            connection.request(method, target, body=body, headers={"User-Agent": "surefoot-kit", **(headers or {})})
        except (BrokenPipeError, ConnectionResetError, ConnectionAbortedError) as error:
            cut = error
        try:
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise cut or error
        location = response.headers.get("Location")
        if redirects > 0 and method == "GET" and response.status in (301, 302, 303, 307, 308) and location:
            connection.close()
            with exchange(method, urljoin(url, location), headers=headers, timeout=timeout, redirects=redirects - 1) as last:
                yield last
            return
        yield response
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and error.errno in _OF_DISKS:
            raise
        raise WebError(f"{place}: {type(error).__name__}: {plain(str(error))}".rstrip(": ")) from error
    finally:
        connection.close()


def get(url: str, *, timeout: float = 60.0) -> AbstractContextManager[http.client.HTTPResponse]:
    """GET, through up to five redirects."""
    return exchange("GET", url, timeout=timeout, redirects=_REDIRECTS)


def send(method: str, url: str, body: bytes, headers: Mapping[str, str], *, timeout: float = 10.0) -> int:
    """A small request; the answer's status. Fails with `WebError`."""
    with exchange(method, url, headers={"Content-Length": str(len(body)), **headers}, body=body, timeout=timeout) as response:
        response.read(65_536)
        return response.status


_context: ssl.SSLContext | None = None


def _tls() -> ssl.SSLContext:
    global _context
    if _context is None:
        _context = ssl.create_default_context()
    return _context
