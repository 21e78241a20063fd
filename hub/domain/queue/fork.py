"""A mapping to think ahead on: what is written to it does not reach the one that it was forked from."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Fork(dict[K, V]):
    """Starts with what `base` holds; each value is copied by `copy` when it is first asked for.

    Without `copy` the values are such as nobody changes, and are left where they are.

    So it costs what is touched, however large `base` is. It answers for keys only: it does not know how many it has.
    """

    def __init__(self, base: Mapping[K, V], copy: Callable[[V], V] | None = None) -> None:
        super().__init__()
        self._base, self._copy = base, copy
        self._gone: set[K] = set()

    def __missing__(self, key: K) -> V:
        if key in self._gone:
            raise KeyError(key)
        value = self._base[key]
        if self._copy is not None:
            value = self[key] = self._copy(value)
        return value

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or (key in self._base and key not in self._gone)

    def get(self, key: K, default: Any = None) -> Any:
        """The value, or `default`."""
        try:
            return self[key]
        except KeyError:
            return default

    def __delitem__(self, key: K) -> None:
        self.pop(key, None)
        self._gone.add(key)
