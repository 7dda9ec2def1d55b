"""Surefoot's kit as a Cog model: for Replicate, and for any machine that runs its image."""

import json
import os
import shutil
import signal
import tempfile
import threading
from typing import Optional

import surefoot_kit
from cog import BaseRunner, Input, Path

LAST_ANSWER_SECONDS = 20.0
"""How long a server whose GPU is broken stays up, so that its last answer gets out."""


class Runner(BaseRunner):
    def setup(self) -> None:
        self.answered = None
        try:
            surefoot_kit.load()
        except surefoot_kit.KitError as error:
            # Runs try again and tell the gateway why; a setup that fails tells it nothing.
            print(error, flush=True)

    def run(
        self,
        # A text, not a Path: the kit fetches it itself, with limits and new tries, after it has said hello.
        image: str = Input(description="http(s) or data URL of the photo"),
        focal_length: Optional[float] = Input(default=None, description="Millimetres as on 35 mm film, instead of EXIF's"),
        surefoot: Optional[dict] = Input(default=None, description="Set by Surefoot: attempt, upload, hello"),
        surefoot_attempt: Optional[str] = Input(default=None, description="Set by Surefoot on Replicate"),
    ) -> Path:
        job = {"image": image, "focal_length": focal_length, "surefoot": surefoot, "surefoot_attempt": surefoot_attempt}
        # Cog tells nobody when it has taken a file away; at the next run it surely has.
        if self.answered is not None:
            shutil.rmtree(self.answered, ignore_errors=True)
            self.answered = None
        result = surefoot_kit.run(
            job,
            # Cog tells a model no id. The gateway's adapter knows this run by the attempt.
            run_id=(surefoot or {}).get("attempt"),
            report=lambda progress: print(progress.to_log_line(), flush=True),
        )
        if result.poisoned:
            threading.Timer(LAST_ANSWER_SECONDS, end_server).start()
        result.raise_for_failure()
        if result.path is not None:
            # On Replicate Cog itself takes the file.
            self.answered = result.path.parent
            return Path(result.path)
        # Uploaded: Cog wants a file even so, and nobody reads this one.
        answer = os.path.join(tempfile.gettempdir(), "surefoot.json")
        with open(answer, "w", encoding="utf-8") as file:
            json.dump(result.to_json(), file)
        return Path(answer)


def end_server() -> None:
    """The worker's parent is the server: its end is what a supervisor sees, and answers with a fresh container."""
    os.kill(os.getppid(), signal.SIGTERM)
