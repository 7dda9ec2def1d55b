"""Short messages of a run to the gateway: hello, claim, state. None of them may end a run by its failure but a claim."""

from __future__ import annotations

import json
import threading
from typing import Any, Mapping

from . import web
from .address import UntrustedAddress
from .failure import KitError
from .transfer import Check, Waiter

_JSON = {"Content-Type": "application/json"}
_HELLO_TRIES = 3


def say_hello(url: str, run_id: str, waiter: Waiter = Waiter()) -> threading.Thread:
    """
    Tells the gateway the vendor's id of this run, in the background: that is how a start is found whose answer was lost. Up to
    three tries; its failure is ignored. Answers the thread, which nobody needs to wait for.
    """
    body = json.dumps({"surefoot": "hello", "id": run_id}).encode()

    def tries() -> None:
        for number in range(_HELLO_TRIES):
            try:
                if web.send("POST", url, body, _JSON) < 500:
                    return
            except web.WebError:
                pass
            except UntrustedAddress as error:
                print(error, flush=True)
                return
            if number + 1 < _HELLO_TRIES:
                waiter.wait(2.0 * 4**number, lambda: None)

    thread = threading.Thread(target=tries, name="surefoot-hello", daemon=True)
    thread.start()
    return thread


def claim(url: str, run_id: str, check: Check, waiter: Waiter = Waiter()) -> bool:
    """
    True when this delivery of the attempt has it; false when another one has (412), or Surefoot itself, to cancel it. A 412
    after a try whose answer was lost counts as our own: two that work cost money, none that works costs the attempt. Where
    the place cannot be asked, `provider_unreachable`.
    """
    words, maybe_ours = "", False
    for number in range(4):
        try:
            headers = {"If-None-Match": "*", "Content-Type": "text/plain"}
            status = web.send("PUT", url, run_id.encode(), headers, check=check)
        except web.WebError as error:
            words, maybe_ours = str(error), True
        else:
            if 200 <= status < 300:
                return True
            if status == 412:
                return maybe_ours
            words = f"the place answered {status}"
            maybe_ours = maybe_ours or status >= 500
            # 409: S3 says so while two claims run at the same time; asking again tells who won.
            if status < 500 and status not in (408, 409, 429):
                break
        waiter.wait(2.0**number, check)
    raise KitError("provider_unreachable", f"The attempt could not be claimed: {words}.")


class StateWriter:
    """
    PUTs a run's reports to `state.url` (AWS) from a thread of its own, the newest only, so that a slow bucket holds up no
    model; `finish` writes the last one after all others. Without a URL it does nothing.
    """

    def __init__(self, url: str | None, waiter: Waiter = Waiter()) -> None:
        self._url, self._waiter = url, waiter
        self._next: Mapping[str, Any] | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="surefoot-state", daemon=True)
        if url is not None:
            self._thread.start()

    def put(self, state: Mapping[str, Any]) -> None:
        """Takes a report; does not wait."""
        with self._changed:
            self._next = state
            self._changed.notify()

    def close(self) -> None:
        """Writes nothing any more; ends the thread."""
        with self._changed:
            self._closed, self._next = True, None
            self._changed.notify()

    def finish(self, state: Mapping[str, Any]) -> bool:
        """Writes the last report, with several tries; whether it was taken."""
        if self._url is None:
            return True
        self.close()
        self._thread.join()
        return _put(self._url, state, 5, self._waiter)

    def _run(self) -> None:
        assert self._url is not None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next is not None)
                if self._closed or self._next is None:
                    return
                state, self._next = self._next, None
            _put(self._url, state, 1, self._waiter)


def _put(url: str, state: Mapping[str, Any], tries: int, waiter: Waiter) -> bool:
    body = json.dumps(state).encode()
    for number in range(tries):
        try:
            if web.send("PUT", url, body, _JSON) < 300:
                return True
        except web.WebError:
            pass
        except UntrustedAddress:
            return False
        if number + 1 < tries:
            waiter.wait(2.0**number, lambda: None)
    return False
