"""Dataclasses that are quick to define.

``dataclasses.dataclass`` writes and compiles six functions for each frozen class, which takes half a millisecond a
class: for the classes that one answer needs, a third of what importing NumPy takes. This decorator makes the same
frozen classes with functions that all of them share. ``fields``, ``replace``, ``astuple`` and pattern matching work on
them, and type checkers take it for the standard one. A record is not meant to be subclassed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    from collections.abc import Callable, Mapping
    from dataclasses import MISSING, Field, FrozenInstanceError, fields
    from dataclasses import dataclass as standard
    from typing import Any

    def dataclass(*, frozen: bool, slots: bool = False) -> Callable[[type], type]:
        """Return a decorator that makes a class a frozen dataclass.

        Raises
        ------
        TypeError
            ``frozen`` is false: use the standard decorator.
        """
        if not frozen:
            raise TypeError("only frozen classes share their functions")

        def decorate(cls: type) -> type:
            names = tuple(cls.__annotations__)
            given = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
            space = {name: value for name, value in cls.__dict__.items() if name not in (*given, "__dict__")}
            space.pop("__weakref__", None)
            space |= {name: function for name, function in _SHARED.items() if name not in cls.__dict__}
            space |= {"__match_args__": names, "__dataclass_fields__": _Fields(given), "__signature__": _Signature()}
            space["__init__"] = _initializer(cls.__name__, names, given)
            made = type(cls)(cls.__name__, cls.__bases__, space | ({"__slots__": names} if slots else {}))
            made.__qualname__ = cls.__qualname__
            return made

        return decorate

    def _initializer(title: str, names: tuple[str, ...], given: Mapping[str, Any]) -> Callable[..., None]:
        """Return ``__init__``, which takes the fields in order or by name; ``given`` holds their defaults."""
        made = {name: value.default_factory for name, value in given.items() if isinstance(value, Field)}
        if MISSING in made.values():
            raise TypeError(f"{title}: a field of a record is described by a default or a default_factory only")
        put = object.__setattr__

        def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: N807
            for name, value in zip(names, values, strict=False):
                put(self, name, value)
            for name in names[len(values) :]:
                if name in named:
                    put(self, name, named.pop(name))
                elif name in made:
                    put(self, name, made[name]())
                elif name in given:
                    put(self, name, given[name])
                else:
                    raise TypeError(f"{title}() lacks {name}")
            if named or len(values) > len(names):
                raise TypeError(f"{title}() takes {', '.join(names)}, each once")

        return __init__

    class _Fields:
        """The fields of a class as ``dataclasses`` describes them, made when something asks for them."""

        def __init__(self, given: Mapping[str, Any]) -> None:
            self._given = given

        def __get__(self, instance: Any, owner: type) -> Any:
            likeness = type(owner.__name__, (), {"__doc__": owner.__doc__, **self._given})
            likeness.__annotations__ = owner.__annotations__
            found = standard(init=False, repr=False, eq=False)(likeness).__dataclass_fields__
            owner.__dataclass_fields__ = found
            return found

    class _Signature:
        """The signature of a class, made when something asks for it, such as ``help``."""

        def __get__(self, instance: Any, owner: type) -> Any:
            from inspect import Parameter, Signature

            def default(item: Any) -> Any:
                if item.default is not MISSING:
                    return item.default
                return Parameter.empty if item.default_factory is MISSING else item.default_factory

            kind = Parameter.POSITIONAL_OR_KEYWORD
            found = [Parameter(i.name, kind, default=default(i), annotation=i.type) for i in fields(owner)]
            return Signature(found)

    def _values(self: Any) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.__match_args__])

    def _eq(self: Any, other: object) -> bool:
        return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented

    def _hash(self: Any) -> int:
        return hash(_values(self))

    def _repr(self: Any) -> str:
        shown = (f"{name}={value!r}" for name, value in zip(self.__match_args__, _values(self), strict=True))
        return f"{self.__class__.__qualname__}({', '.join(shown)})"

    def _setattr(self: Any, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def _delattr(self: Any, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def _reduce(self: Any) -> tuple[type, tuple[Any, ...]]:
        return self.__class__, _values(self)

    _SHARED = {
        "__eq__": _eq,
        "__hash__": _hash,
        "__repr__": _repr,
        "__setattr__": _setattr,
        "__delattr__": _delattr,
        "__reduce__": _reduce,
    }
