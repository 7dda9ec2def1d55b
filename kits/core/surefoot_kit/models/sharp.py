"""Apple's SHARP (apple/ml-sharp, read at commit 1eaa046): one photo in, 1,179,648 Gaussians out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Mapping

from ..device import choose_device
from ..failure import Failure, KitError, classify
from ..model import Report
from ..photo import open_photo
from ..ply import Camera, write_ply
from ..unproject import disparity_quantiles, to_rows
from ..weights import find_weights

WEIGHTS_URL = "https://ml-site.cdn-apple.com/models/sharp/sharp_2572gikvuh.pt"
"""Where Apple keeps them, 2.8 GB; source: `src/sharp/cli/predict.py`."""

NOTICE = (
    "SHARP's weights are licensed under the Apple Machine Learning Research Model License Agreement (LICENSE_MODEL of"
    " apple/ml-sharp): for research purposes only, no commercial use."
)
_SIDE = 1536
"""The network's own resolution; a photo is squeezed into it, whatever its shape."""


class SharpModel:
    """
    Options: `focal_length`, millimetres as on 35 mm film, instead of what the photo's EXIF says. Needs Apple's package
    `sharp`, PyTorch, NumPy and Pillow; about 10 GB of a GPU.
    """

    name, field, output_name = "sharp", "image", "scene.ply"

    def __init__(self) -> None:
        self._device = "cuda"
        self._predictor: Any = None

    def load(self, report: Report) -> None:
        """Finds or fetches the weights and brings them to the GPU. Fails with `no_gpu`, `deployment_missing`, `out_of_memory`."""
        try:
            import torch
            from sharp.models import PredictorParams, create_predictor
        except ImportError as error:
            words = f"This worker lacks what SHARP needs ({error}): install apple/ml-sharp from its repository."
            raise KitError("deployment_missing", words) from error
        self._device = choose_device()
        print(f"surefoot-kit: {NOTICE}", flush=True)
        weights = find_weights(
            os.environ.get("SUREFOOT_SHARP_WEIGHTS") or WEIGHTS_URL,
            sha256=os.environ.get("SUREFOOT_SHARP_SHA256") or None,
            may_download=os.environ.get("SUREFOOT_SHARP_LICENSE") == "accepted",
            refusal=f"{NOTICE} Set SUREFOOT_SHARP_LICENSE=accepted if you accept it, or SUREFOOT_SHARP_WEIGHTS to a file.",
            report=lambda stage, fraction=0.0: report(stage, 0.6 * fraction),
        )
        report("load", 0.6)
        try:
            predictor = create_predictor(PredictorParams())
            predictor.load_state_dict(torch.load(weights, weights_only=True, map_location="cpu"))
            report("load", 0.8)
            self._predictor = predictor.eval().to(self._device)
        except Exception as error:
            raise _as_load_failure(error) from error

    def predict(self, image: Path, output: Path, report: Report, options: Mapping[str, Any]) -> None:
        """Writes SHARP's PLY. Fails with `input_invalid`, `input_too_large`, `out_of_memory`, `output_invalid`."""
        import numpy
        import torch

        unknown = set(options) - {"focal_length"}
        if unknown:
            raise KitError("input_invalid", f"SHARP takes no {', '.join(sorted(unknown))}.")
        report("prepare")
        photo = open_photo(image, options.get("focal_length"))
        width, height = photo.image.size
        with torch.inference_mode():
            pixels = torch.from_numpy(numpy.array(photo.image)).to(self._device)
            pixels = pixels.permute(2, 0, 1)[None].float().div_(255)
            # `align_corners` and no smoothing, as upstream does it: another resizing gives another depth.
            squeezed = torch.nn.functional.interpolate(pixels, (_SIDE, _SIDE), mode="bilinear", align_corners=True)
            del pixels
            report("predict", 0.1)
            factor = torch.tensor([photo.focal_px / width], dtype=torch.float32, device=self._device)
            gaussians = self._predictor(squeezed, factor)
            if self._device == "cuda":
                # Kernels run behind the program: without this the next stage would be told too early.
                torch.cuda.synchronize()
            report("unproject", 0.8)
            rows = to_rows(gaussians, width, height, photo.focal_px)
            camera = Camera(width, height, photo.focal_px, disparity_quantiles(rows))
            report("write", 0.9)
            write_ply(output, rows.cpu().numpy(), camera)


def _as_load_failure(error: Exception) -> KitError:
    """What goes wrong while loading, beyond memory and GPU, is the weights' fault."""
    failure = classify(error)
    if failure.code == "model_error":
        failure = Failure("deployment_missing", f"SHARP's weights are damaged or of another version: {failure.message}")
    return KitError(failure.code, failure.message, poisoned=failure.poisoned)
