"""The few kinds of trouble that svfilter reports, and nothing else."""

from __future__ import annotations


class SvfilterError(Exception):
    """Anything that svfilter refuses or cannot do, with a message meant for its user."""


class InvalidArgument(SvfilterError, ValueError):
    """An argument breaks a rule; the message names it, the rule and what was received."""


class EngineUnavailable(SvfilterError, RuntimeError):
    """An engine or a device that was asked for by name cannot run this problem here."""


class ImageReadError(SvfilterError):
    """An image cannot be read, or not without losing something."""


class ImageWriteError(SvfilterError):
    """An image cannot be written; whatever stood at its place before is untouched."""


class VerificationFailed(SvfilterError):
    """A result is farther from the oracle's than its engine states; nothing was written."""


class SvfilterWarning(UserWarning):
    """Something a user should know although the work goes on."""
