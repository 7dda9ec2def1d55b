"""Weights of a model: a mounted file, or a download that is kept."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Callable
from urllib.parse import urlsplit

from . import web
from .failure import KitError
from .transfer import PIECE, Waiter, digest

_TRIES = 6


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
    `~/.cache/surefoot-kit`), going on after cuts where it stopped. `sha256`: 64 hex digits, which are then checked; without
    them a download prints its own. Fails with `deployment_missing`, in the words of `refusal` where a download is not allowed.
    """
    if not place.startswith(("http://", "https://")):
        path = Path(place).expanduser()
        if not path.is_file():
            raise KitError("deployment_missing", f"There are no weights at {path}.")
        return _checked(path, sha256, report)
    name = Path(urlsplit(place).path).name or "weights"
    cached = Path(os.environ.get("SUREFOOT_KIT_CACHE") or "~/.cache/surefoot-kit").expanduser() / name
    if cached.is_file():
        return _checked(cached, sha256, report)
    if not may_download:
        raise KitError("deployment_missing", refusal)
    cached.parent.mkdir(parents=True, exist_ok=True)
    # Workers may share a volume: each downloads for itself, the last to finish replaces a file that is the same.
    part = cached.with_name(f"{name}.{os.getpid()}.part")
    try:
        _download(place, part, report, waiter)
        found = digest(part)
        if sha256 is not None and found != sha256.lower():
            raise KitError("deployment_missing", f"The weights' SHA-256 is {found}, {sha256} was expected.")
        print(f"surefoot-kit: {name}: {part.stat().st_size} bytes, SHA-256 {found}", flush=True)
        os.replace(part, cached)
    finally:
        part.unlink(missing_ok=True)
    return cached


def _checked(path: Path, sha256: str | None, report: Callable[..., None]) -> Path:
    if sha256 is not None:
        report("check", 0.0)
        found = digest(path)
        if found != sha256.lower():
            raise KitError("deployment_missing", f"The SHA-256 of {path.name} is {found}, {sha256} was expected.")
    return path


def _download(url: str, part: Path, report: Callable[..., None], waiter: Waiter) -> None:
    words, have = "", 0
    part.unlink(missing_ok=True)
    for number in range(_TRIES):
        if number > 0:
            waiter.wait(2.0**number, lambda: report("download", 0.0))
        try:
            headers = {"Range": f"bytes={have}-"} if have > 0 else {}
            with web.exchange("GET", url, headers=headers, timeout=60.0, redirects=5) as response:
                if response.status == 200:
                    have = 0
                elif response.status != 206 or have == 0:
                    words = f"it answered {response.status}"
                    if response.status < 500 and response.status not in (408, 429):
                        break
                    continue
                total = _total(response.headers.get("Content-Range"), response.headers.get("Content-Length"), have)
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
    raise KitError("deployment_missing", f"The weights at {url} could not be downloaded: {words}.")


def _total(span: str | None, length: str | None, have: int) -> int | None:
    stated = re.search(r"/(\d+)$", span or "")
    if stated is not None:
        return int(stated[1])
    return have + int(length) if length is not None and length.isdigit() else None
