"""SHARP's PLY layout: fourteen float32 for each Gaussian, then the camera. Source: apple/ml-sharp, `save_ply`."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROW_FLOATS = 14
"""x y z, f_dc_0..2, opacity (logit), scale_0..2 (natural logarithm of metres), rot_0..3 (w x y z)."""
_PROPERTIES = (
    *("x", "y", "z"),
    *(f"f_dc_{index}" for index in range(3)),
    "opacity",
    *(f"scale_{index}" for index in range(3)),
    *(f"rot_{index}" for index in range(4)),
)
_EXTRAS = (
    ("extrinsic", 16, "float"),
    ("intrinsic", 9, "float"),
    ("image_size", 2, "uint"),
    ("frame", 2, "int"),
    ("disparity", 2, "float"),
    ("color_space", 1, "uchar"),
    ("version", 3, "uchar"),
)


@dataclass(frozen=True)
class Camera:
    """What saw the scene."""

    width: int
    height: int
    focal_px: float
    disparity: tuple[float, float]
    """10 % and 90 % quantile of 1/z."""


def write_ply(path: Path, rows: Any, camera: Camera, comments: tuple[str, ...] = ()) -> int:
    """
    Writes a splat file; its length in bytes (66,061,086 for SHARP's 1,179,648 Gaussians). `rows` is any contiguous little-endian
    float32 buffer of `ROW_FLOATS` for each Gaussian (NumPy array, `array('f')`): it is written as it lies, without a copy.
    """
    body = memoryview(rows).cast("B")
    if body.nbytes % (4 * ROW_FLOATS) != 0 or body.nbytes == 0:
        raise ValueError(f"{body.nbytes} bytes are no whole Gaussians")
    count = body.nbytes // (4 * ROW_FLOATS)
    with path.open("wb") as file:
        written = file.write(_header(count, comments))
        written += file.write(body)
        written += file.write(_tail(count, camera))
    return written


def _header(count: int, comments: tuple[str, ...]) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {comment}" for comment in comments)]
    lines.append(f"element vertex {count}")
    lines += [f"property float {name}" for name in _PROPERTIES]
    for name, length, kind in _EXTRAS:
        lines += [f"element {name} {length}", f"property {kind} {name}"]
    return "".join(f"{line}\n" for line in [*lines, "end_header"]).encode("ascii")


def _tail(count: int, camera: Camera) -> bytes:
    width, height, focal = camera.width, camera.height, camera.focal_px
    identity = [1.0 if index % 5 == 0 else 0.0 for index in range(16)]
    intrinsic = [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0]
    # Colour space 0 is sRGB; then the layout's version, 1.5.0.
    return struct.pack("<25f2I2i2f4B", *identity, *intrinsic, width, height, 1, count, *camera.disparity, 0, 1, 5, 0)
