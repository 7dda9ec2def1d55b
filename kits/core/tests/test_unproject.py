from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from surefoot_kit import KitError

from .golden import Golden, assert_same_splats, covariances, read_golden

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed: SHARP's unprojection cannot run")

from surefoot_kit.unproject import decompose, disparity_quantiles, to_rows  # noqa: E402

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))]


def on(device: str, golden: Golden) -> Golden:
    names = ("mean_vectors", "singular_values", "quaternions", "colors", "opacities")
    return replace(golden, **{name: getattr(golden, name).to(device) for name in names})


@pytest.mark.parametrize("device", DEVICES)
def test_the_rows_are_what_apples_functions_make_of_the_same_gaussians(device: str) -> None:
    golden = on(device, read_golden())
    rows = to_rows(golden, golden.width, golden.height, golden.focal_px)
    assert rows.device.type == device
    assert_same_splats(rows.cpu().numpy(), golden.rows)
    assert disparity_quantiles(rows) == pytest.approx(golden.disparity, rel=1e-5)


def a_scene(count: int, spread: float, seed: int) -> tuple[Any, Any]:
    random = torch.Generator().manual_seed(seed)
    quaternions = torch.randn(count, 4, generator=random)
    return quaternions, torch.exp(torch.randn(count, 3, generator=random) * spread - 4)


def rotation_matrices(quaternions: Any) -> Any:
    w, x, y, z = (quaternions.double() / quaternions.double().norm(dim=1, keepdim=True)).unbind(1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


@pytest.mark.parametrize("spread", [0.0, 0.5, 4.0])
@pytest.mark.parametrize("scale", [(0.66, 0.44, 1.0), (1.0, 1.0, 1.0), (30.0, 0.01, 1.0)])
def test_ellipsoids_of_any_shape_are_decomposed_exactly(spread: float, scale: tuple[float, float, float]) -> None:
    quaternions, sigmas = a_scene(20_000, spread, seed=7)
    stretch = torch.tensor(scale, dtype=torch.float64)
    turned, wide = decompose(quaternions, sigmas, stretch)
    half = torch.diag(stretch) @ (rotation_matrices(quaternions) * sigmas.double()[:, None, :])
    expected = half @ half.transpose(1, 2)
    other = rotation_matrices(turned) * wide[:, None, :]
    off = (other @ other.transpose(1, 2) - expected).norm(dim=(1, 2)) / expected.norm(dim=(1, 2))
    assert off.max() < 1e-13
    assert (turned.norm(dim=1) - 1).abs().max() < 1e-14
    assert (wide[:, 0] >= wide[:, 1]).all() and (wide[:, 1] >= wide[:, 2]).all()


def test_ellipsoids_without_extent_are_decomposed() -> None:
    sigmas = torch.tensor([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [1.0, 1.0, 1.0]])
    turned, wide = decompose(torch.ones(3, 4), sigmas, torch.ones(3, dtype=torch.float64))
    assert turned.isfinite().all()
    assert wide.tolist() == [[0, 0, 0], pytest.approx([2, 0, 0]), pytest.approx([1, 1, 1])]


def a_gaussian(**changes: Any) -> Golden:
    plain = Golden(
        mean_vectors=torch.tensor([[[0.1, -0.2, 2.0]] * 2]),
        singular_values=torch.full((1, 2, 3), 0.01),
        quaternions=torch.tensor([[[1.0, 0.0, 0.0, 0.0]] * 2]),
        colors=torch.full((1, 2, 3), 0.2),
        opacities=torch.full((1, 2), 0.5),
        width=100,
        height=50,
        focal_px=100.0,
        rows=None,
        disparity=(0, 0),
    )
    return replace(plain, **changes)


def rows_of(scene: Golden) -> Any:
    return to_rows(scene, scene.width, scene.height, scene.focal_px)


def test_what_saturates_becomes_infinite_as_in_apples_files() -> None:
    rows = rows_of(a_gaussian(opacities=torch.tensor([[1.0, 0.0]]), singular_values=torch.zeros(1, 2, 3)))
    assert rows[:, 6].tolist() == [float("inf"), float("-inf")]
    assert (rows[:, 7:10] == float("-inf")).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"mean_vectors": torch.tensor([[[0.0, 0.0, 1.0], [0.0, float("nan"), 1.0]]])},
        {"mean_vectors": torch.tensor([[[0.0, 0.0, 1.0], [0.0, float("inf"), 1.0]]])},
        {"colors": torch.tensor([[[0.0, 0.0, 0.0], [0.0, float("nan"), 0.0]]])},
        {"opacities": torch.tensor([[0.5, float("nan")]])},
        {"singular_values": torch.tensor([[[0.1, 0.1, 0.1], [0.1, float("nan"), 0.1]]])},
        {"quaternions": torch.tensor([[[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])},
    ],
)
def test_what_is_no_number_is_the_models_fault_and_not_written(changes: dict[str, Any]) -> None:
    with pytest.raises(KitError, match="1 of 2 Gaussians") as raised:
        rows_of(a_gaussian(**changes))
    assert raised.value.failure.code == "output_invalid"


def test_the_comparison_itself_notices_a_wrong_rotation() -> None:
    golden = read_golden()
    turned = golden.rows.copy()
    turned[:, 11] *= -1
    assert abs(covariances(turned) - covariances(golden.rows)).max() > 1e-6
    with pytest.raises(AssertionError):
        assert_same_splats(turned, golden.rows)
