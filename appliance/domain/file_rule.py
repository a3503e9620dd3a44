"""What one question asks of each file, whether it was uploaded or lies in the answer itself; and how an
answer names one that was uploaded: by the path it is served at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from appliance.domain.element import Question
from appliance.domain.file_type import is_accepted
from appliance.domain.message import Message, Said, Wording
from appliance.domain.survey_core import text
from appliance.domain.values import js_text

PATH: Final = "/api/v1/forms/{form_id}/files/{file_id}"
_PATH: Final = re.compile(r"/api/v1/forms/([A-Za-z0-9-]{1,64})/files/([A-Za-z0-9-]{1,64})", re.ASCII)

_CATEGORIES: Final[Mapping[str, tuple[str, ...]]] = {
    "image": (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tiff", ".svg"),
    "video": (".mp4", ".avi", ".mov", ".wmv", ".flv", ".mkv", ".webm"),
    "audio": (".mp3", ".wav", ".aac", ".ogg", ".wma", ".flac"),
    "document": (
        ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".txt", ".rtf", ".odt",
    ),
    "archive": (".zip", ".rar", ".7z", ".tar", ".gz"),
}  # fmt: skip
"""settings.acceptedFileCategories of survey-core 3.1.1."""


@dataclass(frozen=True, slots=True)
class FileRule:
    """What one question asks of each file."""

    name: str
    is_signature: bool
    apart: bool
    """storeDataAsText is false: nothing but uploaded files will do."""
    accepted: tuple[str, ...]
    """Endings and types, as in HTML's `accept`; empty: all."""
    most: int
    """Bytes; 0: as many as the appliance takes."""

    def fault(self, name: str, kind: str, size: int) -> Said | None:
        """What is wrong with a file of that name, type and size."""
        if self.most > 0 and size > self.most:
            return Message("exceedMaxSize", (size_text(self.most),))
        if self.accepted and not is_accepted(self.accepted, name, kind):
            return f"this question takes {', '.join(self.accepted)}"
        return None


def file_rule(question: Question) -> FileRule:
    node = question.node
    apart = not node.flag("storeDataAsText")
    if question.kind == "signaturepad":
        return FileRule(question.name, True, apart, ("image/*",), 0)
    return FileRule(question.name, False, apart, _accepted(question), int(node.value("maxSize")))


def file_of(content: str) -> tuple[str, str] | None:
    """The ids of the form and the file that a content names."""
    found = _PATH.fullmatch(content)
    return (found[1], found[2]) if found else None


def _accepted(question: Question) -> tuple[str, ...]:
    """QuestionFileModel.renderedAcceptedTypes."""
    given = question.node.values.get("acceptedTypes")
    listed = given if isinstance(given, list) else str(given or "").split(",")
    categories = question.node.values.get("acceptedCategories")
    found = [kind for one in categories or () for kind in _CATEGORIES.get(js_text(one), ())]
    found += [js_text(one).strip().lower() for one in listed]
    return tuple(dict.fromkeys(one for one in found if one))


def size_text(size: int) -> Wording:
    """ExceedSizeError.getTextSize: the point is a point in every language."""
    power = min(int(math.log(size) / math.log(1024)), 4)
    number = f"{size / 1024**power:.{(0, 0, 2, 3, 3)[power]}f}"
    return lambda language: f"{number} {_units(language)[power]}"


def _units(language: str) -> list[str]:
    """survey-core splits at `, ` alone, and finds one unit where the language has other commas."""
    found = re.split(r"[,、] ?", text("fileSizeUnits", language))
    return found if len(found) == 5 else text("fileSizeUnits", "en").split(", ")
