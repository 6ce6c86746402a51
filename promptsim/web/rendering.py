"""Templates ─► HTML, with autoescape always on and names for what the templates write of figures and times."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from promptsim.web import drawing, marking

FOLDER = Path(__file__).parent
STATIC = {"page.css": "text/css", "page.js": "text/javascript", "htmx-2.0.11.min.js": "text/javascript",
          "icon.svg": "image/svg+xml"}  # fmt: skip


def static_digest(name: str) -> str:
    """The beginning of a file's digest: part of its address, so that browsers keep it until it changes."""
    return hashlib.sha256((FOLDER / "static" / name).read_bytes()).hexdigest()[:12]


def address(path: str, **query: object) -> str:
    """A path with a query; what is empty is left out."""
    given = {name: value for name, value in query.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(given)}" if given else path


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def p_value(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 1e-300" if value == 0 else f"{value:.1e}" if value < 0.001 else f"{value:.3f}"


def figure(value: object) -> str:
    """A value of evidence."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return marking.line(str(value), 60)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        plain=marking.plain,
        brief=marking.brief,
        line=marking.line,
        slots=marking.template,
        when=drawing.moment,
        p=p_value,
        figure=figure,
        plural=plural,
        count="{:,}".format,
        day=lambda time: drawing.moment(time)[:10],
        words=lambda name: str(name).replace("_", " "),
    )
    digests = {name: static_digest(name) for name in STATIC}
    made.globals.update(static=lambda name: f"/static/{digests[name]}/{name}", address=address, session=None)
    return made


_ENVIRONMENT = _environment()


def render(name: str, code: int = 200, /, **context: Any) -> HTMLResponse:
    """A template as an answer."""
    return HTMLResponse(_ENVIRONMENT.get_template(name).render(**context), code)
