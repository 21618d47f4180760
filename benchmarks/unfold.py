"""The engine `unfold` against the same formula as it is usually written.

    python benchmarks/unfold.py

The usual form copies every neighbourhood into a column matrix (`torch.nn.functional.unfold`)
and sums the weighted columns, here in tiles of 64 x 64 pixels, the fastest size we found. Both
make the same weights from the same map, in one process, in turn; the figure is the median of
the ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from svfilter import Gaussian, KernelField, filter_image

SIDE = 64
ROUNDS = 5


def usual(image: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Filter [C, H, W] with F.unfold and a dot, tile after tile, `replicate` at the border."""
    channels, height, width = image.shape
    reach = Gaussian(sigma=sigma).radius()
    size = 2 * reach + 1
    padded = F.pad(image[None], (reach,) * 4, mode="replicate")
    taps = torch.arange(-reach, reach + 1, dtype=image.dtype)
    out = torch.empty_like(image)
    for top in range(0, height, SIDE):
        for left in range(0, width, SIDE):
            own = sigma[top : top + SIDE, left : left + SIDE]
            h, w = own.shape
            weights = Gaussian(sigma=own).weights(
                taps.reshape(-1, 1, 1, 1), taps.reshape(1, -1, 1, 1)
            )
            columns = F.unfold(
                padded[..., top : top + h + 2 * reach, left : left + w + 2 * reach], size
            )
            products = columns.reshape(channels, size * size, h * w) * weights.reshape(1, -1, h * w)
            out[:, top : top + h, left : left + w] = products.sum(1).reshape(channels, h, w)
    return out


def seconds(run: Callable[[], torch.Tensor]) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Print a row for each kernel size; no figure on a wrong result."""
    torch.manual_seed(0)
    image = torch.rand(3, 768, 1024)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, image [3, 768, 1024]")
    print(f"{'kernel':<10}{'usual s':>9}{'unfold s':>9}{'usual/unfold':>14}{'max difference':>16}")
    for largest in (1.0, 2.0, 4.0):
        sigma = torch.rand(768, 1024) * largest
        field = KernelField(Gaussian(sigma=sigma))
        difference = (filter_image(image, field) - usual(image, sigma)).abs().max().item()
        if difference > 1e-6:
            raise SystemExit(f"results differ by {difference:.3g}")
        pairs = [
            (seconds(lambda: usual(image, sigma)), seconds(lambda: filter_image(image, field)))  # noqa: B023
            for _ in range(ROUNDS)
        ]
        ours, theirs = (statistics.median(p[i] for p in pairs) for i in (1, 0))
        ratio = statistics.median(a / b for a, b in pairs)
        size = 2 * field.reach + 1
        print(f"{size}x{size:<7}{theirs:>9.2f}{ours:>9.2f}{ratio:>14.1f}{difference:>16.1e}")


if __name__ == "__main__":
    main()
