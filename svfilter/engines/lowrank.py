"""Any family with one varying parameter: few basis responses, blended at every pixel."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

from svfilter import devices
from svfilter.engines.base import CpuEngine, Problem
from svfilter.errors import InvalidArgument
from svfilter.tiles import plan

if TYPE_CHECKING:
    from svfilter.basis import Basis
    from svfilter.borders import Bordered
    from svfilter.field import KernelField
    from svfilter.kernels.base import Array, Family

FFT_ROUNDING = 1e-5
"""Of float32 Fourier transforms and of blends whose coefficients have both signs."""
LEAST_TOLERANCE = 2 * FFT_ROUNDING
MOST_REACH = 512
"""To derive a basis takes longer than to filter with it when kernels are larger."""


class LowRank(CpuEngine):
    """Blend the image's responses to a few members of the family.

        K(θ) ≈ Σ_r c_r(θ) · K_r,   out(p) = Σ_r c_r(θ(p)) · (K_r ⋆ x)(p)

    The members and coefficients come from the codebook of the family, sampled along the
    parameter that varies (`svfilter.basis`), as few as the tolerance allows. Responses are made
    by Fourier transform. Kernels of radius 0 are the identity, bit for bit. NaN and infinities
    spread over the square that the pixel's own kernel spans.

    The bound is ½‖K − K̂‖₁ at every sample of the codebook, at quarters of the way to the next and
    on both sides of where a radius grows, and a tenth more: measured, not proven between. How an
    image is cut into windows changes the rounding of the transforms, and so the last bits.

    Cost: rank + 1 Fourier transforms of each padded plane; independent of kernel_size but for
    the padding, and for deriving the basis once: some seconds at a reach of 256.

    Source: a blend of few responses for a family of kernels is Perona's (1995,
    doi 10.1109/34.391394); members picked by pivoting, an interpolative decomposition (Cheng et
    al. 2005, doi 10.1137/030602678).
    """

    name: ClassVar[str] = "lowrank"
    summary: ClassVar[str] = "few basis responses and per-pixel coefficients; the CPU, any family"
    error: ClassVar[str] = "the tolerance"

    any_kernels: ClassVar[bool] = False

    def why_not(self, problem: Problem) -> str | None:
        """It approximates kernels that vary along one parameter, on the CPU."""
        if reason := super().why_not(problem):
            return reason
        if problem.tolerance < LEAST_TOLERANCE:
            return f"it approximates, and the tolerance is {problem.tolerance:g}"
        if not problem.widest.smooth:
            return "its kernels have edges, so that no few of them blend into all"
        if (reach := problem.widest.reach()) > MOST_REACH:
            return f"a basis is derived up to a reach of {MOST_REACH}, and kernels reach {reach}"
        if len(varying := self._varying(problem)) > 1:
            return f"its basis follows one parameter, and {' and '.join(varying)} vary"
        return None

    def bound(self, problem: Problem) -> float:
        """Give the basis's bound, and rounding; infinite where no basis keeps the tolerance."""
        if not self._varying(problem):
            return FFT_ROUNDING
        basis = self._basis(problem)
        return FFT_ROUNDING + (basis.bound if basis else math.inf)

    def cost(self, problem: Problem) -> float:
        """Count the transforms, with a guess at the rank, and the deriving of the basis."""
        reach = problem.widest.reach()
        rank = 6 + 2.5 * math.log2(1 + reach)
        side = math.sqrt(problem.pixels)
        padded = (side + 2 * reach) ** 2
        return 0.3 + 4e-5 * reach * reach + padded * 25e-9 * rank * (problem.planes + 1)

    def run(
        self,
        image: Bordered,
        field: KernelField,
        problem: Problem,
        *,
        guide: Bordered | None = None,
        memory: int,
        jobs: int | None = None,
    ) -> Array:
        """Filter a window in blocks as large as the memory allows.

        Raises:
            InvalidArgument: the memory does not suffice for a small block.
        """
        import numpy as np

        from svfilter.compiled.nonfinite import spread_nonfinite
        from svfilter.field import KernelField

        varying = self._varying(problem)
        basis = self._basis(problem) if varying else None
        constant = KernelField(problem.widest).transform(np.float64).family
        height, width, margin = image.size
        out = np.empty((*image.pixels.shape[:-2], height, width), np.float32)
        finite = np.isfinite(image.pixels)
        cleaned = image
        if not finite.all():
            cleaned = image.transform(lambda pixels: np.where(finite, pixels, np.float32(0)))
        largest = np.abs(cleaned.pixels).max(initial=0)
        scale = np.float32(2.0**-64 if largest > 2.0**64 else 1)  # a transform adds up all pixels
        threads = devices.threads(jobs)
        side = _side(memory, math.prod(out.shape[:-2]), margin, max(height, width), threads)
        for window in plan(height, width, side, side):
            own = field.window(window)
            members = basis.members if basis else [constant]
            shares = basis.blend(own.maps[varying[0]]) if basis else iter([np.float32(1)])
            pixels = cleaned.part(window).padded()
            block = _respond(scale * pixels, margin, members, shares, threads) / scale
            untouched = np.broadcast_to(own.family.reaches() == 0, block.shape)
            centre = pixels[..., margin : margin + window.height, margin : margin + window.width]
            out[..., window.rows, window.cols] = np.where(untouched, centre, block)
        if cleaned is not image:
            spread_nonfinite(out, image, field.family.reaches())
        return out

    @staticmethod
    def _varying(problem: Problem) -> list[str]:
        """Give the names of the parameters that are not the same everywhere."""
        return [
            name
            for name, parameter in problem.widest.parameters().items()
            if parameter.per_pixel
            and getattr(problem.narrowest, name) != getattr(problem.widest, name)
        ]

    def _basis(self, problem: Problem) -> Basis | None:
        from svfilter.basis import derive

        (name,) = self._varying(problem)
        allowed = problem.tolerance - FFT_ROUNDING
        return derive(problem.narrowest, problem.widest, name, allowed)


def _respond(
    padded: Array, margin: int, members: list[Family], shares: Iterator[Array], threads: int
) -> Array:
    """Add up the responses of [..., h + 2·margin, w + 2·margin] to the members, each by its share.

    Every plane is added up by one thread, so that their number changes nothing.
    """
    import numpy as np

    height, width = (size - 2 * margin for size in padded.shape[-2:])
    sizes = [_fast_length(size) for size in padded.shape[-2:]]
    d = np.arange(-margin, margin + 1, dtype=np.float64)
    out = np.zeros((*padded.shape[:-2], height, width), np.float32)
    planes = list(np.ndindex(out.shape[:-2]))
    with ThreadPoolExecutor(threads) as pool:
        spectra = list(pool.map(lambda at: np.fft.rfft2(padded[at], sizes), planes))
        for member, share in zip(members, shares, strict=True):
            weights = member.weights(d[:, None], d[None]).astype(np.float32)
            kernel = np.fft.rfft2(weights, sizes).conj()
            own = np.broadcast_to(share, out.shape)

            def add(n: int) -> None:
                response = np.fft.irfft2(spectra[n] * kernel, sizes)[:height, :width]  # noqa: B023
                out[planes[n]] += own[planes[n]] * response  # noqa: B023

            list(pool.map(add, range(len(planes))))
    return out


def _fast_length(size: int) -> int:
    """Give the next length that has no prime factor above 5."""
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 1


def _side(memory: int, planes: int, margin: int, largest: int, threads: int) -> int:
    """Give the largest block of which pixels and spectra fit into the memory."""
    copies = 2 * planes + 4 * threads + 12  # pixels and spectra; at work; kernel and coefficients
    fits = math.isqrt(memory // (4 * copies)) - 2 * margin
    if fits < 1:
        needed = 4 * copies * (2 * margin + 1) ** 2
        raise InvalidArgument(
            f"memory must be at least {needed} bytes for kernels that reach {margin} pixels, but "
            f"{memory} bytes are left to the engine"
        )
    return min(fits, largest)


ENGINE = LowRank()
