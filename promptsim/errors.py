"""Errors that a user can act on.

Inside the package these are raised; only the edges (`cli`, `api`) turn them into exit codes and HTTP problems.
Every message names what was wrong and, where there is one, the fix.
"""

from __future__ import annotations


class PromptsimError(Exception):
    """Base of every error this package raises on purpose.

    `code` is stable and machine-readable; `exit_status` is what the command line ends with
    (2: the call cannot be used as given, 1: the work failed).
    """

    code = "failure"
    exit_status = 1


class UsageError(PromptsimError):
    """The call itself is wrong: an unknown option value, a missing file, an impossible filter."""

    code = "unusable-call"
    exit_status = 2


class UnusableAddressError(UsageError):
    """An address that nothing may be sent to."""

    code = "unusable-address"


class ConflictError(UsageError):
    """The call fits, but not with how things stand: somebody decided, or there is more than was shown."""

    code = "conflict"


class NotFoundError(PromptsimError):
    """Nothing is known under the given id."""

    code = "not-found"
    exit_status = 2


class HomeError(PromptsimError):
    """The home folder cannot be used: not a home, from a newer release, or not writable."""

    code = "home-unusable"


class BusyError(PromptsimError):
    """Another process holds what this one needs (the writer's lock, the lease of a run)."""

    code = "busy"


class DamagedError(PromptsimError):
    """A file does not match its recorded digest; it is never answered from."""

    code = "damaged"


class EncoderMismatchError(PromptsimError):
    """Stored vectors were made by another encoder than the one asked for."""

    code = "encoder-mismatch"


class StorageFullError(PromptsimError):
    """The disk is full; nothing that was acknowledged is lost."""

    code = "storage-full"
