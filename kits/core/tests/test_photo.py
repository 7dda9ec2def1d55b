from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pytest

from surefoot_kit import KitError
from surefoot_kit.photo import check_signature, open_photo

pillow: Any = pytest.importorskip("PIL.Image", reason="Pillow is not installed: photos cannot be decoded")

RED, BLUE = (255, 0, 0), (0, 0, 255)


def an_image(mode: str = "RGB", size: tuple[int, int] = (40, 20)) -> Any:
    """Left half red, right half blue."""
    image = pillow.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image.convert(mode)


def saved(tmp_path: Path, image: Any, format: str = "PNG", **more: Any) -> Path:
    path = tmp_path / "photo"
    image.save(path, format, **more)
    return path


def exif(**tags: Any) -> Any:
    found = pillow.Exif()
    if "orientation" in tags:
        found[0x0112] = tags["orientation"]
    details = {0xA405: tags.get("equivalent"), 0x920A: tags.get("focal")}
    found[0x8769] = {tag: value for tag, value in details.items() if value is not None}
    return found


def code_of(path: Path, **more: Any) -> str:
    with pytest.raises(KitError) as raised:
        open_photo(path, **more)
    return raised.value.failure.code


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_photos_of_the_usual_formats_are_read(tmp_path: Path, format: str) -> None:
    path = saved(tmp_path, an_image(), format)
    assert check_signature(path) == format.lower()
    photo = open_photo(path).image
    assert (photo.mode, photo.size) == ("RGB", (40, 20))
    color: Any = photo.getpixel((5, 10))
    red, _, blue = color
    assert red > 200 > 60 > blue


@pytest.mark.parametrize(
    ("orientation", "size", "red_at"),
    [
        (1, (40, 20), (5, 10)),
        (2, (40, 20), (35, 10)),
        (3, (40, 20), (35, 10)),
        (4, (40, 20), (5, 10)),
        (5, (20, 40), (10, 5)),
        (6, (20, 40), (10, 5)),
        (7, (20, 40), (10, 35)),
        (8, (20, 40), (10, 35)),
    ],
)
def test_every_orientation_is_applied(
    tmp_path: Path, orientation: int, size: tuple[int, int], red_at: tuple[int, int]
) -> None:
    path = saved(tmp_path, an_image(), exif=exif(orientation=orientation))
    photo = open_photo(path).image
    assert photo.size == size
    assert photo.getpixel(red_at) == RED


@pytest.mark.parametrize(
    ("tags", "mm"),
    [
        ({}, 30),
        ({"equivalent": 26, "focal": 4.2}, 26),
        ({"equivalent": 0, "focal": 50.0}, 50),
        ({"focal": 4.2}, 4.2 * 8.4),
        ({"focal": 0.0}, 30),
    ],
)
def test_the_lens_is_read_by_sharps_rules(tmp_path: Path, tags: dict[str, Any], mm: float) -> None:
    path = saved(tmp_path, an_image(), exif=exif(**tags))
    expected = mm * math.hypot(40, 20) / math.hypot(36, 24)
    assert open_photo(path).focal_px == pytest.approx(expected, rel=1e-4)


def test_a_focal_length_that_is_given_wins(tmp_path: Path) -> None:
    path = saved(tmp_path, an_image(), exif=exif(equivalent=26, orientation=6))
    assert open_photo(path, 52).focal_px == pytest.approx(52 * math.hypot(20, 40) / math.hypot(36, 24))


@pytest.mark.parametrize("focal", [0, -5, 1001, math.nan, math.inf, "28"])
def test_a_focal_length_that_is_none_is_refused(tmp_path: Path, focal: Any) -> None:
    assert code_of(saved(tmp_path, an_image()), focal_length=focal) == "input_invalid"


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    image = an_image("RGBA")
    image.putalpha(pillow.new("L", image.size, 0))
    assert open_photo(saved(tmp_path, image)).image.getpixel((5, 10)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["P", "L", "LA", "1"])
def test_pictures_of_other_kinds_become_plain_colour(tmp_path: Path, mode: str) -> None:
    photo = open_photo(saved(tmp_path, an_image(mode))).image
    assert (photo.mode, photo.size) == ("RGB", (40, 20))


def test_cmyk_becomes_plain_colour(tmp_path: Path) -> None:
    color: Any = open_photo(saved(tmp_path, an_image("CMYK"), "JPEG")).image.getpixel((5, 10))
    red, green, blue = color
    assert red > 200 and green < 60 and blue < 60


def test_sixteen_bits_of_grey_keep_their_range(tmp_path: Path) -> None:
    image = pillow.new("I;16", (40, 20), 32768)
    assert open_photo(saved(tmp_path, image)).image.getpixel((5, 10)) == (128, 128, 128)


def test_a_colour_profile_is_turned_into_srgb(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    broken = saved(tmp_path, an_image(), icc_profile=profile)
    assert open_photo(broken).image.getpixel((5, 10)) == RED, "a profile that does not fit counts as none"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert open_photo(saved(tmp_path, an_image(), icc_profile=srgb)).image.getpixel((5, 10)) == RED


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = saved(tmp_path, an_image())
    assert open_photo(path, max_pixels=800).image.size == (40, 20)
    assert code_of(path, max_pixels=799) == "input_too_large"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.98])
def test_a_photo_that_was_cut_is_refused(tmp_path: Path, format: str, share: float) -> None:
    path = saved(tmp_path, pillow.effect_noise((64, 64), 90).convert("RGB"), format)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert code_of(path) == "input_invalid"


def test_an_animation_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, an_image(), "WEBP", save_all=True, append_images=[an_image().rotate(180)])
    assert code_of(path) == "input_invalid"


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7", b"GIF89a" + bytes(50), b"\xff\xd8\xff", b"<svg/>"])
def test_what_is_no_photo_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "photo"
    path.write_bytes(data)
    assert code_of(path) == "input_invalid"


def test_pillow_is_never_asked_about_other_formats(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    an_image().save(buffer, "TIFF")
    path = tmp_path / "photo"
    path.write_bytes(buffer.getvalue())
    assert code_of(path) == "input_invalid"
