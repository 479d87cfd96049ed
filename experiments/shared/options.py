"""Options as data: a frozen dataclass says what can be asked for, and flags are made of it and read into it.

    @dataclasses.dataclass(frozen=True)
    class Watching:
        validate_every: int = option(500, "Steps between two validations; 0 for none.", lower=0)

    options.define(Watching, FLAGS)          # --validate_every
    watching = options.read(Watching, FLAGS)  # Watching(validate_every=500)

So a command alone knows flags: what it calls takes the dataclass.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from absl import flags

flags.disclaim_key_flags()  # A command's --help lists what is defined here as its own.

Kind = TypeVar("Kind")
_PLAIN = {int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string, bool: flags.DEFINE_bool}


def option(
    default: Any,
    text: str,
    *,
    lower: float | None = None,
    upper: float | None = None,
    choices: Sequence[str] | None = None,
    required: bool = False,
    repeated: bool = False,
    group: str | None = None,
) -> Any:
    """Describes a field: its default, its line of --help, and what it may be.

    Args:
      default: The value where none is given.
      text: For --help.
      lower: Least number.
      upper: Largest number.
      choices: The words that a text, or each of several, may be.
      required: Whether a command line must give it.
      repeated: Of a tuple: whether each of its words has a flag of its own, and may hold commas.
      group: The heading of --help that it stands below; None: the first line of the dataclass's docstring.
    """
    about = {"text": text, "lower": lower, "upper": upper, "choices": choices}
    about |= {"required": required, "repeated": repeated, "group": group}
    return dataclasses.field(default=default, metadata=about)


def define(kind: type, values: flags.FlagValues, **defaults) -> None:
    """Defines a flag for each field of a dataclass; `defaults` stand in for those that its fields have.

    Fields are int, float, str, bool, one of these or None, or tuple[str, ...], which flags give as a,b,c, or one
    by one where it is repeated.
    """
    if strangers := defaults.keys() - {field.name for field in dataclasses.fields(kind)}:
        raise TypeError(f"{kind.__name__} has no {', '.join(sorted(strangers))}")
    for name, (field, of) in _fields(kind).items():
        about, default = field.metadata, defaults.get(name, field.default)
        if about["repeated"]:
            flags.DEFINE_multi_string(name, list(default), about["text"], flag_values=values)
        elif of is tuple:
            flags.DEFINE_list(name, None if about["required"] else list(default), about["text"], flag_values=values)
            if about["choices"]:
                _allow_only(name, about["choices"], values)
        elif about["choices"]:
            flags.DEFINE_enum(name, default, list(about["choices"]), about["text"], flag_values=values)
        elif of in (int, float):
            _PLAIN[of](name, default, about["text"], about["lower"], about["upper"], flag_values=values)
            _allow_finite(name, values)
        else:
            _PLAIN[of](name, default, about["text"], flag_values=values)
        if about["required"]:
            flags.mark_flag_as_required(name, flag_values=values)
        title = (kind.__doc__ or "Options").partition("\n")[0].partition(";")[0].rstrip(".")
        values[name].group = about["group"] or title  # Where `help_text` looks.


def read(kind: type[Kind], values: flags.FlagValues, start: Kind | None = None) -> Kind:
    """Reads a dataclass's fields from their flags.

    Args:
      kind: The dataclass.
      values: The parsed flags.
      start: Where given, its fields count for the flags that the command line does not name.
    """
    found = {}
    for name, (_, of) in _fields(kind).items():
        flag = values[name]
        if start is not None and flag.using_default_value:
            found[name] = getattr(start, name)
        else:
            found[name] = tuple(flag.value) if of is tuple else flag.value
    return kind(**found)


def _fields(kind):
    """Returns {name: (field, int, float, str, bool or tuple)} of the fields that `option` describes."""
    hints = typing.get_type_hints(kind)
    return {
        field.name: (field, _plain(hints[field.name])) for field in dataclasses.fields(kind) if "text" in field.metadata
    }


def _plain(hint):
    if typing.get_origin(hint) in (typing.Union, types.UnionType):  # X | None.
        (hint,) = (part for part in typing.get_args(hint) if part is not types.NoneType)
    return typing.get_origin(hint) or hint


def _allow_finite(name, values):
    """Refuses NaN, which every bound lets pass, and infinities."""
    flags.register_validator(
        name, lambda given: given is None or math.isfinite(given), "give a finite number", flag_values=values
    )


def _allow_only(name, choices, values):
    flags.register_validator(
        name,
        lambda given: all(word in choices for word in given),
        f"give some of {', '.join(choices)}",
        flag_values=values,
    )
