"""Constructors from tables: classes that name their options, with defaults, in torch's order."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

REQUIRED = inspect.Parameter.empty
"""The default of an option that has none."""


class Tabled:
    """The base of classes whose constructor takes what `_table` says."""

    limits: ClassVar[dict[str, tuple[Callable[[Any], bool], str]]] = {}
    """For some of the options: what has to hold, and the same in words."""
    _signature: ClassVar[inspect.Signature]
    __signature__: ClassVar[inspect.Signature | None]

    def __init_subclass__(cls) -> None:
        kinds = inspect.Parameter
        by_place, by_name = cls._table()
        parameters = [kinds(name, kinds.POSITIONAL_OR_KEYWORD, default=value) for name, value in by_place.items()]
        parameters += [kinds(name, kinds.KEYWORD_ONLY, default=value) for name, value in by_name.items()]
        cls._signature = inspect.Signature(parameters)
        # A subclass with a constructor of its own has that one's.
        cls.__signature__ = None if "__init__" in vars(cls) else cls._signature

    @classmethod
    def _table(cls) -> tuple[dict[str, Any], dict[str, Any]]:
        """The options with their defaults, and those that are given by name only."""
        raise NotImplementedError

    def __init__(self, *given: Any, **named: Any) -> None:
        """Hand all options to `_made`.

        Raises:
            TypeError: for an option that there is not, and one that is missing.
        """
        try:
            bound = self._signature.bind(*given, **named)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}() {error}") from None
        bound.apply_defaults()
        self._made(bound.arguments)

    def _made(self, options: dict[str, Any]) -> None:
        raise NotImplementedError

    def _check_limits(self, options: Mapping[str, Any]) -> None:
        """Raise an error unless the options are within their limits.

        Raises:
            ValueError: which says what was given, and what was expected.
        """
        for name, (holds, wanted) in self.limits.items():
            if not holds(options[name]):
                raise ValueError(f"{name} must be {wanted}, not {options[name]!r}")
