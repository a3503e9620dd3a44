"""Trees of expressions made into functions, once; they answer for any number of responses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from appliance.domain.comparison import read_value
from appliance.domain.effort import ITEM, OPERAND, breadth, weigh
from appliance.domain.expression import Array, Binary, Call, Const, Expression, Name, Null, Unary, walk
from appliance.domain.expression_parser import parse_expression
from appliance.domain.functions import FUNCTIONS, Surroundings
from appliance.domain.functions_array import ARRAYS, Over
from appliance.domain.membership import LOOK, SUMMED, look, search
from appliance.domain.operators import OPERATORS, SEARCHES, TESTS, strictly_equal
from appliance.domain.reference import MISSING, Reference, reference


class Scope(Surroundings, Protocol):
    """Where names lead to, for one place of the form and one response."""

    def find(self, name: Reference) -> Any:
        """The value, UNDEFINED for a question without an answer, or MISSING."""

    def is_ordered(self, name: str) -> bool:
        """Whether this is a ranking."""

    @property
    def language(self) -> str:
        """In which the form speaks, by survey-core's name."""

    def within(self, item: Any) -> Scope:
        """The same with an object's own names before all others."""


_LONG = 1000
"""Characters of a text whose handling is not worth counting."""
_FEW = 4
"""Steps of a name that are not worth counting."""
_LOOK = 10
"""Steps that sumInArray and the like take for whatever is in the array."""
_ROW = 100
"""Steps that they take for an item of it, beside what it costs to add up what is no whole number."""
_ITEMS = {"sum": SUMMED, "avg": SUMMED, "iif": ITEM}
"""Steps that a function takes for an item of a list that it is given."""
_DECIDED = {"and": False, "or": True}
"""What on the left makes the right side needless: no expression changes anything by being run."""
Run = Callable[[Any], Any]
"""Takes a Scope."""


def compile_text(text: str) -> Run:
    """Raises ValueError as parse_expression does."""
    return _counted(parse_expression(text))


def _counted(tree: Expression) -> Run:
    """What it costs goes by how long it is, and by how much it gives: that will be copied."""
    inner, steps = compile_tree(tree), OPERAND * sum(1 for _ in walk(tree))

    def run(scope: Scope) -> Any:
        scope.spend(steps)
        found = inner(scope)
        if isinstance(found, list | dict):
            scope.spend(OPERAND * weigh(found))
        return found

    return run


def compile_tree(tree: Expression) -> Run:
    match tree:
        case Const(value):
            return lambda scope: value
        case Null():
            return lambda scope: None
        case Name(name, raw):
            return _name(reference(name), raw)
        case Array(items):
            runs = [compile_tree(item) for item in items]
            return _array(runs)
        case Unary(operator, operand):
            return _test(TESTS[operator], compile_tree(operand))
        case Call(name, params):
            return _call(name, params)
        case Binary():
            return _binary(tree)


def _name(found: Reference, raw: bool) -> Run:
    if found.simple.lower() == "locale":  # before any question of this name, as in survey-core
        return lambda scope: scope.language

    steps = len(found.path) ** 2 if len(found.path) > _FEW else 0  # in as many ways its dots can be read

    def run(scope: Scope) -> Any:
        if steps:
            scope.spend(steps)
        value = scope.find(found)
        if value is MISSING:
            return found.literal if not found.name.endswith(".length") else 0
        return value if raw else read_value(value)

    return run


def _test(test: Callable[[Any], bool], inner: Run) -> Run:
    def run(scope: Scope) -> Any:
        value = inner(scope)
        if type(value) is dict:  # empty if all in it is
            scope.spend(ITEM * (1 + breadth(value)))
        return test(value)

    return run


def _array(runs: list[Run]) -> Run:
    def run(scope: Scope) -> Any:
        found = [one(scope) for one in runs]
        if any(map(_bulky, found)):
            scope.spend(ITEM * weigh(found))
        return found

    return run


def _call(name: str, params: tuple[Expression, ...]) -> Run:
    runs = [compile_tree(param) for param in params]
    if name in ARRAYS:
        return _over_array(ARRAYS[name], params, runs)
    function = FUNCTIONS[name]
    item = _ITEMS.get(name, LOOK)

    def run(scope: Scope) -> Any:
        given = [one(scope) for one in runs]
        if any(map(_bulky, given)):
            scope.spend(look(given, item))
        return function(given, scope)

    return run


def _bulky(value: Any) -> bool:
    kind = type(value)
    return kind is list or kind is dict or (kind is str and len(value) > _LONG)


def _over_array(function: Callable[[Over], Any], params: tuple[Expression, ...], runs: list[Run]) -> Run:
    """sumInArray(array, name, column or condition, condition)."""
    third = params[2] if len(params) > 2 else None
    column = _column(third)
    place = 2 if column is None else 3
    condition = _condition(params[place]) if 2 <= len(params) <= 4 and place < len(params) else None

    def run(scope: Scope) -> Any:
        values = [one(scope) for one in runs[:2]]
        if not 2 <= len(params) <= 4:
            return function(Over(None, "", "", None))
        looked = _LOOK * weigh(values[0])  # before all else: it may be too large
        holds = None if condition is None else lambda item: condition(scope.within(item)) is True
        over = Over.of(values[0], values[1], column, holds)
        fractions, others = over.kinds()
        rows = _ROW * len(over.rows or ())
        scope.spend(looked + rows + SUMMED // 2 * fractions + SUMMED * others)
        return function(over)

    return run


def _column(third: Expression | None) -> str | None:
    """isReturnColumnParam: a string that looks like no condition names a column."""
    value = third.value if isinstance(third, Const) else None
    return value if isinstance(value, str) and not any(sign in "{}><=!" for sign in value) else None


def _condition(param: Expression) -> Run | None:
    """What is asked of each item: an expression, written as such or within a string."""
    if isinstance(param, Const):
        if param.value == "":
            return None
        if isinstance(param.value, str):
            return compile_text(param.value)
    return _counted(param)


def _binary(tree: Binary) -> Run:
    """A chain to the left, such as 1 + 2 + 3, is walked, not nested: it may be as long as an expression."""
    steps: list[tuple[Callable[[Any, Any, Scope], Any], Run, object, Callable[[Any, Any], int]]] = []
    left: Expression = tree
    while isinstance(left, Binary):
        right = (lambda scope: None) if left.right is None else compile_tree(left.right)
        cost = _cost(left.operator)
        steps.append((_operator(left), right, _DECIDED.get(left.operator, MISSING), cost))
        left = left.left
    steps.reverse()
    first = compile_tree(left)

    def run(scope: Scope) -> Any:
        value = first(scope)
        for operator, right, decided, cost in steps:
            if value is decided:
                continue
            other = right(scope)
            if _bulky(value) or _bulky(other):
                scope.spend(cost(value, other))
            value = operator(value, other, scope)
        return value

    return run


def _cost(operator: str) -> Callable[[Any, Any], int]:
    """Steps of it where an operand is a list, an object or a long text."""
    if operator in SEARCHES:
        return partial(search, operator)
    item = LOOK if operator in ("equal", "notequal") else 2 * ITEM if operator in _DECIDED else SUMMED
    return lambda left, right: look(left, item) + look(right, item)


def _operator(tree: Binary) -> Callable[[Any, Any, Scope], Any]:
    """Of two lists one of which is a ranking, `=` asks for the order too."""
    plain = OPERATORS[tree.operator]
    names = [side.name for side in (tree.left, tree.right) if isinstance(side, Name)]
    if tree.operator not in ("equal", "notequal") or not names:
        return lambda left, right, scope: plain(left, right)
    wanted = tree.operator == "equal"

    def run(left: Any, right: Any, scope: Scope) -> Any:
        if type(left) is list and type(right) is list and any(map(scope.is_ordered, names)):
            return strictly_equal(left, right) is wanted
        return plain(left, right)

    return run
