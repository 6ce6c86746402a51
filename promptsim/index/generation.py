"""files of an index → a generation on disk that is either whole or not there.

    GENERATIONS/CURRENT           the current generation's name and its manifest's digest, replaced atomically
    GENERATIONS/00000007/…        one generation: manifest.json and the files it names, never changed once written

A generation is built in a hidden folder, flushed, renamed, and only then named by CURRENT; a kill at any moment leaves
the old one answering. Files that a new generation keeps are hard links to the old one's. Readers hold a shared lock on
the manifest of what they read, and a generation is removed only when it is neither current nor so held.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from promptsim.errors import BusyError, DamagedError
from promptsim.index.seal import Seal, digest_of, sync

try:
    import fcntl
except ImportError:  # not a POSIX system: no locks, so old generations are kept until the next start
    fcntl = None  # type: ignore[assignment]

FORMAT = 2
CURRENT = "CURRENT"
MANIFEST = "manifest.json"
BUILDING = ".building-"


@dataclass(frozen=True, slots=True)
class Identity:
    """What must be the same for a generation to fit: the encoder, the vectors' width and the tokeniser's version."""

    encoder_name: str
    encoder_digest: str
    dimension: int
    text_version: str


@dataclass(frozen=True, slots=True)
class Segment:
    """The prompts numbered `start` to `stop` - 1, of which `prompts` were not erased when it was written."""

    start: int
    stop: int
    prompts: int

    @property
    def name(self) -> str:
        """What its files' names begin with."""
        return f"{self.start:010d}-{self.stop:010d}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is: whose vectors, how many prompts, in which segments, and the seal of every file.

    `segments` adjoin, from prompt 0 to `count`.
    """

    kind: str
    identity: Identity
    count: int
    segments: tuple[Segment, ...]
    files: Mapping[str, Seal] = field(default_factory=dict)

    def dump(self) -> bytes:
        fields = {"format": FORMAT, **asdict(self)}
        return (json.dumps(fields, indent=1, sort_keys=True) + "\n").encode()

    @staticmethod
    def parse(data: bytes) -> Manifest:
        fields = json.loads(data)
        if fields["format"] != FORMAT:
            raise DamagedError(f"index format {fields['format']} is not {FORMAT}, which this release reads")
        return Manifest(
            kind=fields["kind"],
            identity=Identity(**fields["identity"]),
            count=fields["count"],
            segments=tuple(Segment(**each) for each in fields["segments"]),
            files={name: Seal(**entry) for name, entry in fields["files"].items()},
        )


class Generation:
    """One generation, open for reading: `folder`, `manifest`, and a shared lock that keeps it from being removed."""

    def __init__(self, folder: Path, manifest: Manifest, lock: IO[bytes] | None = None) -> None:
        self.folder, self.manifest, self._lock = folder, manifest, lock

    @property
    def name(self) -> str:
        return self.folder.name

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def current_name(generations: Path) -> tuple[str, str] | None:
    """The current generation's name and its manifest's digest, or None if there is none yet."""
    try:
        words = (generations / CURRENT).read_text(encoding="ascii").split(" ")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(f"{generations / CURRENT}: cannot be read ({error})") from error
    if len(words) != 2 or not words[0].isdigit() or not words[1].endswith("\n"):
        raise DamagedError(f"{generations / CURRENT}: not a generation's name and digest")
    return words[0], words[1][:-1]


def open_current(generations: Path) -> Generation | None:
    """Open what CURRENT names, or None if nothing was ever built; raises DamagedError.

    A writer may swap and remove between our reading of CURRENT and of the manifest: then CURRENT has changed, and we
    look again.
    """
    named = current_name(generations)
    while named is not None:
        try:
            return _open(generations / named[0], named[1])
        except DamagedError:
            again = current_name(generations)
            if again == named:
                raise
            named = again
    return None


def _open(folder: Path, digest: str) -> Generation:
    try:
        lock = (folder / MANIFEST).open("rb")
    except OSError as error:
        raise DamagedError(f"{folder}: no readable manifest ({error})") from error
    try:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_SH)
        data = lock.read()
        if digest_of(data) != digest or not (folder / MANIFEST).exists():
            raise DamagedError(f"{folder / MANIFEST}: digest differs from the one in {CURRENT}")
        return Generation(folder, Manifest.parse(data), lock)
    except (KeyError, TypeError, ValueError) as error:
        lock.close()
        raise DamagedError(f"{folder / MANIFEST}: not a manifest ({error})") from error
    except DamagedError:
        lock.close()
        raise


@contextlib.contextmanager
def building(generations: Path) -> Iterator[Path]:
    """A hidden folder to build in, one builder at a time (BusyError); gone afterwards unless it was published."""
    generations.mkdir(parents=True, exist_ok=True)
    with (generations / ".lock").open("a") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BusyError(f"another process is building an index in {generations}") from error
        for left_over in generations.glob(
            BUILDING + "*"
        ):  # by a builder that was killed: it held the lock that we hold
            shutil.rmtree(left_over, ignore_errors=True)
        folder = generations / f"{BUILDING}{os.getpid()}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def publish(generations: Path, built: Path, manifest: Manifest) -> str:
    """Make a built folder the current generation; gives its name. `remove_old` then removes what is of no more use.

    Every file that the manifest names must lie in `built`, sealed (and so flushed) already.
    """
    data = manifest.dump()
    (built / MANIFEST).write_bytes(data)
    sync(built / MANIFEST)
    sync(built)
    numbers = [int(path.name) for path in generations.iterdir() if path.name.isdigit()]
    name = f"{max(numbers, default=0) + 1:08d}"
    built.rename(generations / name)
    sync(generations)
    replacement = generations / (CURRENT + ".new")
    replacement.write_text(f"{name} {digest_of(data)}\n", encoding="ascii")
    sync(replacement)
    replacement.replace(generations / CURRENT)
    sync(generations)
    return name


def link_or_copy(source: Path, target: Path) -> None:
    """Keep a file of the old generation in the new one."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
        sync(target)


def remove_old(generations: Path, keep: str) -> None:
    """Remove generations other than `keep` that no reader holds open."""
    for folder in sorted(path for path in generations.iterdir() if path.name.isdigit() and path.name != keep):
        manifest = folder / MANIFEST
        with contextlib.suppress(OSError):
            if fcntl is not None and manifest.exists():
                with manifest.open("rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
            elif fcntl is not None:
                shutil.rmtree(folder)
