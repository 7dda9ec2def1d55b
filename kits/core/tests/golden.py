"""Numbers of Apple's own functions, where they are at hand: see the README of the folder."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_PLACES = [os.environ.get("SUREFOOT_GOLDEN"), *(str(up / "shared/golden") for up in Path(__file__).parents)]


@dataclass
class Golden:
    """What SHARP's network might give, and the file that Apple's functions make of it."""

    mean_vectors: Any
    singular_values: Any
    quaternions: Any
    colors: Any
    opacities: Any
    width: int
    height: int
    focal_px: float
    rows: Any
    disparity: tuple[float, float]


def read_golden() -> Golden:
    """The golden data as tensors; skips where they or PyTorch are not there."""
    numpy = pytest.importorskip("numpy", reason="NumPy is not installed")
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: SHARP's unprojection cannot run")
    found = [Path(place, "sharp-postprocess") for place in _PLACES if place]
    folder = next((place for place in found if place.is_dir()), None)
    if folder is None:
        pytest.skip("golden/sharp-postprocess is not here (SUREFOOT_GOLDEN names its folder): nothing of Apple's to compare with")
    manifest = json.loads((folder / "manifest.json").read_text())
    arrays = {
        name: torch.from_numpy(numpy.fromfile(folder / f"{name}.f32", "<f4").reshape(shape))[None]
        for name, shape in manifest["arrays"].items()
    }
    header, _, body = (folder / "expected.ply").read_bytes().partition(b"end_header\n")
    count = manifest["count"]
    assert f"element vertex {count}\n".encode() in header
    extras = numpy.frombuffer(body, "<f4", 25 + 4 + 2, count * 56)
    return Golden(
        mean_vectors=arrays["mean_vectors_ndc"],
        singular_values=arrays["singular_values_ndc"],
        quaternions=arrays["quaternions_ndc"],
        colors=arrays["colors"],
        opacities=arrays["opacities"],
        width=manifest["image"]["width"],
        height=manifest["image"]["height"],
        focal_px=manifest["focal_px"],
        rows=numpy.frombuffer(body, "<f4", count * 14).reshape(count, 14),
        disparity=(float(extras[-2]), float(extras[-1])),
    )


def covariances(rows: Any) -> Any:
    """Of each row's rotation and scale, N x 3 x 3: the signs and the order of axes are free, this is not."""
    import numpy

    w, x, y, z = (rows[:, 10:14].astype("f8") / numpy.linalg.norm(rows[:, 10:14], axis=1, keepdims=True)).T
    rotations = numpy.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    stretched = rotations * numpy.exp(rows[:, 7:10].astype("f8"))[:, None, :]
    return stretched @ stretched.transpose(0, 2, 1)


def assert_same_splats(found: Any, expected: Any) -> None:
    """Positions, colours and opacities to 1e-5; rotation with scale as covariances, to 1e-5 of each one's norm."""
    import numpy

    assert found.shape == expected.shape
    assert numpy.allclose(found[:, 0:7], expected[:, 0:7], rtol=1e-5, atol=1e-6)
    assert numpy.allclose(found[:, 7:10], expected[:, 7:10], atol=2e-3)
    ours, theirs = covariances(found), covariances(expected)
    off = numpy.linalg.norm(ours - theirs, axis=(1, 2)) / numpy.linalg.norm(theirs, axis=(1, 2))
    assert off.max() < 1e-5
