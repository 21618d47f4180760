"""Arrays in, arrays out: check, pad, choose an engine, run."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import array_api_compat as compat

from svfilter import devices
from svfilter.engines import choose_engine
from svfilter.engines.base import MODES, Mode, Problem, needs_gradient
from svfilter.errors import InvalidArgument
from svfilter.field import KernelField
from svfilter.tiles import BOUNDARIES, Window
from svfilter.work import Work, to_kind, to_numpy

if TYPE_CHECKING:
    from svfilter.kernels.base import Array, Family

NORMALISE = ("energy", "weights")
"""What scattered light keeps: its sum, or the image where it is flat."""


def filter_image(
    image: Array,
    field: KernelField,
    *,
    mode: Mode = "gather",
    normalise: str = "energy",
    guide: Array | None = None,
    boundary: str = "replicate",
    engine: str = "auto",
    tolerance: float = 0.0,
    device: str | None = None,
    memory: int | None = None,
    jobs: int | None = None,
) -> Array:
    """Filter an image with a kernel of its own at every pixel.

        gather:  out(p) = Σ_d w(d; θ(p)) · x(p + d)
        scatter: out(p) = Σ_q w(p − q; θ(q)) · x(q)

    where p is the output pixel, d = (dy, dx) an offset within the kernel, w the family's
    weights and θ(p) the field's parameters at p. Gathering is a correlation: kernels are not
    flipped. To scatter, each pixel spreads its own light by its own kernel, as a lens does: the
    adjoint of gathering (with the boundaries "constant" and "circular"; beyond the others the
    image goes on, and what is there spreads its light too).

    Args:
        image: [..., H, W], floating point, a NumPy array or a torch tensor; every channel and
            image of a batch is filtered alike unless the field's maps say otherwise. Float16
            and bfloat16 are summed in float32. A NaN spreads as far as the kernels that see it.
        field: the kernels; its maps are [..., H, W] and broadcast against the image's
            leading axes. They are taken in the precision that the sum is made in, float64 for
            a float64 image, else float32. Maps that need gradients make the result
            differentiable in them.
        mode: "gather" or "scatter".
        normalise: of scattered light, "energy": none is lost or made, so that a pixel gets more or
            less than what it gave; or "weights": divided by what the same kernels make of an image
            of ones, so that what is flat stays flat.
        guide: for a family that looks at one, finite values [G, H, W] or [H, W], of the image's
            kind; default the image itself, all its leading axes but those of a batch: [C, H, W].
        boundary: what stands beyond the border: "replicate", "reflect" (the border pixel not
            repeated), "circular", or "constant" (0). Kernels may be larger than the image.
        engine: a name in `svfilter info`, or "auto": the one that should be fastest of those
            that keep the tolerance. All agree within their stated errors.
        tolerance: the largest error allowed, as a share of the image's range of values, 0 to 1;
            0 allows rounding only. An engine asked for by name must keep it too.
        device: where to compute a NumPy image, such as "cuda"; default the CPU. A tensor
            is filtered where it is.
        memory: bytes to use beyond the image and the result (and for torch engines the padded
            image), for weights above all; default an eighth of what is free, at most 512 MiB.
        jobs: threads; default one for each core. The result is the same bits for any number.

    Returns:
        The filtered image: shape, dtype, kind and device of `image`.

    Raises:
        InvalidArgument: a value, shape, dtype or name breaks a rule; the message says which.
        EngineUnavailable: the engine or device asked for cannot run this here.

    Cost: the engine's.

    Example:
        >>> import numpy as np
        >>> from svfilter import Gaussian, KernelField, filter_image
        >>> image = np.random.default_rng(0).random((3, 32, 48))
        >>> field = KernelField(Gaussian(sigma=4 * image.mean(axis=0)))  # bright: blurred more
        >>> filter_image(image, field).shape
        (3, 32, 48)
    """
    check_boundary(boundary)
    check_mode(mode, normalise)
    _check_image(image)
    if not isinstance(field, KernelField):
        raise InvalidArgument(
            "field must be a KernelField, as in KernelField(Gaussian(sigma=2.0)), but is a "
            f"{type(field).__name__}"
        )
    height, width = image.shape[-2:]
    field.validate(height, width)
    _check_maps(image, field)
    guide = _checked_guide(guide, image, field)
    if device is not None and compat.is_torch_array(image):
        raise InvalidArgument("device is for NumPy images; move a tensor with image.to(device)")
    place = str(image.device) if compat.is_torch_array(image) else devices.resolve(device or "cpu")
    check_tolerance(tolerance)
    check_jobs(jobs)
    bits = compat.array_namespace(image).finfo(image.dtype).bits
    inner = field.family.linear()
    kernels = field if inner is field.family else KernelField(inner)  # with what it knows of maps
    problem = Problem(
        place,
        *kernels.ends(),
        dtype="float64" if bits == 64 else "float32",
        needs_gradient=needs_gradient(image, field, guide),
        tolerance=tolerance / max(field.family.gain(), 1),
        planes=math.prod(image.shape[:-2]),
        pixels=height * width,
        mode=mode,
        guides=0 if guide is None else len(guide),
    )
    check_scatters(mode, field.family)
    whole = Window(0, 0, height, width)
    work = Work(
        lambda source: image[..., source.rows, source.cols],
        lambda window: kernels if window == whole else kernels.window(window),
        (height, width),
        boundary,
        choose_engine(engine, problem),
        problem,
        normalise,
        None if guide is None else lambda source: guide[..., source.rows, source.cols],
    )
    result = work.run(
        work.given(whole),
        memory=devices.modest_memory(place) if memory is None else memory,
        jobs=jobs,
    )
    if kernels is not field:
        kind = "torch" if compat.is_torch_array(image) else "numpy"
        move = partial(to_kind, kind=kind, dtype=problem.dtype, device=place)
        result = field.transform(move).family.finish(move(image), move(result))
    return _restore(result, image)


def check_mode(mode: str, normalise: str) -> None:
    """Refuse a mode, and a way to normalise, that has no name here."""
    for name, value, known in (("mode", mode, MODES), ("normalise", normalise, NORMALISE)):
        if value not in known:
            raise InvalidArgument(f"{name} must be {' or '.join(known)}, but is {value!r}")


def check_scatters(mode: Mode, family: Family | type[Family]) -> None:
    """Refuse to scatter by kernels for which that means nothing."""
    if mode == "scatter" and not family.scatters:
        raise InvalidArgument(f"mode must be gather for kernels of {family.summary}")


def check_boundary(boundary: str) -> None:
    """Refuse a boundary that has no name here."""
    if boundary not in BOUNDARIES:
        raise InvalidArgument(
            f"boundary must be one of {', '.join(BOUNDARIES)}, but is {boundary!r}"
        )


def check_tolerance(tolerance: float) -> None:
    """Refuse a tolerance that is no share."""
    if not 0 <= tolerance <= 1:
        raise InvalidArgument(f"tolerance must lie in 0 to 1, but is {tolerance}")


def check_jobs(jobs: int | None) -> None:
    """Refuse a number of threads that does nothing."""
    if jobs is not None and jobs < 1:
        raise InvalidArgument(f"jobs must be 1 or more, but is {jobs}")


def _restore(result: Array, image: Array) -> Array:
    """Give the result the kind, device and dtype of the image it came from."""
    if not compat.is_torch_array(image):
        return to_numpy(result).astype(image.dtype, copy=False)
    if not compat.is_torch_array(result):
        import torch

        result = torch.from_numpy(result)
    return result.to(device=image.device, dtype=image.dtype)


def _check_image(image: Any) -> None:
    if not (compat.is_numpy_array(image) or compat.is_torch_array(image)):
        raise InvalidArgument(
            f"image must be a NumPy array or a torch tensor, but is a {type(image).__name__}"
        )
    if image.ndim < 2 or 0 in image.shape[-2:]:
        raise InvalidArgument(
            f"image must be [..., H, W] with at least one pixel, but has shape {list(image.shape)}"
        )
    xp = compat.array_namespace(image)
    if not xp.isdtype(image.dtype, "real floating") or xp.finfo(image.dtype).bits > 64:
        raise InvalidArgument(
            f"image must be floating point of at most 64 bits, but is {image.dtype}; integers "
            "are scaled, as in image / 255"
        )


def _checked_guide(guide: Any, image: Array, field: KernelField) -> Array | None:
    """Give the guide as [G, H, W], or None for a family that looks at none."""
    if not field.family.guided:
        if guide is not None:
            raise InvalidArgument(f"guide is not looked at by kernels of {field.family.summary}")
        return None
    if guide is None:
        if image.ndim > 3:
            raise InvalidArgument("guide must be given for a batch of images")
        guide = image
    xp = compat.array_namespace(guide)
    if guide.ndim not in (2, 3) or guide.shape[-2:] != image.shape[-2:]:
        raise InvalidArgument(
            f"guide must be [H, W] or [G, H, W] with the image's last two axes, "
            f"{list(image.shape[-2:])}, but has shape {list(guide.shape)}"
        )
    if compat.is_torch_array(guide) != compat.is_torch_array(image):
        raise InvalidArgument("guide must be of the image's kind, a NumPy array or a torch tensor")
    finite = xp.isfinite(guide)
    if guide is image:  # what sees a pixel that is not finite is not finite, whatever it weighs
        guide = xp.where(finite, guide, xp.zeros_like(guide))
    elif not xp.all(finite):
        raise InvalidArgument("guide must be finite, but holds NaN or infinities")
    return guide if guide.ndim == 3 else guide[None]


def _check_maps(image: Array, field: KernelField) -> None:
    leading = tuple(image.shape[:-2])
    for name, values in field.maps.items():
        axes = tuple(getattr(values, "shape", ()))[:-2]
        paired = zip(reversed(axes), reversed(leading), strict=False)
        if len(axes) > len(leading) or any(a not in (1, b) for a, b in paired):
            raise InvalidArgument(
                f"{name} of shape {list(values.shape)} does not broadcast against the image's "
                f"{list(image.shape)}"
            )
        if compat.is_torch_array(values) and not compat.is_torch_array(image):
            raise InvalidArgument(f"{name} is a torch tensor, but image is a NumPy array")
