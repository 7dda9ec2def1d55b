"""Background removal, as an example of another model: a photo in, a PNG with transparency out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Mapping

from ..failure import KitError
from ..model import Report
from ..photo import open_photo


class BackgroundModel:
    """
    rembg (MIT), which downloads its own network on first use: `SUREFOOT_REMBG_MODEL`, default `u2net`; see rembg's page for the
    licence of each network. Where the network runs (GPU or not) is the choice of the onnxruntime that is installed.
    """

    name, field, output_name = "background", "image", "cutout.png"

    def __init__(self) -> None:
        self._session: Any = None

    def load(self, report: Report) -> None:
        """Opens the network. Fails with `deployment_missing` without rembg."""
        try:
            import rembg
        except ImportError as error:
            words = f"This worker lacks rembg ({error}): install the kit with [background]."
            raise KitError("deployment_missing", words) from error
        report("load", 0.1)
        self._session = rembg.new_session(os.environ.get("SUREFOOT_REMBG_MODEL") or "u2net")

    def predict(self, image: Path, output: Path, report: Report, options: Mapping[str, Any]) -> None:
        """Writes the PNG."""
        import rembg

        report("prepare")
        photo = open_photo(image)
        report("predict", 0.1)
        cut = rembg.remove(photo.image, session=self._session)
        report("write", 0.8)
        cut.save(output, "PNG")


class BorderModel:
    """
    No network: what is as bright and as coloured as the middle one of the photo's border pixels becomes transparent. Good for
    things on a plain ground, and for tests; on any other photo it is wrong. Option: `tolerance`, 0 to 255, default 40.
    """

    name, field, output_name = "border", "image", "cutout.png"

    def load(self, report: Report) -> None:
        """Nothing to load."""

    def predict(self, image: Path, output: Path, report: Report, options: Mapping[str, Any]) -> None:
        """Writes the PNG. Fails with `input_invalid`."""
        from PIL import Image, ImageChops

        tolerance = options.get("tolerance", 40)
        if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or not 0 <= tolerance <= 255:
            raise KitError("input_invalid", "tolerance must be a number from 0 to 255.")
        report("prepare")
        photo = open_photo(image).image
        report("predict", 0.1)
        away = ImageChops.difference(photo, Image.new("RGB", photo.size, _border_color(photo)))
        red, green, blue = away.split()
        farthest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
        photo.putalpha(farthest.point([255 if value > tolerance else 0 for value in range(256)]))
        report("write", 0.8)
        photo.save(output, "PNG")


def _border_color(photo: Any) -> tuple[int, ...]:
    """The median of the outermost pixels, for each channel."""
    width, height = photo.size
    lines = [(0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height)]
    found: list[tuple[int, ...]] = []
    for line in lines:
        data = photo.crop(line).tobytes()
        found += zip(data[0::3], data[1::3], data[2::3])
    return tuple(sorted(channel)[len(channel) // 2] for channel in zip(*found))
