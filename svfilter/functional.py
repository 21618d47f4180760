"""Arrays in, arrays out: check, pad, choose an engine, run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import array_api_compat as compat

from svfilter import devices
from svfilter.borders import Bordered, surround
from svfilter.engines import choose_engine
from svfilter.engines.base import Engine, Problem, needs_gradient
from svfilter.errors import InvalidArgument
from svfilter.field import KernelField
from svfilter.tiles import BOUNDARIES, Window

if TYPE_CHECKING:
    from svfilter.kernels.base import Array


def filter_image(
    image: Array,
    field: KernelField,
    *,
    boundary: str = "replicate",
    engine: str = "auto",
    tolerance: float = 0.0,
    device: str | None = None,
    memory: int | None = None,
    jobs: int | None = None,
) -> Array:
    """Filter an image with a kernel of its own at every pixel.

        out(p) = Σ_d w(d; θ(p)) · x(p + d)

    where p is the output pixel, d = (dy, dx) an offset within the kernel, w the family's
    weights and θ(p) the field's parameters at p. A correlation: kernels are not flipped.

    Args:
        image: [..., H, W], floating point, a NumPy array or a torch tensor; every channel and
            image of a batch is filtered alike unless the field's maps say otherwise. Float16
            and bfloat16 are summed in float32. A NaN spreads as far as the kernels that see it.
        field: the kernels; its maps are [..., H, W] and broadcast against the image's
            leading axes. They are taken in the precision that the sum is made in, float64 for
            a float64 image, else float32. Maps that need gradients make the result
            differentiable in them.
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
    _check_image(image)
    if not isinstance(field, KernelField):
        raise InvalidArgument(
            "field must be a KernelField, as in KernelField(Gaussian(sigma=2.0)), but is a "
            f"{type(field).__name__}"
        )
    height, width = image.shape[-2:]
    field.validate(height, width)
    _check_maps(image, field)
    if device is not None and compat.is_torch_array(image):
        raise InvalidArgument("device is for NumPy images; move a tensor with image.to(device)")
    place = str(image.device) if compat.is_torch_array(image) else devices.resolve(device or "cpu")
    check_tolerance(tolerance)
    check_jobs(jobs)
    bits = compat.array_namespace(image).finfo(image.dtype).bits
    problem = Problem(
        place,
        *field.ends(),
        dtype="float64" if bits == 64 else "float32",
        needs_gradient=needs_gradient(image, field),
        tolerance=tolerance,
        planes=math.prod(image.shape[:-2]),
        pixels=height * width,
    )
    chosen = choose_engine(engine, problem)
    result = filter_window(
        lambda source: image[..., source.rows, source.cols],
        field,
        Window(0, 0, height, width),
        size=(height, width),
        boundary=boundary,
        engine=chosen,
        problem=problem,
        memory=devices.modest_memory(place) if memory is None else memory,
        jobs=jobs,
    )
    return _restore(result, image)


def filter_window(
    read: Callable[[Window], Array],
    field: KernelField,
    window: Window,
    *,
    size: tuple[int, int],
    boundary: str,
    engine: Engine,
    problem: Problem,
    memory: int,
    jobs: int | None = None,
) -> Array:
    """Filter one window of an image, reading no more of the image than its kernels reach.

    Args:
        read: gives the pixels [..., h, w] of any window within the image.
        field: the kernels of the window's own pixels, already checked.
        window: which pixels to make.
        size: height and width of the whole image, where the boundary takes over.
        boundary: a key of BOUNDARIES.
        engine: who computes.
        problem: of the whole image.
        memory: bytes for the engine.
        jobs: threads.

    Returns:
        The filtered pixels [..., h, w], as the engine's kind of array.
    """
    image, field = gather(
        read, field, window, size=size, boundary=boundary, engine=engine, problem=problem
    )
    return engine.run(image, field, problem, memory=memory, jobs=jobs)


def gather(
    read: Callable[[Window], Array],
    field: KernelField,
    window: Window,
    *,
    size: tuple[int, int],
    boundary: str,
    engine: Engine,
    problem: Problem,
) -> tuple[Bordered, KernelField]:
    """Give what an engine needs to filter a window: see `filter_window`."""
    dtype = "float64" if engine.always_float64 else problem.dtype

    def move(values: Array) -> Array:
        return _to_kind(values, engine.arrays, dtype, problem.device)

    field = field.transform(move)  # first: a radius may be another in another precision
    image = surround(read, window, engine.margin(problem, field), size, boundary)
    return image.transform(move), field


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


def to_numpy(values: Array) -> Array:
    """Bring an engine's result back as a NumPy array."""
    return _to_kind(values, "numpy", None, "cpu")


def _to_kind(values: Array, kind: str, dtype: str | None, device: str) -> Array:
    """Give an array or a number as a NumPy array or as a tensor on the device."""
    import numpy as np

    if kind == "numpy" and not compat.is_torch_array(values):
        return np.asarray(values, dtype=dtype)
    import torch

    if not compat.is_torch_array(values):
        # Copied only if torch cannot share it: not contiguous, or not writeable.
        values = torch.from_numpy(
            np.require(values, dtype=np.dtype(dtype), requirements=["C", "W"])
        )
    values = values.to(device=device, dtype=getattr(torch, dtype) if dtype else None)
    return values.detach().numpy() if kind == "numpy" else values


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
