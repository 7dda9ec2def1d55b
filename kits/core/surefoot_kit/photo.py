"""Photos: what is one, which way is up, and how wide the lens saw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .failure import KitError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 100_000_000
"""The gateway takes no larger photo."""
_FRAME_DIAGONAL_MM = math.hypot(36, 24)
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "MPO")


def check_signature(path: Path) -> str:
    """The format of a photo by its first bytes, `jpeg png webp avif heif`; needs no Pillow. Fails with `input_invalid`."""
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"):
        return "avif"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"):
        return "heif"
    raise KitError("input_invalid", "The input is no JPEG, PNG, WebP, AVIF or HEIC photo.")


@dataclass(frozen=True)
class Photo:
    """A decoded photo, the right way up, 8-bit sRGB without transparency."""

    image: Image
    focal_px: float
    """Focal length in pixels of this size."""


def open_photo(path: Path, focal_length: float | None = None, max_pixels: int = MAX_PIXELS) -> Photo:
    """
    Decodes a photo with Pillow: size checked before its pixels are, all eight EXIF orientations applied, colour profile turned
    into sRGB, transparency laid on white. `focal_length`: millimetres as on 35 mm film, instead of what EXIF says. Fails
    with `input_invalid`, `input_too_large`.

    SHARP's own loader (apple/ml-sharp, `utils/io.py`) is the same for orientations 1, 3, 6 and 8; it leaves mirrored photos
    mirrored, ignores profiles and drops alpha, where this does what Surefoot's own engine does.
    """
    from PIL import Image as Pillow, ImageOps

    if check_signature(path) == "heif":
        _register_heif()
    if focal_length is not None and not (_is_number(focal_length) and 1 <= focal_length <= 1000):
        raise KitError("input_invalid", "focal_length must be a number of millimetres from 1 to 1000.")
    try:
        with Pillow.open(path, formats=_FORMATS) as probe:
            if probe.width * probe.height > max_pixels:
                words = f"The photo has {probe.width} x {probe.height} pixels; {max_pixels // 1_000_000} megapixels are allowed."
                raise KitError("input_too_large", words)
            if probe.format != "MPO" and getattr(probe, "n_frames", 1) > 1:
                raise KitError("input_invalid", "The picture is animated; send a single photo.")
            probe.verify()
        with Pillow.open(path, formats=_FORMATS) as opened:
            focal_mm = focal_length or _focal_length(opened.getexif())
            image = ImageOps.exif_transpose(_to_srgb(opened))
    except KitError:
        raise
    except Pillow.DecompressionBombError as error:
        raise KitError("input_too_large", "The photo has too many pixels.") from error
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's plugins raise whatever broken bytes lead to: SyntaxError, struct.error, IndexError, OSError.
        raise KitError("input_invalid", f"The photo cannot be decoded: {type(error).__name__}: {error}") from error
    return Photo(image, focal_mm * math.hypot(image.width, image.height) / _FRAME_DIAGONAL_MM)


def _to_srgb(image: Image) -> Image:
    from PIL import Image as Pillow

    exif = image.getexif()
    if image.mode.startswith("I"):
        # 16 bits of grey: Pillow's own conversion would cut them off at 255.
        image = image.point(lambda value: value / 256).convert("L")
    has_alpha = image.has_transparency_data
    profile = image.info.get("icc_profile")
    if has_alpha:
        alpha = image.convert("RGBA").getchannel("A")
    image = _through_profile(image, profile)
    if has_alpha:
        white = Pillow.new("RGB", image.size, "white")
        white.paste(image, mask=alpha)
        image = white
    image.info.pop("exif", None)
    image.getexif().update({0x0112: exif[0x0112]} if 0x0112 in exif else {})
    return image


def _through_profile(image: Image, profile: bytes | None) -> Image:
    if profile and image.mode in ("RGB", "RGBA", "L", "CMYK"):
        import io

        from PIL import ImageCms

        try:
            converted = ImageCms.profileToProfile(
                image.convert("RGB") if image.mode == "RGBA" else image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            # A broken profile is common in good photos: it counts as none.
            pass
    return image.convert("RGB")


def _focal_length(exif: Any) -> float:
    """SHARP's rules: the 35 mm equivalent where at least 1, else the focal length itself, below 10 mm times 8.4, else 30."""
    tags = exif.get_ifd(0x8769)
    equivalent, own = tags.get(0xA405), tags.get(0x920A)
    if _is_number(equivalent) and float(equivalent) >= 1:
        return float(equivalent)
    if _is_number(own) and float(own) > 0:
        return float(own) * 8.4 if float(own) < 10 else float(own)
    return 30.0


def _is_number(value: Any) -> bool:
    try:
        return value is not None and not isinstance(value, (str, bytes)) and math.isfinite(float(value))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return False


def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise KitError("input_invalid", "This worker reads no HEIC: it has no pillow-heif.") from error
    pillow_heif.register_heif_opener()
