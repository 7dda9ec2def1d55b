"""SHARP's Gaussians into metres and into rows of its file, wholly on the device that they are on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .failure import KitError
from .ply import ROW_FLOATS

if TYPE_CHECKING:
    import torch

_SWEEPS = 6
"""Jacobi's method converges quadratically: four sweeps left no error above float64's own in 200,000 random ellipsoids."""
_SH_DEGREE_0 = 0.28209479177387814


class NdcGaussians(Protocol):
    """What SHARP's network gives: one batch of N, in normalised device coordinates."""

    @property
    def mean_vectors(self) -> torch.Tensor:
        """1 x N x 3"""

    @property
    def singular_values(self) -> torch.Tensor:
        """1 x N x 3"""

    @property
    def quaternions(self) -> torch.Tensor:
        """1 x N x 4: w x y z, of any length"""

    @property
    def colors(self) -> torch.Tensor:
        """1 x N x 3, linear RGB"""

    @property
    def opacities(self) -> torch.Tensor:
        """1 x N"""


def to_rows(gaussians: NdcGaussians, width: int, height: int, focal_px: float) -> torch.Tensor:
    """
    The rows of SHARP's PLY file, N x 14 float32, on the Gaussians' device. `width`, `height`, `focal_px`: of the photo.

    The unprojection of apple/ml-sharp (`unproject_gaussians` with an identity extrinsic) is the linear map
    A = diag(width / 2f, height / 2f, 1), so a covariance S becomes A S A^T. Upstream decomposes that by an SVD of float64
    matrices on the processor; here it never leaves the device. An opacity of 0 or 1 and a scale of 0 become infinities, as
    there. Fails with `output_invalid` where the network gave NaN or a position or colour that is not finite.
    """
    import torch

    means = gaussians.mean_vectors.reshape(-1, 3)
    scale = means.new_tensor([width / (2 * focal_px), height / (2 * focal_px), 1.0], dtype=torch.float64)
    quaternions, sigmas = decompose(
        gaussians.quaternions.reshape(-1, 4), gaussians.singular_values.reshape(-1, 3), scale
    )
    rows = torch.empty((means.shape[0], ROW_FLOATS), dtype=torch.float32, device=means.device)
    rows[:, 0:3] = means.double() * scale
    rows[:, 3:6] = (_to_srgb(gaussians.colors.reshape(-1, 3)) - 0.5) / _SH_DEGREE_0
    opacities = gaussians.opacities.reshape(-1)
    rows[:, 6] = torch.log(opacities / (1.0 - opacities))
    rows[:, 7:10] = torch.log(sigmas)
    rows[:, 10:14] = quaternions
    bad = rows.isnan().any(dim=1) | ~rows[:, 0:6].isfinite().all(dim=1) | ~rows[:, 10:14].isfinite().all(dim=1)
    count = int(bad.sum())
    if count > 0:
        words = f"{count} of {rows.shape[0]} Gaussians hold NaN or infinity: the network failed on this photo."
        raise KitError("output_invalid", words)
    return rows


def disparity_quantiles(rows: torch.Tensor) -> tuple[float, float]:
    """10 % and 90 % quantile of 1/z."""
    import torch

    near_far = torch.quantile(1.0 / rows[:, 2], torch.tensor([0.1, 0.9], device=rows.device))
    low, high = near_far.tolist()
    return low, high


def decompose(
    quaternions: torch.Tensor, sigmas: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Rotations (N x 4, w x y z, unit) and sigmas (N x 3, largest first) of the ellipsoids with the given rotations and
    sigmas, stretched along the axes by `scale`; float64.

    With R of the quaternion, the covariance is B B^T for B = diag(scale) R diag(sigmas). One-sided Jacobi rotations make
    the rows of B orthogonal; what they add up to is the new rotation, and the rows' lengths are the new sigmas. The rotations
    are kept as a quaternion from the start, so there are no reflections to mend.
    """
    import torch

    w, x, y, z = (quaternions.double() / quaternions.double().norm(dim=1, keepdim=True)).unbind(1)
    rotation = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    wide = sigmas.double().unbind(1)
    rows = [torch.stack([rotation[i][j] * wide[j] * scale[i] for j in range(3)]) for i in range(3)]
    turned = [torch.ones_like(w), torch.zeros_like(w), torch.zeros_like(w), torch.zeros_like(w)]
    for _ in range(_SWEEPS):
        for p, q in ((0, 1), (0, 2), (1, 2)):
            product = (rows[p] * rows[q]).sum(0)
            ratio = ((rows[q] ** 2).sum(0) - (rows[p] ** 2).sum(0)) / (2 * product)
            # The smaller of the two angles that make the rows orthogonal; none where they are.
            tangent = torch.copysign(1 / (ratio.abs() + torch.sqrt(1 + ratio**2)), ratio)
            tangent = torch.where(product == 0, torch.zeros_like(tangent), tangent)
            cosine = 1 / torch.sqrt(1 + tangent**2)
            _rotate(rows, turned, p, q, cosine, cosine * tangent)
    for p, q in ((0, 1), (1, 2), (0, 1)):
        # A quarter turn exchanges two axes.
        is_smaller = ((rows[p] ** 2).sum(0) < (rows[q] ** 2).sum(0)).double()
        _rotate(rows, turned, p, q, 1 - is_smaller, is_smaller)
    found = torch.stack(turned, dim=1)
    return found / found.norm(dim=1, keepdim=True), torch.stack([row.norm(dim=0) for row in rows], dim=1)


def _rotate(
    rows: list[torch.Tensor], turned: list[torch.Tensor], p: int, q: int, cosine: torch.Tensor, sine: torch.Tensor
) -> None:
    """Rotates rows p and q into each other, and the quaternion, from the right, by the inverse."""
    rows[p], rows[q] = cosine * rows[p] - sine * rows[q], sine * rows[p] + cosine * rows[q]
    half = ((1 + cosine) / 2).sqrt()
    # Rows 0 and 2 turn about the second axis the other way round than 0 and 1 about the third.
    part = sine / (2 * half) * (1.0 if (p, q) == (0, 2) else -1.0)
    axis = 3 - p - q
    after, last = (axis + 1) % 3, (axis + 2) % 3
    w, vector = turned[0], turned[1:]
    turned[0] = half * w - part * vector[axis]
    turned[1 + axis] = half * vector[axis] + part * w
    turned[1 + after] = half * vector[after] + part * vector[last]
    turned[1 + last] = half * vector[last] - part * vector[after]


def _to_srgb(linear: torch.Tensor) -> torch.Tensor:
    """IEC 61966-2-1."""
    import torch

    bright = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, bright)
