"""Surefoot's kit as a worker of RunPod Serverless."""

import asyncio
import shutil
import threading

import runpod
import surefoot_kit


class Updates:
    """
    Progress of one job, one update at a time. RunPod sends each from a thread of its own, and one that arrives after the
    result replaces it: so the result waits for the last.
    """

    def __init__(self, job: dict) -> None:
        self._job = job
        self._under_way: list = []

    def send(self, progress: surefoot_kit.Progress) -> None:
        if any(thread.is_alive() for thread in self._under_way):
            return
        before = threading.enumerate()
        runpod.serverless.progress_update(self._job, progress.to_json())
        self._under_way = [thread for thread in threading.enumerate() if thread not in before]

    def finish(self) -> None:
        for thread in self._under_way:
            thread.join(timeout=30)


async def handler(job: dict) -> dict:
    stop, updates = threading.Event(), Updates(job)

    def work() -> surefoot_kit.Result:
        result = surefoot_kit.run(job["input"], run_id=job["id"], report=updates.send, cancelled=stop.is_set)
        updates.finish()
        return result

    # In a thread: RunPod stops a job, and fetches others, on the loop that would be blocked.
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        result = await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        # The GPU is busy until the run has seen it.
        await asyncio.wait([running])
        raise
    if result.path is not None:
        # A job without an upload, by hand: 66 MB would not fit into RunPod's answer.
        shutil.rmtree(result.path.parent, ignore_errors=True)
    # `error` must be a text: RunPod takes anything else for a success without an output.
    answer = {"error": str(result.failure)} if result.failure else result.to_json()
    return {**answer, "refresh_worker": True} if result.poisoned else answer


if __name__ == "__main__":
    try:
        surefoot_kit.load()
    except surefoot_kit.KitError as error:
        # Jobs try again and tell the gateway why; a worker that dies here looks like a queue that does not move.
        print(error, flush=True)
    runpod.serverless.start({"handler": handler})
