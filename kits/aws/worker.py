"""Surefoot's kit in a container of AWS: `worker.py task` is one task of ECS, `worker.py serve` an endpoint of SageMaker."""

import json
import os
import signal
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import surefoot_kit
from surefoot_kit import web

PORT = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
LAST_ANSWER_SECONDS = 5.0
"""How long an endpoint whose GPU is broken stays up, so that its last answer gets out."""
TRIES = 4


def fetch_json(url: str) -> dict:
    """What lies at an address that AWS or the gateway has put into the environment, with new tries; the last error passes through."""
    for number in range(TRIES):
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)
        except OSError:
            if number + 1 == TRIES:
                raise
            time.sleep(2**number)
    raise AssertionError


def whole_job(job: dict) -> dict:
    """A job, or what lies where it says that the rest is: not within the worker's own network, unless that is allowed."""
    place = job.get("surefoot", {}).get("input")
    if place is None:
        return job
    with web.get(place["url"]) as response:
        if response.status != 200:
            raise web.WebError(f"the input's address answered {response.status}")
        return json.load(response)


def task() -> int:
    """One run; its exit code. SIGTERM, which StopTask sends, ends it between its stages."""
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    given = os.environ.get("SUREFOOT_INPUT")
    job = json.loads(given) if given is not None else fetch_json(os.environ["SUREFOOT_INPUT_URL"])
    metadata = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
    run_id = fetch_json(f"{metadata}/task")["TaskARN"] if metadata else None
    result = surefoot_kit.run(job, run_id=run_id, report=show, cancelled=stopped.is_set)
    print(json.dumps(result.to_json()), flush=True)
    return 0 if result.status in ("succeeded", "skipped") else 1


class Endpoint(BaseHTTPRequestHandler):
    """
    SageMaker's container contract. A failed run is answered with 200 as well: its report is in the bucket, and containers that answer
    500 get no further requests.
    """

    def do_GET(self) -> None:
        self.answer({"status": "ok"})

    def do_POST(self) -> None:
        job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        run_id = self.headers.get("X-Amzn-SageMaker-Inference-Id") or job.get("surefoot", {}).get("attempt")
        result = surefoot_kit.run(whole_job(job), run_id=run_id, report=show)
        self.answer(result.to_json())
        if result.poisoned:
            threading.Timer(LAST_ANSWER_SECONDS, os._exit, (1,)).start()

    def answer(self, value: dict) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        # SageMaker refuses answers without it.
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        """Pings come every few seconds: nothing is logged but the runs."""


def serve() -> int:
    """Loads the model, then answers until it is ended."""
    try:
        surefoot_kit.load()
    except surefoot_kit.KitError as error:
        # Runs try again and tell the gateway why; a container that is never healthy tells nothing.
        print(error, flush=True)
    # Threads: pings are answered while a run works.
    ThreadingHTTPServer(("0.0.0.0", PORT), Endpoint).serve_forever()
    return 0


def show(progress: surefoot_kit.Progress) -> None:
    """Into the log; the gateway reads the reports in the bucket."""
    print(progress.to_log_line(), flush=True)


if __name__ == "__main__":
    sys.exit(serve() if sys.argv[1:] == ["serve"] else task())
