"""Why a run ended badly, in the codes that Surefoot's gateway knows."""

from __future__ import annotations

import errno
import json
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Mapping

_LIST: Mapping[str, Mapping[str, str]] = json.loads(
    files("surefoot_kit").joinpath("failure-codes.json").read_text("utf-8")
)

CODES: frozenset[str] = frozenset(_LIST)
"""The closed list of failure codes: the gateway's own file, `src/core/failure-codes.json`, as package data."""

_LONGEST_MESSAGE = 1000


@dataclass(frozen=True)
class Failure:
    """Why a run ended badly. `str(failure)` is the one line that providers carry to the gateway: `[surefoot:CODE] message`."""

    code: str
    message: str
    """One sentence. Holds no signed address: of URLs only their origin is kept."""
    poisoned: bool = False
    """True where this worker will fail again whatever it is given (broken CUDA context, no GPU, full disk): end it."""

    @property
    def fault(self) -> str:
        """Who has to act: `user`, `model`, `provider`, `config`, `policy` or `surefoot`."""
        return _LIST[self.code]["fault"]

    @property
    def advice(self) -> str:
        """One sentence: what to do next."""
        return _LIST[self.code]["advice"]

    def __str__(self) -> str:
        return f"[surefoot:{self.code}] {self.message}"


class KitError(Exception):
    """An expected end of a run, with its code. Models raise it to choose the code; `ValueError` for one that is not in the list."""

    def __init__(self, code: str, message: str, *, poisoned: bool = False) -> None:
        if code not in CODES:
            raise ValueError(f'"{code}" is not in Surefoot\'s list of failure codes')
        self.failure = Failure(code, plain(message), poisoned)
        super().__init__(str(self.failure))


# What PyTorch, CUDA's libraries and the driver say, most telling first. Sources: pytorch/pytorch (c10/cuda/CUDAException,
# c10/cuda/CUDACachingAllocator, torch/cuda/__init__.py), CUDA's own error strings (cudaGetErrorString).
_NO_GPU = re.compile(
    r"no CUDA GPUs are available|Found no NVIDIA driver|not compiled with CUDA|driver version is insufficient"
    r"|driver on your system is too old|no kernel image is available|CUDA unknown error|no CUDA-capable device",
    re.I,
)
_MEMORY = re.compile(r"out of memory|can't allocate memory|CU(BLAS|DNN|SOLVER)_STATUS_ALLOC_FAILED", re.I)
_BROKEN = re.compile(
    r"device-side assert|illegal memory access|unspecified launch failure|misaligned address|illegal instruction"
    r"|uncorrectable ECC|CUDA error|(CUBLAS|CUSOLVER)_STATUS_(EXECUTION_FAILED|INTERNAL_ERROR|NOT_INITIALIZED)"
    r"|CUDNN_STATUS_(EXECUTION_FAILED|INTERNAL_ERROR|MAPPING_ERROR)",
    re.I,
)


def classify(error: BaseException) -> Failure:
    """The failure that an exception stands for; what nobody knows is `model_error` in the exception's own words."""
    if isinstance(error, KitError):
        return error.failure
    name, words = type(error).__name__, plain(str(error))
    said = f"{name}: {words}" if words else name
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or _MEMORY.search(words):
        return Failure("out_of_memory", f"The model ran out of memory: {said}")
    if _NO_GPU.search(words):
        return Failure("no_gpu", f"The model found no GPU that it can use: {said}", poisoned=True)
    if _BROKEN.search(words) or name == "AcceleratorError":
        # A CUDA context that is broken stays broken: every later call in this process fails too.
        return Failure("worker_lost", f"The GPU's context broke, the worker must be replaced: {said}", poisoned=True)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failure("provider_error", f"The worker's disk is full: {said}", poisoned=True)
    return Failure("model_error", said)


def plain(text: str) -> str:
    """A text on one line, short, with nothing but the origin of each URL in it: signed addresses are secrets."""
    text = re.sub(r"data:[\w/+.-]*[;,][^\s\"'<>]*", "data:…", text[: 16 * _LONGEST_MESSAGE])
    text = re.sub(r"(https?://)(?:[^\s/\"'<>?#@]*@)?([^\s/\"'<>?#]+)[^\s\"'<>]*", r"\1\2/…", text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
