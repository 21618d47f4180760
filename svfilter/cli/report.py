"""How a command ends: a message on stderr and an exit code, never a traceback for bad input."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from svfilter.errors import (
    EngineUnavailable,
    ImageReadError,
    ImageWriteError,
    InvalidArgument,
    SvfilterError,
    VerificationFailed,
)
from svfilter.images.targets import silence_stdout

INTERRUPTED = 130
EXIT_CODES = {
    InvalidArgument: 2,
    EngineUnavailable: 2,
    ImageReadError: 1,
    ImageWriteError: 1,
    VerificationFailed: 1,
}


class ReportingGroup(click.Group):
    """A group of commands that ends as the contract of exit codes says."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find a command; where a file's name stands in its place, say what is missing."""
        if args[0] not in self.commands and Path(args[0]).is_file():
            raise click.UsageError(
                f"{args[0]!r} is a file, not a command; did you mean: svfilter blur {args[0]} ...",
                ctx,
            )
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command and exit; click's own ending is kept for what click raises."""
        kwargs["standalone_mode"] = False
        try:
            _treat_termination_as_interrupt()
            code = super().main(*args, **kwargs)
        except click.Abort:  # click has turned Ctrl-C into this
            click.echo("svfilter: interrupted; nothing was written", err=True)
            code = INTERRUPTED
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except SvfilterError as error:
            click.echo(f"svfilter: error: {error}", err=True)
            code = EXIT_CODES[type(error)]
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and "memory" not in str(error):
                raise
            click.echo(
                "svfilter: error: there is not enough memory; nothing was written. Try a smaller "
                f"--memory, --tile or image ({error})",
                err=True,
            )
            code = 1
        except OSError as error:  # of stdout, where help and versions are printed
            silence_stdout()
            click.echo(f"svfilter: error: {error}", err=True)
            code = 1
        sys.exit(code)


def _treat_termination_as_interrupt() -> None:
    """Let SIGTERM clean up as Ctrl-C does."""
    with suppress(ValueError):  # in a thread: then it is not for us to say
        signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def warnings_on_stderr(*, quiet: bool) -> Iterator[None]:
    """Print warnings and what is said meanwhile as one line each, or not at all."""
    log, spoken = logging.getLogger("svfilter"), _Spoken()
    log.addHandler(spoken)
    log.setLevel(logging.ERROR if quiet else logging.INFO)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if quiet else "always", UserWarning)
        said: set[str] = set()

        def say(message: str) -> None:
            if message not in said:
                said.add(message)
                click.echo(f"svfilter: warning: {message}", err=True)

        warnings.showwarning = lambda message, *rest: say(str(message))
        try:
            yield
        finally:
            log.removeHandler(spoken)


class _Spoken(logging.Handler):
    """Print what the library logs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        click.echo(f"svfilter: {record.getMessage()}", err=True)
