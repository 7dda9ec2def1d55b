"""A model without a network, for tests: the same photo always gives the same small splat."""

from __future__ import annotations

import hashlib
import math
from array import array
from pathlib import Path
from typing import Any, Mapping

from ..failure import KitError
from ..model import Report
from ..photo import check_signature
from ..ply import Camera, write_ply

_SIDE = 32
_DEPTH_METRES = 2.0
_WIDTH, _HEIGHT, _FOCAL_PX = 640, 640, 554.0


class DummyModel:
    """
    A slightly bent square of 1,024 Gaussians two metres away, coloured by the photo's checksum: no depth is estimated, and the
    file says so in a comment. Needs neither GPU nor packages. Fails with `input_invalid` for what is no photo.
    """

    name, field, output_name = "dummy", "image", "scene.ply"

    def load(self, report: Report) -> None:
        """Nothing to load."""

    def predict(self, image: Path, output: Path, report: Report, options: Mapping[str, Any]) -> None:
        """Writes the splat."""
        check_signature(image)
        unknown = set(options) - {"focal_length"}
        if unknown:
            raise KitError("input_invalid", f"The model takes no {', '.join(sorted(unknown))}.")
        report("predict", 0.1)
        rows = _rows(hashlib.sha256(image.read_bytes()).digest())
        report("write", 0.9)
        camera = Camera(_WIDTH, _HEIGHT, _FOCAL_PX, (0.45, 0.5))
        write_ply(output, rows, camera, ("Made by the dummy model of Surefoot's kit: no depth was estimated.",))


def _rows(seed: bytes) -> array[float]:
    rows = array("f")
    pitch = _DEPTH_METRES * _WIDTH / _FOCAL_PX / _SIDE
    for row in range(_SIDE):
        for column in range(_SIDE):
            x, y = (column + 0.5 - _SIDE / 2) * pitch, (row + 0.5 - _SIDE / 2) * pitch
            z = _DEPTH_METRES + 0.2 * math.cos(x) * math.cos(y)
            color = [(seed[(row * 3 + column * 7 + channel * 11) % 32] / 255 - 0.5) / 0.28209479 for channel in range(3)]
            rows.extend([x, y, z, *color, 4.0, *([math.log(pitch * 0.6)] * 2), math.log(pitch * 0.3), 1.0, 0.0, 0.0, 0.0])
    return rows
