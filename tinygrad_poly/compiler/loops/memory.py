"""Reuse of memory: later results take the place of those that are read no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_poly.compiler.trace.symbols import Symbol


@dataclass(frozen=True)
class Item:
    """A call or group of loops, described by the arrays that it reads and makes.

    Attributes:
        reads: the arrays that it reads.
        makes: the arrays that it makes.
        writable: whether these can be written into memory that it is given.
        fresh: whether they share no memory with what it reads, as a view does.
        over_inputs: whether it may write over what it reads, element by element.
    """

    reads: tuple[Symbol, ...]
    makes: tuple[Symbol, ...]
    writable: bool
    fresh: bool
    over_inputs: bool = False


def reused(items: Sequence[Item], outputs: Iterable[Symbol]) -> dict[Symbol, Symbol | None]:
    """For each array that need not last, an earlier one of its shape and dtype whose memory it takes, or None.

    An array is read no more after its last reader, or the last reader of what may be a view of it; what an output may
    be a view of lasts.
    """
    owners: dict[Symbol, dict[Symbol, None]] = {}  # whose memory an array may lie in, in order
    last_reader: dict[Symbol, int] = {}
    read: list[dict[Symbol, None]] = []
    for i, item in enumerate(items):
        read.append(dict.fromkeys(owner for x in item.reads for owner in owners.get(x, ())))
        for s in item.makes:
            owners[s] = {s: None} if item.fresh else {s: None} | read[i]
        last_reader |= dict.fromkeys((*item.makes, *read[i]), i)
    lasting = {owner for s in outputs for owner in owners.get(s, ())}
    found: dict[Symbol, Symbol | None] = {}
    free: dict[Any, list[Symbol]] = {}

    def released(i: int) -> Iterator[Symbol]:
        return (s for s in dict.fromkeys((*items[i].makes, *read[i])) if s in found and last_reader[s] == i)

    for i, item in enumerate(items):
        if item.over_inputs:
            for s in released(i):
                free.setdefault((s.shape, s.dtype), []).append(s)
        for s in item.makes:
            if item.writable and s not in lasting and s.size != 1:
                spare = free.get((s.shape, s.dtype))
                found[s] = spare.pop() if spare else None
        if not item.over_inputs:
            for s in released(i):
                free.setdefault((s.shape, s.dtype), []).append(s)
    return found
