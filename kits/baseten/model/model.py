"""Surefoot's kit as a Truss model for Baseten."""

import os
import shutil
import signal
import threading

import surefoot_kit
from fastapi import HTTPException, Request

LAST_ANSWER_SECONDS = 5.0
"""How long a server whose GPU is broken stays up, so that its last answer gets out."""


class Model:
    def __init__(self, **kwargs: object) -> None:
        self._is_broken = False

    def load(self) -> None:
        try:
            surefoot_kit.load()
        except surefoot_kit.KitError as error:
            # Requests try again and tell the gateway why; a replica that never loads looks like a queue.
            print(error, flush=True)

    def predict(self, model_input: dict, request: Request) -> dict:
        result = surefoot_kit.run(
            model_input,
            run_id=request.headers.get("x-baseten-request-id"),
            report=lambda progress: print(progress.to_log_line(), flush=True),
        )
        if result.poisoned:
            self._is_broken = True
            threading.Timer(LAST_ANSWER_SECONDS, os.kill, (os.getpid(), signal.SIGTERM)).start()
        if result.path is not None:
            shutil.rmtree(result.path.parent, ignore_errors=True)
        if result.failure is not None:
            # Truss hides the words of any other exception. 502 to 504 would make Baseten's router run it again.
            status = 422 if result.failure.code in ("input_invalid", "input_too_large") else 500
            raise HTTPException(status_code=status, detail=str(result.failure))
        return result.to_json()

    def is_healthy(self) -> bool:
        return not self._is_broken
