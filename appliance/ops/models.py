"""`appliance model`: which language models there are, which are used, whether one fits, how fast it is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from appliance import llama_install, settings
from appliance.ai.engine import Message, ModelFault
from appliance.errors import CannotStart
from appliance.ops.table import print_table, size
from appliance.services import ai_models
from appliance.services.ai_models import Judgement, Purpose
from appliance.settings import Settings

_LABELS = (" positive", " negative", " neutral")
_SHOTS = "".join(
    f"Text: {text}\nMood:{label}\n\n"
    for text, label in zip(("I love it.", "It broke at once.", "It came on Monday."), _LABELS, strict=True)
)
_TEXTS = ("The staff could not have been kinder.", "Nobody answers the telephone.", "We ordered two of them.")


def show(*, as_json: bool) -> int:
    """All GGUF files that are known, and which of them are used."""
    asked = settings.load()
    rows = [_row(asked, path) for path in _known(asked)]
    if as_json:
        print(json.dumps({"models": rows}, indent=2))
        return 0
    found = ai_models.condition(asked)
    print(f"AI: {found.kind}" + (f": {found.detail}" if found.detail else ""))
    if rows:
        print_table(
            ("MODEL", "FOR", "SIZE", "USED", "CONTEXT", "FILE"),
            [
                (
                    row["name"],
                    row["purpose"],
                    size(row["bytes"]),
                    row["used"] or "-",
                    str(row["context"] or "-"),
                    row["fault"] or row["path"],
                )
                for row in rows
            ],
        )
    return 0


def _known(asked: Settings) -> list[Path]:
    used = [choice.path for purpose in ai_models.PURPOSES if (choice := ai_models.find(asked, purpose))]
    return list(dict.fromkeys([*used, *ai_models.files(asked)]))


def _row(asked: Settings, path: Path) -> dict[str, Any]:
    by = {
        choice.path: f"{purpose} ({choice.by})"
        for purpose in ai_models.PURPOSES
        if (choice := ai_models.find(asked, purpose))
    }
    row: dict[str, Any] = {
        "name": path.stem,
        "path": str(path),
        "purpose": "-",
        "bytes": path.stat().st_size if path.is_file() else 0,
        "used": by.get(path),
        "context": None,
        "fault": None,
    }
    try:
        judged = ai_models.judge(asked, path)
    except ModelFault as fault:
        return row | {"fault": str(fault)}
    return row | {"purpose": _purpose(judged), "context": judged.fit.context}


def _purpose(judged: Judgement) -> Purpose:
    return "embedding" if judged.header.is_embedder else "chat"


def check(file: str | None, *, as_json: bool) -> int:
    """Whether a file, or what is used, can be: 1 when not."""
    asked = settings.load()
    paths = [_path(asked, file)] if file else _known(asked)[:2]
    faults, rows = 0, list[dict[str, Any]]()
    for path in paths:
        try:
            judged = ai_models.judge(asked, path)
        except ModelFault as fault:
            faults += 1
            rows.append({"path": str(path), "fault": str(fault)})
            told = str(fault)
        else:
            rows.append(_described(judged))
            told = _in_words(judged)
        if not as_json:
            print(told)
    if as_json:
        print(json.dumps({"models": rows}, indent=2))
    elif not paths:
        print(f"there is no model; {llama_install.NEXT}")
    return 1 if faults or not paths else 0


def _described(judged: Judgement) -> dict[str, Any]:
    header, need = judged.header, judged.fit.need
    return {
        "path": str(header.path),
        "architecture": header.architecture,
        "context": judged.fit.context,
        "is_tight": judged.fit.is_tight,
        "need": {**need._asdict(), "total": need.total},
        "memory": judged.memory,
    }


def _in_words(judged: Judgement) -> str:
    header, need = judged.header, judged.fit.need
    parts = ", ".join(f"{size(count)} {name}" for name, count in need._asdict().items())
    lines = [
        f"{header.path}: {header.name} ({header.architecture}), for {_purpose(judged)}",
        f"  fits with {judged.fit.context} tokens of context: {size(need.total)} ({parts})",
        f"  of the {size(judged.memory)} that worker-ai may have",
    ]
    if judged.fit.is_tight:
        lines.append("  tight: prompts and analyses are slower than with more memory")
    return "\n".join(lines)


DEFAULT = "default"


def use(file: str) -> int:
    """From the next start of worker-ai on; `default` means those that came along. Raises CannotStart for what
    cannot be used.
    """
    asked = settings.load()
    if file == DEFAULT:
        for each in ai_models.PURPOSES:
            ai_models.link(asked, each).unlink(missing_ok=True)
        print("next: ./scripts/appliance reload")
        return 0
    path = _path(asked, file)
    try:
        judged = ai_models.judge(asked, path)
    except ModelFault as fault:
        raise CannotStart(str(fault)) from None
    purpose = _purpose(judged)
    name = "AI_MODEL" if purpose == "chat" else "EMBEDDING_MODEL"
    if (asked.ai_model if purpose == "chat" else asked.embedding_model) is not None:
        raise CannotStart(f"{name} is set, and wins; next: change it there, or unset it")
    link = ai_models.link(asked, purpose)
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = link.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.symlink_to(path.resolve())
    os.replace(new, link)  # noqa: PTH105
    print(_in_words(judged))
    print("next: ./scripts/appliance reload")
    return 0


def _path(asked: Settings, file: str) -> Path:
    """A path, or the name of a known model."""
    named = {path.stem: path for path in ai_models.files(asked)}
    return named.get(file.removesuffix(".gguf")) or Path(file).expanduser().resolve()


def bench(*, as_json: bool) -> int:
    """How fast the models in use are here, on as many threads as worker-ai has. Takes some seconds of CPU."""
    state = llama_install.state()
    if state.kind != "ready":
        raise CannotStart(f"AI is {state.kind}: {state.detail}")
    llama_install.use()
    from appliance.ai.models import Models

    asked = settings.load()
    models = Models(ai_models.chosen(asked))
    try:
        rows = _measure(models)
    except ModelFault as fault:
        raise CannotStart(str(fault)) from None
    finally:
        models.close()
    if as_json:
        print(json.dumps({"threads": models.chosen.threads, "rows": rows}, indent=2))
    else:
        print(f"{models.chosen.threads} threads")
        print_table(
            ("WORK", "", "SECONDS", "CPU SECONDS", "PER SECOND"),
            [
                (row["work"], f"{row['count']} {row['unit']}", f"{row['seconds']:.2f}", f"{row['cpu']:.2f}",
                 f"{row['count'] / max(row['seconds'], 1e-6):.1f}")
                for row in rows
            ],
        )  # fmt: skip
    return 0


def _measure(models: Any) -> list[dict[str, Any]]:
    long = Message("user", "What is this about? " + "The quick brown fox jumps over the lazy dog. " * 50)
    story = Message("user", "Write a long story about a dragon who opens a bakery.")
    return [
        _timed("load and first vector", "models", lambda: models.embed(_TEXTS[:1]) is not None),
        _timed("vectors", "texts", lambda: len(models.embed(_TEXTS * 20))),
        _timed("load and first label", "models", lambda: len(_scores(models, 1))),
        _timed("labels scored", "texts", lambda: len(_scores(models, 60))),
        _timed("a prompt", "tokens", lambda: _last(models, [long], 1).usage.prompt),
        _timed("an answer", "tokens", lambda: _last(models, [story], 100).usage.generated),
    ]


def _scores(models: Any, count: int) -> Any:
    rests = [f" {text}\nMood:" for text in (_TEXTS * count)[:count]]
    return models.score_many(f"{_SHOTS}Text:", rests, _LABELS)


def _last(models: Any, messages: Sequence[Message], most: int) -> Any:
    last = None
    for piece in models.generate(messages, most=most):
        last = piece
    return last


def _timed(work: str, unit: str, call: Any) -> dict[str, Any]:
    started, cpu = time.monotonic(), time.process_time()
    count = int(call())
    return {
        "work": work,
        "count": count,
        "unit": unit,
        "seconds": time.monotonic() - started,
        "cpu": time.process_time() - cpu,
    }
