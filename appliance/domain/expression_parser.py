"""Reads survey-core's expressions, as its grammar does (expressions/grammar.pegjs of survey-core 3.1.1).

The grammar is a PEG: alternatives are tried in order, what fails is put back, and much that looks wrong is
meant: a closing parenthesis at the end may be missing, `f( )` cannot be read, `trueish` begins with `true`.
Precedence climbing gives the same trees; places where no operand begins are remembered, so that putting back
never costs more than one look at each place.
"""

from __future__ import annotations

import re
from typing import Final

from appliance.domain.expression import Array, Binary, Call, Const, Expression, Name, Null, Unary, below, walk
from appliance.domain.values import whole

MAX_LENGTH: Final = 64 * 1024
MAX_NESTING: Final = 100
"""Parentheses, calls, arrays, negations and operators that wait for a stronger one, within each other."""
MAX_NODES: Final = 2_000

_OPERATORS: Final = (
    (7, "contains", r"\*=|contains|contain"),
    (7, "notcontains", "notcontains|notcontain"),
    (7, "anyof", "anyof"),
    (7, "allof", "allof"),
    (7, "noneof", "noneof"),
    (6, "power", r"\^|power"),
    (5, "mul", r"\*"),
    (5, "div", "/"),
    (5, "mod", "%"),
    (4, "plus", r"\+"),
    (4, "minus", "-"),
    (3, "lessorequal", "<=|lessorequal"),
    (3, "greaterorequal", ">=|greaterorequal"),
    (3, "equal", "==|equal|="),
    (3, "notequal", "!=|notequal"),
    (3, "less", "<|less"),
    (3, "greater", ">|greater"),
    (2, "and", "&&|and"),
    (1, "or", r"\|\||or"),
)
"""Rank, name and spellings; the first that fits is taken. All bind to the left."""
_RANK: Final = {name: rank for rank, name, _ in _OPERATORS}
_SUFFIXED: Final = 7
"""The rank of operators whose right side is one operand, which may be missing."""
_OPERATOR: Final = re.compile(
    "|".join(f"(?P<{name}>{signs})" for _, name, signs in _OPERATORS), re.IGNORECASE | re.ASCII
)
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NOT: Final = re.compile("!|negate", re.IGNORECASE | re.ASCII)
_TEST: Final = re.compile("empty|notempty", re.IGNORECASE | re.ASCII)
_CALL: Final = re.compile(r"([a-zA-Z_][a-zA-Z_0-9]*)\(")
_ATOM: Final = re.compile(
    r"(?P<null>undefined|null)|(?P<true>(?i:true))|(?P<false>(?i:false))|(?P<hex>0x[0-9]+)"
    r"|(?P<number>-?(?:[0-9]+\.[0-9]+|[1-9][0-9]*|0))|(?P<word>[a-zA-Z_][a-zA-Z_0-9]*)|(?P<nothing>''|\"\")"
    r"|'(?P<single>(?:\\['\"]|[^'\"])++)'|\"(?P<double>(?:\\['\"]|[^'\"])++)\"|\{(?P<name>[^{}]+)\}",
    re.ASCII,
)
_ESCAPE: Final = re.compile(r"\\(['\"])")
_SPELLINGS: Final = (("=>", ">="), ("=<", "<="), ("<>", "!="), ("equals", "equal "))
"""What survey-core rewrites before it reads, in strings and names too."""


def parse_expression(text: str) -> Expression:
    """Raises ValueError with what is wrong."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"longer than {MAX_LENGTH} characters")
    for old, new in _SPELLINGS:
        text = text.replace(old, new)
    found = _Reader(text).read()
    if isinstance(found, Null) or any(map(_breaks, walk(found))):
        raise ValueError("null and undefined can only be compared with something: survey-core fails on this")
    return found


def _breaks(one: Expression) -> bool:
    """survey-core has no object for null, and fails where it asks one for its functions."""
    return not isinstance(one, Binary) and any(isinstance(operand, Null) for operand in below(one))


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.place, self.depth, self.count = text, 0, 0, 0
        self.barren: set[int] = set()
        """Places where no operand begins."""
        self.spaces = (-1, -1)

    def read(self) -> Expression:
        found = self.expression(1)
        if found is None:
            raise ValueError(f"no expression: {_shown(self.text, self.skip(0))}")
        if self.place < len(self.text):
            raise ValueError(
                f"cannot be read from character {self.place + 1}: {_shown(self.text, self.place)}"
            )
        return found

    def skip(self, place: int) -> int:
        if self.spaces[0] != place:
            found = _SPACE.match(self.text, place)
            self.spaces = (place, found.end() if found else place)
        return self.spaces[1]

    def expression(self, rank: int) -> Expression | None:
        """An operand and the operators of at least `rank` after it. At 1, spaces around it belong to it."""
        start = self.place
        self.place = self.skip(start)
        left = self.operand()
        if left is None:
            self.place = start
            return None
        while (operator := _OPERATOR.match(self.text, self.skip(self.place))) is not None:
            name = str(operator.lastgroup)
            if _RANK[name] < rank:
                break
            before, self.place = self.place, operator.end()
            self.deepen()
            right = self.expression(_RANK[name] + 1)
            self.depth -= 1
            if right is None and _RANK[name] < _SUFFIXED:
                self.place = before
                break
            if right is None:
                self.place = self.skip(self.place)
            left = self.counted(Binary(name, left, right))
        if rank == 1:
            self.place = self.skip(self.place)
        return left

    def operand(self) -> Expression | None:
        """None, and nothing read, where none begins."""
        start = self.place
        if start in self.barren:
            return None
        self.deepen()
        found = self.group() or self.call() or self.negation() or self.atom() or self.array()
        self.depth -= 1
        if found is None:
            self.place = start
            self.barren.add(start)
        return found

    def deepen(self) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise ValueError(f"nested more than {MAX_NESTING} deep")

    def counted(self, found: Expression) -> Expression:
        self.count += 1
        if self.count > MAX_NODES:
            raise ValueError(f"more than {MAX_NODES} operands and operators")
        return found

    def take(self, sign: str) -> bool:
        if not self.text.startswith(sign, self.place):
            return False
        self.place += len(sign)
        return True

    def group(self) -> Expression | None:
        if not self.take("("):
            return None
        found = self.expression(1)
        if found is not None:
            self.take(")")
        return found

    def call(self) -> Expression | None:
        found = _CALL.match(self.text, self.place)
        if found is None:
            return None
        self.place = found.end()
        params = self.sequence()
        self.take(")")
        return self.counted(Call(found[1], params))

    def negation(self) -> Expression | None:
        found = _NOT.match(self.text, self.place)
        if found is None:
            return None
        start, self.place = self.place, self.skip(found.end())
        operand = self.operand()
        if operand is None:
            self.place = start
            return None
        return self.counted(Unary("negate", operand))

    def atom(self) -> Expression | None:
        found = _ATOM.match(self.text, self.place)
        if found is None:
            return None
        self.place = found.end()
        made = self.counted(_made(str(found.lastgroup), found[str(found.lastgroup)]))
        test = _TEST.match(self.text, self.skip(self.place))
        if test is None:
            return made
        self.place = test.end()
        return self.counted(Unary(test[0].lower(), made))

    def array(self) -> Expression | None:
        if not self.take("["):
            return None
        items = self.sequence()
        return self.counted(Array(items)) if self.take("]") else None

    def sequence(self) -> tuple[Expression, ...]:
        """As survey-core has it: if the first is missing or null, there are none."""
        items = [self.expression(1)]
        while True:
            before = self.place
            self.place = self.skip(before)
            item = self.expression(1) if self.take(",") else None
            if item is None:
                self.place = before
                break
            items.append(item)
        none = items[0] is None or isinstance(items[0], Null)
        return () if none else tuple(item for item in items if item is not None)


def _made(kind: str, text: str) -> Expression:
    if kind == "null":
        return Null()
    if kind in ("true", "false"):
        return Const(kind == "true")
    if kind == "hex":
        return Const(_number(float(int(text, 16)), text))
    if kind == "number":
        return Const(_number(float(text), text))
    if kind == "name":
        return Name(text[1:], raw=True) if len(text) > 1 and text[0] == "#" else Name(text)
    if kind == "nothing":
        return Const("")
    return Const(text if kind == "word" else _ESCAPE.sub(r"\1", text))


def _number(number: float, text: str) -> int | float:
    found = whole(number)
    if found is None:
        raise ValueError(f"no number can be so large: {text[:40]}…")
    return found


def _shown(text: str, place: int) -> str:
    return repr(text[place : place + 20]) if place < len(text) else "the end"
