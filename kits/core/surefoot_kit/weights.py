"""Weights of a model: a mounted file, or a download that is kept."""

from __future__ import annotations

import hashlib
import os
import re
from email.message import Message
from pathlib import Path
from typing import Callable
from urllib.parse import urlsplit

from . import web
from .address import AddressError, parse_url
from .failure import KitError
from .transfer import PIECE, Waiter, digest

_TRIES = 6
_TRY_SECONDS = 3600.0


def find_weights(
    place: str,
    *,
    sha256: str | None = None,
    may_download: bool = True,
    refusal: str = "",
    report: Callable[..., None] = lambda stage, fraction=0.0: None,
    waiter: Waiter = Waiter(),
) -> Path:
    """
    The file at `place`: a path, or an http(s) URL that is downloaded once into `SUREFOOT_KIT_CACHE` (default
    `~/.cache/surefoot-kit`), going on after cuts where it stopped if the server says that it is the same file. It is kept under
    its checksum, else under its URL's. `sha256`: 64 hex digits, which are then checked (a kept file of others is downloaded anew);
    without them a download prints its own. Fails with `deployment_missing`, in the words of `refusal` where a download is not allowed.
    """
    if not place.startswith(("http://", "https://")):
        path = Path(place).expanduser()
        if not path.is_file():
            raise KitError("deployment_missing", f"There are no weights at {path}.")
        return _checked(path, sha256, report)
    try:
        source = parse_url(place)
    except AddressError as error:
        raise KitError("deployment_missing", f"The weights cannot be downloaded: {error}.") from error
    key = sha256.lower() if sha256 is not None else hashlib.sha256(place.encode()).hexdigest()
    # Not the name alone: another version's file has the same.
    name = f"{key[:16]}-{Path(urlsplit(place).path).name or 'weights'}"
    cached = Path(os.environ.get("SUREFOOT_KIT_CACHE") or "~/.cache/surefoot-kit").expanduser() / name
    if cached.is_file() and (sha256 is None or _digest(cached, report) == sha256.lower()):
        return cached
    if not may_download:
        raise KitError("deployment_missing", refusal)
    cached.parent.mkdir(parents=True, exist_ok=True)
    # Workers may share a volume: each downloads for itself, the last to finish replaces a file that is the same.
    part = cached.with_name(f"{name}.{os.getpid()}.part")
    try:
        _download(place, source.origin, part, report, waiter)
        found = digest(part)
        if sha256 is not None and found != sha256.lower():
            raise KitError("deployment_missing", f"The weights' SHA-256 is {found}, {sha256} was expected.")
        print(f"surefoot-kit: {name}: {part.stat().st_size} bytes, SHA-256 {found}", flush=True)
        os.replace(part, cached)
    finally:
        part.unlink(missing_ok=True)
    return cached


def _checked(path: Path, sha256: str | None, report: Callable[..., None]) -> Path:
    if sha256 is not None and (found := _digest(path, report)) != sha256.lower():
        raise KitError("deployment_missing", f"The SHA-256 of {path.name} is {found}, {sha256} was expected.")
    return path


def _digest(path: Path, report: Callable[..., None]) -> str:
    report("check", 0.0)
    return digest(path)


def _download(url: str, origin: str, part: Path, report: Callable[..., None], waiter: Waiter) -> None:
    words, have, same = "", 0, None
    part.unlink(missing_ok=True)
    for number in range(_TRIES):
        if number > 0:
            waiter.wait(2.0**number, lambda: report("download", 0.0))
        # What was begun is gone on with only if the server can tell that it still has the same file.
        have = have if same is not None else 0
        headers: dict[str, str] = {"Range": f"bytes={have}-", "If-Range": same} if have > 0 and same is not None else {}
        try:
            # The worker's owner has set this address: it may be private.
            with web.exchange(
                "GET", url, headers=headers, timeout=60.0, total_seconds=_TRY_SECONDS, redirects=5, guarded=False
            ) as response:
                span = response.headers.get("Content-Range")
                if response.status == 200:
                    have, same = 0, _validator(response.headers)
                elif response.status == 206 and have > 0 and not (span or "").startswith(f"bytes {have}-"):
                    words, same = "it went on at another place than asked for", None
                    continue
                elif response.status != 206 or have == 0:
                    words = f"it answered {response.status}"
                    # 416: what is there now is shorter than what was begun.
                    if response.status < 500 and response.status not in (408, 416, 429):
                        break
                    same = None if response.status == 416 else same
                    continue
                total = _total(span, response.headers.get("Content-Length"), have)
                with part.open("r+b" if have > 0 else "wb") as file:
                    file.seek(have)
                    while piece := response.read1(PIECE):
                        file.write(piece)
                        have += len(piece)
                        report("download", have / total if total else 0.0)
                if total is None or have == total:
                    return
                words = f"it ended after {have} of {total} bytes"
        except web.WebError as error:
            words = str(error)
    raise KitError("deployment_missing", f"The weights could not be downloaded from {origin} ({words}).")


def _validator(headers: Message) -> str | None:
    """What If-Range may hold (RFC 9110, 13.1.5): a strong entity tag, else the date of the last change."""
    tag = headers.get("ETag")
    return tag if tag is not None and tag.startswith('"') else headers.get("Last-Modified")


def _total(span: str | None, length: str | None, have: int) -> int | None:
    stated = re.search(r"/(\d+)$", span or "")
    if stated is not None:
        return int(stated[1])
    return have + int(length) if length is not None and length.isdigit() else None
