"""The operators of survey-core's expressions (OperandMaker.binaryFunctions and unaryFunctions)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from appliance.domain.comparison import corrected, dated, decimals, equal, is_empty, plus, rounded
from appliance.domain.javascript import NAN, UNDEFINED, is_number, less, number_of, text_of, tidy, truthy
from appliance.domain.membership import Members

_PLAIN: Final = (int, float)
Operator = Callable[[Any, Any], Any]


def _filled(value: Any, other: Any) -> Any:
    """What arithmetic, `and` and `or` take for an empty operand."""
    if not is_empty(value):
        return value
    if is_number(other):
        return 0
    if isinstance(value, str):
        return value
    if isinstance(other, str):
        return ""
    return [] if isinstance(other, list) else 0


def _arithmetic(operator: Operator) -> Operator:
    def run(left: Any, right: Any) -> Any:
        if type(left) is bool and type(right) is bool:
            return operator(left, right)
        left = _filled(left, right)
        return operator(left, _filled(right, left))

    return run


def _minus(left: Any, right: Any) -> Any:
    return corrected(left, right, tidy(number_of(left) - number_of(right)))


def _times(left: Any, right: Any) -> Any:
    return rounded(tidy(number_of(left) * number_of(right)), decimals(left) + decimals(right))


def _divided(left: Any, right: Any) -> Any:
    if not truthy(right):
        return None
    divisor = number_of(right)
    if divisor:
        return tidy(number_of(left) / divisor)
    return number_of(left) * math.inf  # [0] or "0" is true to JavaScript, and then 0


def _remainder(left: Any, right: Any) -> Any:
    if not truthy(right):
        return None
    number, divisor = number_of(left), number_of(right)
    if math.isinf(number) or not divisor:
        return NAN
    return tidy(math.fmod(number, divisor))


def _power(left: Any, right: Any) -> Any:
    number, exponent = number_of(left), number_of(right)
    if math.isnan(exponent) or (abs(number) == 1 and math.isinf(exponent)):
        return NAN
    try:
        return tidy(math.pow(number, exponent))
    except OverflowError:
        return -math.inf if number < 0 and exponent % 2 else math.inf
    except ValueError:
        return NAN if number else math.inf


def _greater(left: Any, right: Any) -> bool:
    return _less(right, left)


def _less(left: Any, right: Any) -> bool:
    if type(left) in _PLAIN and type(right) in _PLAIN:
        return bool(left < right)
    nothing = (None, UNDEFINED)
    if left in nothing or right in nothing:
        return False
    return less(*dated(left, right))


def _equal(left: Any, right: Any) -> bool:
    if type(left) is str and left == right and left != "undefined":
        return True
    return equal(*dated(left, right))


def strictly_equal(left: Any, right: Any) -> bool:
    """As `=` beside a ranking: the order of a list matters."""
    return equal(*dated(left, right), ignore_order=False)


def _contains(left: Any, right: Any) -> bool:
    return _holds(left, right, True)


def _holds(left: Any, right: Any, wanted: bool) -> bool:
    """containsCore."""
    if left == []:
        return not wanted
    if not truthy(left) and not (is_number(left) and left == 0) and left is not False:
        return False
    if not isinstance(left, list):
        return _holds_text(text_of(left), right, wanted)
    members = Members(left)
    return all(map(members.has, _items(right))) == wanted


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _holds_text(text: str, part: Any, wanted: bool) -> bool:
    if not truthy(part):
        return False
    return (text_of(part).lower() in text.lower()) == wanted


def _not_contains(left: Any, right: Any) -> bool:
    if not truthy(left) and not is_empty(right):
        return True
    return _holds(left, right, False)


def _any_of(left: Any, right: Any) -> bool:
    if is_empty(left) or is_empty(right):
        return not is_empty(left) or is_empty(right)
    if not isinstance(left, list):
        return _contains(right, left)
    if not isinstance(right, list):
        return _contains(left, right)
    members = Members(left)
    return any(all(map(members.has, _items(one))) for one in right)


def _all_of(left: Any, right: Any) -> bool:
    if not truthy(left) and not is_empty(right):
        return False
    if not isinstance(right, list):
        return _contains(left, right)
    if not isinstance(left, list) or not left:
        return all(_contains(left, one) for one in right)
    members = Members(left)
    return all(all(map(members.has, _items(one))) for one in right)


OPERATORS: Final[Mapping[str, Operator]] = {
    "and": _arithmetic(lambda left, right: right if truthy(left) else left),
    "or": _arithmetic(lambda left, right: left if truthy(left) else right),
    "plus": _arithmetic(plus),
    "minus": _arithmetic(_minus),
    "mul": _arithmetic(_times),
    "div": _arithmetic(_divided),
    "mod": _arithmetic(_remainder),
    "power": _arithmetic(_power),
    "greater": _greater,
    "less": _less,
    "greaterorequal": lambda left, right: _equal(left, right) or _greater(left, right),
    "lessorequal": lambda left, right: _equal(left, right) or _less(left, right),
    "equal": _equal,
    "notequal": lambda left, right: not _equal(left, right),
    "contains": _contains,
    "notcontains": _not_contains,
    "anyof": _any_of,
    "noneof": lambda left, right: not _any_of(left, right),
    "allof": _all_of,
}
SEARCHES: Final = frozenset(("contains", "notcontains", "anyof", "noneof", "allof"))
"""Those that look for the one in the other."""
TESTS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "empty": is_empty,
    "notempty": lambda value: not is_empty(value),
    "negate": lambda value: not truthy(value),
}
