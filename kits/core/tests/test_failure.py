from __future__ import annotations

import errno
from pathlib import Path

import pytest

from surefoot_kit import CODES, Failure, KitError, classify
from surefoot_kit import failure as module

GATEWAYS_LIST = Path(__file__).parents[3] / "src/core/failure-codes.json"


def test_the_list_of_codes_is_the_gateways_byte_for_byte() -> None:
    if not GATEWAYS_LIST.exists():
        pytest.skip("the gateway's sources are not beside the kits: nothing to compare with")
    assert Path(module.__file__).with_name("failure-codes.json").read_bytes() == GATEWAYS_LIST.read_bytes()


class OutOfMemoryError(RuntimeError):
    pass


class AcceleratorError(RuntimeError):
    pass


@pytest.mark.parametrize(
    ("error", "code", "poisoned"),
    [
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "out_of_memory", False),
        (RuntimeError("CUDA error: out of memory"), "out_of_memory", False),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), "out_of_memory", False),
        (MemoryError(), "out_of_memory", False),
        (RuntimeError("Found no NVIDIA driver on your system."), "no_gpu", True),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), "no_gpu", True),
        (AssertionError("Torch not compiled with CUDA enabled"), "no_gpu", True),
        (RuntimeError("CUDA error: device-side assert triggered"), "worker_lost", True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "worker_lost", True),
        (AcceleratorError("unknown"), "worker_lost", True),
        (OSError(errno.ENOSPC, "No space left on device"), "provider_error", True),
        (ValueError("mat1 and mat2 shapes cannot be multiplied"), "model_error", False),
        (KitError("input_invalid", "There is no face in it."), "input_invalid", False),
    ],
)
def test_an_exception_is_read_as_what_it_stands_for(error: Exception, code: str, poisoned: bool) -> None:
    failure = classify(error)
    assert (failure.code, failure.poisoned) == (code, poisoned)
    assert failure.code in CODES


def test_a_failures_text_carries_its_code_and_its_fault_and_advice_are_the_lists() -> None:
    failure = Failure("out_of_memory", "The model ran out of memory: x")
    assert str(failure) == "[surefoot:out_of_memory] The model ran out of memory: x"
    assert (failure.fault, failure.advice) == ("model", "Use hardware with more memory, or a smaller input.")


def test_a_failures_text_holds_no_signed_address_and_no_inline_file() -> None:
    error = KitError("output_lost", "PUT https://user:pass@files.example/u/1?signature=secret said\nno, data:image/png;base64,AAAA")
    assert str(error) == "[surefoot:output_lost] PUT https://files.example/… said no, data:…"


def test_a_failures_text_stays_short() -> None:
    assert len(classify(ValueError("x" * 1_000_000)).message) < 1100


def test_a_code_that_is_not_in_the_list_is_refused() -> None:
    with pytest.raises(ValueError, match="oom"):
        KitError("oom", "x")
