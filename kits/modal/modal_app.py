"""Surefoot's kit as a Modal app: a function for the SDK, and a web endpoint. `modal deploy modal_app.py` (modal 1.2 or later)."""

import modal

APP = "surefoot-kit"
CACHE = "/cache"

image = (
    modal.Image.debian_slim(python_version="3.12")
    .pip_install("fastapi[standard]==0.165.0")
    .pip_install_from_requirements("requirements.txt")
    .env({"SUREFOOT_KIT_MODEL": "sharp", "SUREFOOT_KIT_CACHE": CACHE})
    .add_local_dir(".", "/root", ignore=["**/__pycache__", "*.md", "requirements.txt"])
)
app = modal.App(APP, image=image)
weights = modal.Volume.from_name(f"{APP}-weights", create_if_missing=True)


@app.cls(
    gpu="L4",  # GPU
    cpu=2.0,
    memory=16 * 1024,
    volumes={CACHE: weights},
    # Above the policy's runMs (10 minutes by default), which is to be what ends a run.
    timeout=900,
    # The first start downloads the weights.
    startup_timeout=1200,
    scaledown_window=60,
    # What `prepare` has imported is there at once in every later container.
    enable_memory_snapshot=True,
)
class Kit:
    @modal.enter(snap=True)
    def prepare(self) -> None:
        try:
            import torch  # noqa: F401
        except ImportError:
            pass
        import surefoot_kit  # noqa: F401

    @modal.enter(snap=False)
    def load(self) -> None:
        import surefoot_kit

        try:
            surefoot_kit.load()
            weights.commit()
        except surefoot_kit.KitError as error:
            # Calls try again and tell the gateway why; a container that dies here is started again without end.
            print(error, flush=True)

    @modal.method()
    def predict(self, **job: object) -> dict:
        """For `modal({ tokenId, tokenSecret })`: target `{ app, function: 'Kit.predict', kit: true }`."""
        result = self._run(job)
        result.raise_for_failure()
        return result.to_json()

    @modal.fastapi_endpoint(method="POST", requires_proxy_auth=True)
    def web(self, job: dict) -> dict:
        """For `modal({ mode: 'web' })`: target `{ url, kit: true }`."""
        from fastapi import HTTPException

        result = self._run(job)
        if result.failure is not None:
            raise HTTPException(status_code=500, detail=str(result.failure))
        return result.to_json()

    def _run(self, job: dict):
        import shutil

        import surefoot_kit
        from modal.experimental import stop_fetching_inputs

        result = surefoot_kit.run(
            job,
            run_id=modal.current_function_call_id(),
            report=lambda progress: print(progress.to_log_line(), flush=True),
        )
        if result.path is not None:
            shutil.rmtree(result.path.parent, ignore_errors=True)
        if result.poisoned:
            # The container ends after this answer; the next call gets another.
            stop_fetching_inputs()
        return result

    @modal.exit()
    def end(self) -> None:
        print("surefoot-kit: the container ends", flush=True)
