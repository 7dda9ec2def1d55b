from __future__ import annotations

import struct
from array import array
from pathlib import Path

import pytest

from surefoot_kit.ply import ROW_FLOATS, Camera, write_ply

from .node import check_splat

CAMERA = Camera(1600, 1067, 1203.7, (0.1, 0.5))


def a_row(depth: float) -> list[float]:
    return [0.1, 0.2, depth, 0.0, 0.1, 0.2, 3.0, -4.0, -4.0, -5.0, 1.0, 0.0, 0.0, 0.0]


def test_a_file_is_sharps_layout_to_the_byte(tmp_path: Path) -> None:
    rows = array("f", [*a_row(2.0), *a_row(3.0)])
    path = tmp_path / "scene.ply"
    assert write_ply(path, rows, CAMERA) == path.stat().st_size
    data = path.read_bytes()
    header, _, body = data.partition(b"end_header\n")
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\nelement vertex 2\nproperty float x\n")
    assert len(body) == 2 * 56 + 128
    assert body[:112] == rows.tobytes()
    tail = struct.unpack("<25f2I2i2f4B", body[112:])
    assert tail[0:16] == (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)
    assert tail[16:25] == pytest.approx((1203.7, 0, 800, 0, 1203.7, 533.5, 0, 0, 1))
    assert tail[25:29] == (1600, 1067, 1, 2)
    assert tail[29:31] == pytest.approx((0.1, 0.5))
    assert tail[31:] == (0, 1, 5, 0)


def test_sharps_usual_file_has_its_usual_length(tmp_path: Path) -> None:
    rows = memoryview(bytes(1_179_648 * 4 * ROW_FLOATS))
    assert write_ply(tmp_path / "scene.ply", rows, CAMERA) == 66_061_086


def test_the_gateways_check_accepts_it(tmp_path: Path) -> None:
    path = tmp_path / "scene.ply"
    write_ply(path, array("f", a_row(2.0) * 3), CAMERA, ("A comment.",))
    check = check_splat(path)
    assert check["valid"] is True
    statistics = check["statistics"]
    assert (statistics["count"], statistics["version"], statistics["colorSpace"]) == (3, "1.5.0", "sRGB")
    assert statistics["image"] == {"width": 1600, "height": 1067}
    assert statistics["comments"] == ["A comment."]


@pytest.mark.parametrize("floats", [0, 13, 15])
def test_rows_that_are_not_whole_are_refused(tmp_path: Path, floats: int) -> None:
    with pytest.raises(ValueError, match="Gaussians"):
        write_ply(tmp_path / "scene.ply", array("f", [0.0] * floats), CAMERA)
