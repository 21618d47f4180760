"""Arrays in files, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svfilter.errors import ImageReadError, InvalidArgument
from svfilter.images.sources import STREAM, why

if TYPE_CHECKING:
    from svfilter.kernels.base import Array


def refuse_stream(name: str) -> None:
    """Refuse stdin, which can be read once only.

    Raises:
        InvalidArgument: that is what it is.
    """
    if name == STREAM:
        raise InvalidArgument("kernels and their maps cannot be read from - (stdin): name a file")


def load_arrays(name: str) -> dict[str, Array]:
    """Give the arrays of an .npz by their names, or that of an .npy under "".

    An .npy is not read before its values are asked for.

    Raises:
        InvalidArgument: it is stdin.
        ImageReadError: it cannot be read, or holds something else.
    """
    import numpy as np

    refuse_stream(name)
    try:
        loaded = np.load(name, mmap_mode="r", allow_pickle=False)
        arrays = {"": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except OSError as error:
        raise ImageReadError(f"{name}: cannot be read: {why(error)}") from error
    except Exception as error:  # damaged bytes lead to errors of any kind
        raise ImageReadError(f"{name}: is no .npy or .npz of numbers: {error}") from error
    for key, array in arrays.items():
        if array.dtype.kind not in "biuf":
            which = f"its array {key!r}" if key else "it"
            raise ImageReadError(f"{name}: {which} must hold real numbers, but holds {array.dtype}")
    return arrays
