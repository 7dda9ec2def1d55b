"""Files in and out, in pieces: a run's memory does not grow with them."""

from __future__ import annotations

import base64
import binascii
import email.utils
import hashlib
import http.client
import os
import random
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Literal
from urllib.parse import unquote_to_bytes

from . import web
from .failure import KitError

PIECE = 1 << 20
"""Bytes of one piece."""
MAX_INPUT_BYTES = 50_000_000
"""Largest input file; the gateway takes no larger photo."""
_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0)
_LONGEST_WAIT = 60.0

Check = Callable[[], None]
"""Called between pieces and while waiting; raises to stop."""


@dataclass(frozen=True)
class Waiter:
    """Time, as transfers see it. `wait` sleeps in short naps so that a cancel ends it."""

    clock: Callable[[], float] = time.monotonic
    nap: Callable[[float], None] = time.sleep

    def wait(self, seconds: float, check: Check) -> None:
        """Waits; raises what `check` raises."""
        end = self.clock() + seconds
        while (left := end - self.clock()) > 0:
            check()
            self.nap(min(left, 0.5))
        check()


def download(
    source: object,
    target: Path,
    *,
    max_bytes: int = MAX_INPUT_BYTES,
    total_seconds: float = 120.0,
    check: Check = lambda: None,
    progress: Callable[[float], None] = lambda fraction: None,
    waiter: Waiter = Waiter(),
    tries: int = 4,
) -> int:
    """
    Brings the file at an http(s) or data URL to `target`; its length in bytes. A `Path` (an object, which only a wrapper can
    give; never a text) is copied. Tries again after cuts, time limits, 408, 429 and 5xx, within `total_seconds`. Fails with
    `input_too_large`, `deployment_missing` where it leads into the worker's own network, or `input_invalid` where it cannot be had.
    """
    if isinstance(source, os.PathLike):
        return _copy(Path(source), target, max_bytes)
    if not isinstance(source, str) or not source.startswith(("http://", "https://", "data:")):
        raise KitError("input_invalid", "The input file must be an http, https or data URL.")
    if source.startswith("data:"):
        return _write_data(source, target, max_bytes)
    end = waiter.clock() + total_seconds
    for number in range(tries):
        check()
        pause: float | None = None
        try:
            with web.get(source, timeout=30.0, total_seconds=end - waiter.clock(), check=check) as response:
                if response.status == 200:
                    return _save(response, target, max_bytes, end, check, progress, waiter)
                words = f"it answered {response.status}"
                if not _is_passing(response.status):
                    break
                pause = _retry_after(response.headers.get("Retry-After"))
        except web.WebError as error:
            words = str(error)
        wait = _pause(number, pause)
        if number + 1 == tries or waiter.clock() + wait >= end:
            break
        waiter.wait(wait, check)
    raise KitError("input_invalid", f"The input file could not be fetched: {words}.")


def _save(
    response: http.client.HTTPResponse,
    target: Path,
    max_bytes: int,
    end: float,
    check: Check,
    progress: Callable[[float], None],
    waiter: Waiter,
) -> int:
    stated = response.headers.get("Content-Length")
    length = int(stated) if stated is not None and stated.isdigit() else None
    if length is not None and length > max_bytes:
        raise too_large(length, max_bytes)
    count = 0
    with target.open("wb") as file:
        # `read1` gives what is there: a server that trickles must not hold up the checks.
        while piece := response.read1(PIECE):
            check()
            count += len(piece)
            if count > max_bytes:
                raise too_large(count, max_bytes)
            if waiter.clock() > end:
                raise KitError("input_invalid", "The input file came too slowly and was given up.")
            file.write(piece)
            if length:
                progress(count / length)
    if length is not None and count != length:
        raise web.WebError(f"the file ended after {count} of {length} bytes")
    return count


def too_large(size: int, most: int) -> KitError:
    """For an input file over its limit."""
    return KitError("input_too_large", f"The input file has {size} bytes or more; {most} are allowed.")


def _copy(source: Path, target: Path, max_bytes: int) -> int:
    size = source.stat().st_size
    if size > max_bytes:
        raise too_large(size, max_bytes)
    shutil.copyfile(source, target)
    return size


def _write_data(source: str, target: Path, max_bytes: int) -> int:
    head, comma, body = source.partition(",")
    if not comma:
        raise KitError("input_invalid", "The input's data URL has no comma.")
    if len(body) > 4 * max_bytes:
        raise too_large(len(body) * 3 // 4, max_bytes)
    try:
        data = base64.b64decode(body, validate=True) if head.endswith(";base64") else unquote_to_bytes(body)
    except (binascii.Error, ValueError) as error:
        raise KitError("input_invalid", "The input's data URL is no base64.") from error
    if len(data) > max_bytes:
        raise too_large(len(data), max_bytes)
    target.write_bytes(data)
    return len(data)


@dataclass(frozen=True)
class Uploaded:
    """How an upload ended: `stored`; `exists`, a twin was first (409), which is as good; `over`, nobody needs it (410)."""

    outcome: Literal["stored", "exists", "over"]
    bytes: int
    sha256: str


def digest(path: Path, check: Check = lambda: None) -> str:
    """SHA-256 of a file as 64 hex digits."""
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            check()
            hashed.update(piece)
    return hashed.hexdigest()


def upload(
    path: Path,
    url: str,
    *,
    check: Check = lambda: None,
    progress: Callable[[float], None] = lambda fraction: None,
    waiter: Waiter = Waiter(),
    total_seconds: float = 600.0,
) -> Uploaded:
    """
    PUTs a file from disk with its length and checksum (`x-content-sha256`). Tries again after cuts, time limits, 408, 422 (the
    bytes were changed on their way), 425, 429 and 5xx, with growing waits (1 s to 30 s, or what `Retry-After` says), within
    `total_seconds`. Fails with `output_too_large` (413), `output_lost` for other refusals and when no try is left.
    """
    size, sha256 = path.stat().st_size, digest(path, check)
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Length": str(size),
        "x-content-sha256": sha256,
    }
    end = waiter.clock() + total_seconds
    for number in range(len(_WAITS) + 1):
        check()
        pause: float | None = None
        try:
            body = _pieces(path, size, check, progress)
            left = end - waiter.clock()
            with web.exchange(
                "PUT", url, headers=headers, body=body, timeout=60.0, total_seconds=left, check=check
            ) as response:
                status, words = response.status, _code_in(response.read(2000).decode("utf-8", "replace"))
                pause = _retry_after(response.headers.get("Retry-After"))
        except web.WebError as error:
            status, words = 0, str(error)
        if 200 <= status < 300:
            return Uploaded("stored", size, sha256)
        if status == 409:
            return Uploaded("exists", size, sha256)
        if status == 410:
            return Uploaded("over", size, sha256)
        if status == 413:
            raise KitError("output_too_large", f"The output of {size} bytes was refused as too large.")
        words = words if status == 0 else f"the place answered {status} {words}".rstrip()
        wait = _pause(number, pause)
        if not (status in (0, 422) or _is_passing(status)) or number == len(_WAITS) or waiter.clock() + wait >= end:
            break
        waiter.wait(wait, check)
    raise KitError("output_lost", f"The worker could not upload the output: {words}.")


def _pieces(path: Path, size: int, check: Check, progress: Callable[[float], None]) -> Iterator[bytes]:
    sent = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            check()
            yield piece
            sent += len(piece)
            progress(sent / size)


def _code_in(answer: str) -> str:
    """The word for a refusal, as S3 or the gateway gives it. The rest of an answer may repeat the request and its signature."""
    found = re.search(r'<Code>(\w{1,60})</Code>|"code"\s*:\s*"(\w{1,60})"', answer)
    return (found[1] or found[2]) if found else ""


def _is_passing(status: int) -> bool:
    """Whether a status may be another one soon. 507: the gateway's disk is full; somebody may free space."""
    return status in (408, 425, 429) or status >= 500


def _pause(number: int, asked: float | None) -> float:
    if asked is not None:
        return min(asked, _LONGEST_WAIT)
    # Workers that were cut off together must not come back together.
    return _WAITS[min(number, len(_WAITS) - 1)] * random.uniform(0.5, 1.0)


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
