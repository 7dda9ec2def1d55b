"""Which device a model runs on. Nothing falls back by itself: a run that takes minutes instead of seconds is a failure."""

from __future__ import annotations

import os

from .failure import KitError


def choose_device() -> str:
    """`cuda`; or `cpu` where `SUREFOOT_KIT_DEVICE` says so. Fails with `no_gpu`, `deployment_missing` for another word."""
    wanted = os.environ.get("SUREFOOT_KIT_DEVICE") or "cuda"
    if wanted == "cpu":
        return "cpu"
    if wanted != "cuda":
        raise KitError("deployment_missing", f'SUREFOOT_KIT_DEVICE is "{wanted}"; it may be "cuda" or "cpu".')
    import torch

    if not torch.cuda.is_available():
        words = "No CUDA GPUs are available to PyTorch in this worker; SUREFOOT_KIT_DEVICE=cpu would run without."
        raise KitError("no_gpu", words, poisoned=True)
    return "cuda"
