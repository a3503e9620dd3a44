"""The HTML around a form: the page people fill in, and the pages of words instead of it.

The form's JSON lies in a data block, which no Content-Security-Policy has to allow; all else is loaded from
/static/form/, built by scripts/web.
"""

from __future__ import annotations

import functools
import html
import string
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from appliance.services.form_pages import OpenForm
from appliance.web import built, words

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors {ancestors}"
)
"""`style-src-attr` is for `style` in the HTML that a form's owner writes; scripts are never inline."""


_KEPT = 1000
_SPOKEN: dict[tuple[str, int], frozenset[str]] = {}


class Language(msgspec.Struct, frozen=True):
    code: str
    name: str


class PageData(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What the page's script starts with (frontend/form/page.js)."""

    form_id: str
    slug: str
    title: str
    language: str
    languages: list[Language]
    texts: dict[str, str]
    theme: str
    appearance: str
    form: msgspec.Raw | None
    """As GET /api/v1/forms/{form_id} gives it; null while a PIN is asked for."""


def policy(frame_ancestors: Iterable[str] = ()) -> str:
    """The Content-Security-Policy of a form's page; the form says who else may frame it."""
    return _POLICY.format(ancestors=" ".join(("'self'", *frame_ancestors)))


def language_of(form: OpenForm, asked: str | None, accepted: str) -> tuple[str, list[str]]:
    """Of the page, and all that the form has texts in."""
    wanted, spoken = _languages(form)
    default = words.known(wanted)
    offered = [*spoken] if default is None else sorted({default, *spoken})
    return words.choose(asked, accepted, offered, wanted), offered


def _languages(form: OpenForm) -> tuple[str | None, frozenset[str]]:
    """What the form wants to be shown in, and what it has texts in."""
    own: str | None = form.settings.get("language")
    if form.survey is None:
        return own, frozenset()
    key = (form.form_id, form.version)  # a published version never changes
    if key not in _SPOKEN:
        if len(_SPOKEN) > _KEPT:
            _SPOKEN.clear()
        _SPOKEN[key] = words.spoken(form.survey)
    spoken = _SPOKEN[key]
    return own or form.survey.text("locale") or (words.ENGLISH if spoken else None), spoken


def form_html(form: OpenForm, language: str, offered: list[str]) -> str:
    texts = words.texts(language)
    settings = form.settings
    title = form.title if form.body is not None else texts["form"]  # nothing of it without its PIN
    data = PageData(
        form_id=form.form_id,
        slug=form.slug,
        title=title,
        language=language,
        languages=[Language(code, built.manifest().languages[code].name) for code in offered],
        texts=dict(texts),
        theme=settings.get("theme", "default"),
        appearance=settings.get("appearance", "auto"),
        form=None if form.body is None else msgspec.Raw(form.body.content),
    )
    scheme = {"auto": "light dark"}.get(data.appearance, data.appearance)
    return _template("form.html").substitute(
        _frame(language, title),
        scheme=scheme,
        scheme_class=f"appearance-{data.appearance}",
        preloads="\n".join(
            f'<link rel="modulepreload" href="/static/form/{name}">' for name in built.manifest().preload
        ),
        script=built.path("main.js"),
        noscript=html.escape(texts["noscript"]),
        loading=html.escape(texts["loading"]),
        page=_in_script(data),
    )


def notice_html(
    language: str,
    title: str,
    paragraphs: Iterable[str],
    faults: Iterable[str] = (),
    *,
    script: str | None = None,
) -> str:
    """Words instead of a form. `script` is a source in frontend/form/."""
    lines = [f"<p>{html.escape(text)}</p>" for text in paragraphs]
    items = [f"<li>{html.escape(text)}</li>" for text in faults]
    if items:
        lines.append("<ul>" + "".join(items) + "</ul>")
    tag = "" if script is None else f'<script type="module" src="{built.path(script)}"></script>'
    return _template("notice.html").substitute(_frame(language, title), content="\n".join(lines), script=tag)


def _frame(language: str, title: str) -> dict[str, Any]:
    known = built.manifest().languages[language]
    return {
        "language": html.escape(language),
        "direction": "rtl" if known.rtl else "ltr",
        "title": html.escape(title),
        "style": built.path("style.css"),
    }


def _in_script(data: PageData) -> str:
    """JSON that cannot end the element it stands in."""
    return msgspec.json.encode(data).decode().replace("<", "\\u003c")


@functools.cache
def _template(name: str) -> string.Template:
    return string.Template((Path(__file__).parent / "templates" / name).read_text(encoding="utf-8"))
