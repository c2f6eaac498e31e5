"""Attributes that are fixed when an object is made: setting one later is refused instead of having no effect."""

from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class Fixed(Generic[Value]):
    """An attribute that can be set once.

    Raises:
        AttributeError: if it is set again; says what can be changed instead.

    >>> class Box:
    ...     size = Fixed[int]("make another box")
    ...     def __init__(self) -> None:
    ...         self.size = 3
    >>> Box().size
    3
    """

    def __init__(self, instead: str) -> None:
        self._instead = instead

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Fixed[Value]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        try:
            return instance.__dict__[self._name]
        except KeyError:
            raise AttributeError(f"{type(instance).__name__} has no {self._name} yet") from None

    def __set__(self, instance: Any, value: Value) -> None:
        if self._name in instance.__dict__:
            raise AttributeError(f"{self._name} of a {type(instance).__name__} cannot be changed; {self._instead}")
        instance.__dict__[self._name] = value
