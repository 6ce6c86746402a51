"""A file of known public prompts → their texts and family ids: what the operator knows to be innocent.

One prompt or family id on each line; in a `.jsonl` file each line is a JSON string, so that a prompt may have several
lines itself. Empty lines and lines that begin with "# " are left out of a plain file.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from promptsim.errors import UsageError

MOST_BYTES = 64 << 20


def read_known(path: Path | None) -> frozenset[str]:
    """Empty without a file; UsageError names the file, the line and what to write."""
    if path is None:
        return frozenset()
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} has more than {MOST_BYTES >> 20} MB: list the prompts that matter")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"the known prompts cannot be read from {path}: {why}") from None
    if path.suffix == ".jsonl":
        return frozenset(_text(path, at, line) for at, line in enumerate(lines, 1) if line.strip())
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("# "))


def _text(path: Path, at: int, line: str) -> str:
    try:
        return msgspec.json.decode(line, type=str)
    except msgspec.MsgspecError:
        raise UsageError(f'{path}, line {at}: write each known prompt as a JSON string, e.g. "Act as a …"') from None
