"""The questions of a form that are answered with files, wherever they stand, and where data names files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.answer_nested import template
from appliance.domain.answer_table import row_elements
from appliance.domain.element import Elements, Question
from appliance.domain.faults import token
from appliance.domain.file_rule import FileRule, file_rule
from appliance.domain.form import Form


@dataclass(slots=True)
class Named:
    """One place in the data where a file may be named, and what stands there."""

    path: str
    rule: FileRule
    content: str
    put: Callable[[str, str], None]
    """Writes the name and the type of the file beside its content."""


@dataclass(frozen=True, slots=True)
class FilePlan:
    """Where files may be in one object of answers; false when nowhere."""

    rules: tuple[tuple[str, FileRule], ...]
    within: tuple[tuple[str, FilePlan], ...]

    def __bool__(self) -> bool:
        return bool(self.rules or self.within)

    def find(self, name: str) -> tuple[FileRule, ...]:
        """The questions of that name, those that stand outside first."""
        mine = tuple(rule for _, rule in self.rules if rule.name == name)
        return (*mine, *(rule for _, plan in self.within for rule in plan.find(name)))

    def named(self, data: Mapping[str, Any], at: str) -> Iterator[Named]:
        """All files of data that was checked, which stands at `at`."""
        for key, rule in self.rules:
            if key in data:
                yield from _of_answer(rule, data[key], at + token(key))
        for key, plan in self.within:
            for step, part in _parts(data.get(key)):
                yield from plan.named(part, at + token(key) + token(step))


NO_FILES: Final = FilePlan((), ())


def file_plan(form: Form) -> FilePlan:
    return _plan(form.elements)


def _plan(elements: Elements) -> FilePlan:
    rules = tuple(
        (one.key, file_rule(one)) for one in elements.questions if one.kind in ("file", "signaturepad")
    )
    below = ((one.key, _plan(inner)) for one in elements.questions if (inner := _inner(one)) is not None)
    return FilePlan(rules, tuple((key, plan) for key, plan in below if plan))


def _inner(question: Question) -> Elements | None:
    if question.kind == "paneldynamic":
        return template(question.node)
    return row_elements(question.node) if question.kind in ("matrixdropdown", "matrixdynamic") else None


def _parts(answer: object) -> Iterator[tuple[str | int, Mapping[str, Any]]]:
    """Panels and rows: a list of objects, or objects by the name of their row."""
    if isinstance(answer, dict):
        yield from ((name, part) for name, part in answer.items() if isinstance(part, dict))
    elif isinstance(answer, list):
        yield from ((place, part) for place, part in enumerate(answer) if isinstance(part, dict))


def _of_answer(rule: FileRule, answer: Any, path: str) -> Iterator[Named]:
    if rule.is_signature:
        if isinstance(answer, str):
            yield Named(path, rule, answer, lambda name, kind: None)
        return
    for place, item in enumerate(answer if isinstance(answer, list) else ()):
        if isinstance(item, dict):
            yield Named(f"{path}/{place}", rule, str(item.get("content", "")), _putter(item))


def _putter(item: dict[str, Any]) -> Callable[[str, str], None]:
    def put(name: str, kind: str) -> None:
        item.update(name=name, type=kind)

    return put
