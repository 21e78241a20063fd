"""A mapping to think ahead on: what is written to it does not reach the one that it was forked from."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Fork(dict[K, V]):
    """Starts with what `base` holds; each value is copied by `copy` when it is first asked for.

    So it costs what is touched, however large `base` is. It answers for keys only: it does not know how many it has.
    """

    def __init__(self, base: Mapping[K, V], copy: Callable[[V], V] = lambda value: value) -> None:
        super().__init__()
        self._base, self._copy = base, copy
        self._gone: set[K] = set()

    def __missing__(self, key: K) -> V:
        if key in self._gone:
            raise KeyError(key)
        value = self[key] = self._copy(self._base[key])
        return value

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or (key in self._base and key not in self._gone)

    def get(self, key: K, default: Any = None) -> Any:
        """The value, or `default`."""
        if key not in self:
            return default
        return self[key]

    def __delitem__(self, key: K) -> None:
        self.pop(key, None)
        self._gone.add(key)
