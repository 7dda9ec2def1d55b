from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from surefoot_kit import Worker

pillow: Any = pytest.importorskip("PIL.Image", reason="Pillow is not installed: photos cannot be decoded")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A red square on grey."""
    image = pillow.new("RGB", (30, 20), (120, 120, 120))
    image.paste((200, 30, 30), (10, 5, 20, 15))
    path = tmp_path / "photo.png"
    image.save(path)
    return path


def picture(path: Path | None) -> Any:
    assert path is not None
    with pillow.open(path) as image:
        assert image.format == "PNG"
        return image.copy()


def test_without_a_network_the_colour_of_the_border_goes(photo: Path) -> None:
    cut = picture(Worker("border").run({"image": photo}).path)
    assert cut.mode == "RGBA"
    assert cut.getpixel((15, 10)) == (200, 30, 30, 255)
    assert cut.getpixel((2, 2))[3] == 0


@pytest.mark.parametrize("tolerance", [-1, 256, "40", True])
def test_a_tolerance_that_is_none_is_refused(photo: Path, tolerance: Any) -> None:
    result = Worker("border").run({"image": photo, "tolerance": tolerance})
    assert result.failure is not None and result.failure.code == "input_invalid"


def test_rembg_gets_the_upright_photo_and_its_picture_is_the_output(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rembg = types.ModuleType("rembg")
    opened: list[str] = []
    rembg.new_session = opened.append  # type: ignore[attr-defined]
    rembg.remove = lambda image, session: image.convert("RGBA")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rembg", rembg)
    monkeypatch.setenv("SUREFOOT_REMBG_MODEL", "silueta")
    worker = Worker("background")
    assert picture(worker.run({"image": photo}).path).size == (30, 20)
    worker.run({"image": photo})
    assert opened == ["silueta"]


def test_without_rembg_the_installation_is_named_as_the_cause(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rembg", None)
    result = Worker("background").run({"image": photo})
    assert result.failure is not None
    assert (result.failure.code, "[background]" in result.failure.message) == ("deployment_missing", True)
