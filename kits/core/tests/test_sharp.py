from __future__ import annotations

import math
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from surefoot_kit import KitError, Worker, find_model
from surefoot_kit.device import choose_device

from .golden import Golden, assert_same_splats, read_golden
from .node import check_splat

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed: SHARP cannot run")
numpy: Any = pytest.importorskip("numpy", reason="NumPy is not installed: SHARP cannot run")
pillow: Any = pytest.importorskip("PIL.Image", reason="Pillow is not installed: SHARP cannot read photos")


class Predictor(torch.nn.Module):  # type: ignore[misc]
    """Stands for Apple's network: takes what it takes, gives the golden Gaussians."""

    def __init__(self, golden: Golden | None) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.golden, self.given = golden, list[Any]()
        self.error: Exception | None = None

    def forward(self, image: Any, disparity_factor: Any) -> Any:
        self.given.append((image, disparity_factor))
        if self.error is not None:
            raise self.error
        return self.golden


@pytest.fixture
def predictor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Predictor:
    """Apple's package as far as the kit calls it (`sharp.models` of apple/ml-sharp), and weights that fit."""
    made = Predictor(None)
    package, models = types.ModuleType("sharp"), types.ModuleType("sharp.models")
    models.PredictorParams = type("PredictorParams", (), {})  # type: ignore[attr-defined]
    models.create_predictor = lambda params: made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sharp", package)
    monkeypatch.setitem(sys.modules, "sharp.models", models)
    torch.save({"scale": torch.full((1,), 2.0)}, tmp_path / "weights.pt")
    monkeypatch.setenv("SUREFOOT_SHARP_WEIGHTS", str(tmp_path / "weights.pt"))
    monkeypatch.setenv("SUREFOOT_KIT_DEVICE", "cpu")
    return made


def a_photo(tmp_path: Path, width: int, height: int) -> Path:
    path = tmp_path / "photo.png"
    across = numpy.tile(numpy.linspace(0, 255, width).astype("u1")[None, :, None], (height, 1, 3))
    pillow.fromarray(across).save(path)
    return path


def test_a_photo_becomes_apples_file(
    predictor: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = predictor.golden = read_golden()
    photo = a_photo(tmp_path, golden.width, golden.height)
    focal_mm = golden.focal_px * math.hypot(36, 24) / math.hypot(golden.width, golden.height)
    stages: list[str] = []
    result = Worker("sharp").run({"image": photo, "focal_length": focal_mm}, report=lambda one: stages.append(one.stage))
    assert result.failure is None and result.path is not None
    assert predictor.scale.item() == 2.0, "the weights were loaded"
    assert "research purposes only" in capsys.readouterr().out
    assert list(dict.fromkeys(stages)) == ["fetch", "load", "prepare", "predict", "unproject", "write", "upload"]

    ((image, factor),) = predictor.given
    assert image.shape == (1, 3, 1536, 1536)
    assert factor.tolist() == [pytest.approx(golden.focal_px / golden.width)]
    # The first and the last column of the photo are the first and the last of what the network sees: corners are aligned.
    assert (image[..., 0].max().item(), image[..., -1].min().item()) == (0.0, 1.0)

    body = result.path.read_bytes().partition(b"end_header\n")[2]
    rows = numpy.frombuffer(body, "<f4", len(golden.rows) * 14).reshape(-1, 14)
    assert_same_splats(rows, golden.rows)
    check = check_splat(result.path)
    assert check["valid"] is True
    assert check["statistics"]["image"] == {"width": golden.width, "height": golden.height}
    assert check["statistics"]["focalPx"] == pytest.approx(golden.focal_px)
    assert check["statistics"]["disparityQuantiles"] == pytest.approx(golden.disparity, rel=1e-5)


def test_the_network_is_loaded_once(predictor: Predictor, tmp_path: Path) -> None:
    predictor.golden = read_golden()
    worker, photo = Worker("sharp"), a_photo(tmp_path, 64, 48)
    worker.load()
    first, second = (worker.run({"image": photo}) for _ in range(2))
    assert (first.sha256, first.status) == (second.sha256, "succeeded")
    assert len(predictor.given) == 2


@pytest.mark.parametrize(
    ("error", "code", "poisoned"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "out_of_memory", False),
        (RuntimeError("CUDA error: device-side assert triggered"), "worker_lost", True),
    ],
)
def test_a_network_that_fails_says_why(
    predictor: Predictor, tmp_path: Path, error: Exception, code: str, poisoned: bool
) -> None:
    predictor.error = error
    result = Worker("sharp").run({"image": a_photo(tmp_path, 64, 48)})
    assert result.failure is not None
    assert (result.failure.code, result.poisoned) == (code, poisoned)


@pytest.mark.parametrize("job", [{"prompt": "a cat"}, {"focal_length": -1}])
def test_an_input_that_sharp_does_not_take_is_refused(predictor: Predictor, tmp_path: Path, job: dict[str, Any]) -> None:
    result = Worker("sharp").run({"image": a_photo(tmp_path, 64, 48), **job})
    assert result.failure is not None and result.failure.code == "input_invalid"
    assert predictor.given == []


def load_failure() -> str:
    with pytest.raises(KitError) as raised:
        find_model("sharp").load(lambda stage, fraction=0.0: None)
    return f"{raised.value.failure.code} {raised.value.failure.message}"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_falls_back_to_the_processor(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUREFOOT_KIT_DEVICE")
    assert load_failure().startswith("no_gpu No CUDA GPUs are available")
    with pytest.raises(KitError) as raised:
        choose_device()
    assert raised.value.failure.poisoned is True


def test_a_device_of_another_name_is_refused(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUREFOOT_KIT_DEVICE", "tpu")
    assert load_failure().startswith("deployment_missing")


def test_without_the_licence_no_weights_are_downloaded(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUREFOOT_SHARP_WEIGHTS")
    monkeypatch.setenv("SUREFOOT_KIT_CACHE", "/nowhere")
    assert "SUREFOOT_SHARP_LICENSE=accepted" in load_failure()


@pytest.mark.parametrize("damage", [b"", b"no weights", None])
def test_weights_that_do_not_fit_are_named_as_the_cause(
    predictor: Predictor, tmp_path: Path, damage: bytes | None
) -> None:
    if damage is None:
        torch.save({"other": torch.ones(1)}, tmp_path / "weights.pt")
    else:
        (tmp_path / "weights.pt").write_bytes(damage)
    assert load_failure().startswith("deployment_missing SHARP's weights are damaged")


def test_without_apples_package_the_installation_is_named_as_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sharp", None)
    assert "install apple/ml-sharp" in load_failure()
