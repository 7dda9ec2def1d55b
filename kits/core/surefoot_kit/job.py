"""What the gateway's adapters send to a kit: the model's input, and a part of ours under the key `surefoot`."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import Any, Mapping

from .failure import KitError

KEY = "surefoot"
"""Key in the input that holds what is Surefoot's. Source: `src/providers/kit.ts` and `src/providers/aws/kit.ts`."""

SECRET = "SUREFOOT_KIT_SECRET"
"""Environment: what the gateway has as `kitSecret`. Without it any job is run."""


@dataclass(frozen=True)
class Job:
    """One run, as it was sent."""

    source: Any
    """The input file, not checked yet: see `download`."""
    options: Mapping[str, Any]
    """The model's other inputs."""
    attempt: str | None
    """The attempt's id, by which the gateway knows the run."""
    upload: str | None
    """Where to PUT the output. None: the provider itself takes the file (Replicate), see `Result.path`."""
    hello: str | None
    """Where to say hello; None where the gateway cannot be called."""
    state: str | None
    """Where to PUT reports (AWS)."""
    claim: str | None
    """What to claim before anything else, where the provider may deliver twice (AWS)."""
    proof: str | None = None
    """That the gateway made this job: see `check_proof`."""


def parse_job(data: Mapping[str, Any], field: str = "image") -> Job:
    """
    Reads the wire form: `{ image, ...options, surefoot?: { attempt, upload: { url }, hello?, state?: { url }, claim?: { url }, proof? } }`,
    or, on Replicate, `surefoot_attempt` instead of `surefoot`. `field` names the input file. Fails with `input_invalid`.
    """
    if not isinstance(data, Mapping):
        raise KitError("input_invalid", "The job's input is not an object.")
    options = {str(name): value for name, value in data.items() if value is not None}
    ours = options.pop(KEY, None)
    attempt = options.pop("surefoot_attempt", None)
    source = options.pop(field, None)
    if ours is None:
        ours = {}
    if not isinstance(ours, Mapping):
        raise KitError("input_invalid", f'The key "{KEY}" of the input is not an object.')
    return Job(
        source=source,
        options=options,
        attempt=_text(ours.get("attempt", attempt), "attempt"),
        upload=_url(ours.get("upload"), "upload"),
        hello=_text(ours.get("hello"), "hello"),
        state=_url(ours.get("state"), "state"),
        claim=_url(ours.get("claim"), "claim"),
        proof=_text(ours.get("proof"), "proof"),
    )


def check_proof(job: Job) -> None:
    """
    Where the environment has `SUREFOOT_KIT_SECRET`, a job needs `surefoot.proof`: HMAC-SHA256 under that secret, in hex, of the
    attempt's id, the input file's URL, the upload's and the hello's with newlines between them, as the adapters of `cog` and
    `koyeb` send it (`src/providers/kit.ts`). Fails with `deployment_missing`; so does a secret that is empty.
    """
    secret = os.environ.get(SECRET)
    if secret is None:
        return
    if secret == "":
        raise KitError("deployment_missing", f"{SECRET} of the worker is empty: it takes no job. Set it, or remove it.")
    source = job.source if isinstance(job.source, str) else ""
    proved = "\n".join([job.attempt or "", source, job.upload or "", job.hello or ""])
    expected = hmac.new(_bytes(secret), _bytes(proved), hashlib.sha256).hexdigest()
    # The proof speaks of no other addresses.
    is_whole = job.state is None and job.claim is None
    if not (is_whole and hmac.compare_digest(_bytes(expected), _bytes(job.proof or ""))):
        words = f"The job has no proof that it comes from the gateway: its kitSecret must be {SECRET} of the worker."
        raise KitError("deployment_missing", words)


def _bytes(text: str) -> bytes:
    # A text of JSON may hold half a surrogate pair.
    return text.encode("utf-8", "surrogatepass")


def _url(value: Any, name: str) -> str | None:
    if value is None:
        return None
    url = value.get("url") if isinstance(value, Mapping) else None
    if not isinstance(url, str):
        raise KitError("input_invalid", f'"{KEY}.{name}.url" is not a text.')
    return url


def _text(value: Any, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise KitError("input_invalid", f'"{KEY}.{name}" is not a text.')
