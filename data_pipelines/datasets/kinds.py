"""Notices pictures of two kinds among one another, such as frames and their masks, or a left and a right camera."""

import collections
import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# A camera's number is part of its name; every other number may count the frames.
_NUMBER = re.compile(r"((?<![a-z])(?:cam|camera|view|sensor|lens)[_-]?[0-9]{1,2}(?![0-9]))|([0-9]+)", re.IGNORECASE)
_WILD = ("*", "*[0-9]", "[0-9]*[0-9]")  # What may stand for a number, the plainest first.


class TwoKinds(NamedTuple):
    """Two kinds of pictures that have the same numbers."""

    patterns: tuple[str, str]  # fit for a glob, of file names where all lie in one folder
    globs: tuple[str, str]  # the same with their folder

    def __str__(self) -> str:
        one, other = self.patterns
        return f"two kinds of pictures with the same numbers, '{one}' and '{other}'"


def find_two(paths: Sequence[str]) -> TwoKinds | None:
    """Finds two kinds among pictures: names that differ in more than numbers, half of whose numbers are shared.

    Frames numbered through, of different names or formats, are of one kind: nothing stands twice.

    Args:
      paths: The pictures.
    """
    folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    names = [os.path.relpath(path, folder or ".") for path in paths]
    kinds = collections.defaultdict(dict)
    for name in names:
        kinds[_NUMBER.sub(lambda match: match[1] or "\0", name)][tuple(_numbers(name))] = name
    largest = sorted(kinds.values(), key=len, reverse=True)
    for place, kind in enumerate(largest):
        if len(kind) < 2:  # Names without order, such as hashes.
            break
        for other in largest[place + 1 :]:
            if 2 * len(kind.keys() & other.keys()) >= len(other):
                patterns = tuple(sorted(_pattern(list(which.values()), names) for which in (kind, other)))
                return TwoKinds(patterns, tuple(os.path.join(glob.escape(folder), pattern) for pattern in patterns))
    return None


def _numbers(name: str) -> Iterator[str]:
    return (match[2] for match in _NUMBER.finditer(name) if match[2])


def _pattern(kind: list[str], names: Sequence[str]) -> str:
    """Returns a pattern that fits one kind of the names and, where one of a few forms can, no other."""
    patterns = [_with_wild(kind, wild) for wild in _WILD]
    return next((pattern for pattern in patterns if len(fnmatch.filter(names, pattern)) == len(kind)), patterns[0])


def _with_wild(kind: list[str], wild: str) -> str:
    """Returns a name with something for the numbers in which its kind differs."""
    numbers, pattern = iter(zip(*map(_numbers, kind))), ""
    for part in filter(None, _NUMBER.split(kind[0])):
        counts = part.isdecimal() and len(set(next(numbers))) > 1
        pattern += wild if counts else glob.escape(part)
    return pattern
