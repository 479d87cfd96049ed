"""What a command's --help prints: all of its own flags in groups, those first that it needs."""

import inspect
import textwrap
from collections.abc import Sequence

from absl import flags

_WORDS = ("--help", "-help", "-h", "-?", "--helpshort")
_WIDTH, _INDENT = 100, 26
_NEEDED, _OTHER = "Needed", "Options"
_SEVERAL = "repeat this option to specify a list of values"  # Which absl adds.


def is_asked_for(argv: Sequence[str]) -> bool:
    """Says whether a command line asks for help."""
    words = list(argv[1:])
    return any(word in _WORDS for word in words[: words.index("--") if "--" in words else None])


def of(values: flags.FlagValues, text: str, program: str) -> str:
    """Returns the help of a command.

    Args:
      values: Its flags, and others, which it does not list.
      text: What it says first.
      program: The name under which absl has the flags of the main module.
    """
    groups = {_NEEDED: []}
    for flag in own(values, program):
        title = _NEEDED if is_needed(flag) else getattr(flag, "group", _OTHER)
        groups.setdefault(title, []).append(flag)
    parts = [inspect.cleandoc(text)]
    for title, found in groups.items():
        if found:
            parts.append("\n".join([f"{title}:", *(_line(flag) for flag in found)]))
    return "\n\n".join([*parts, "--helpfull lists the flags of the libraries, too."])


def own(values: flags.FlagValues, program: str) -> list[flags.Flag]:
    """Returns the flags that the command defines, in the order in which it does."""
    modules = values.flags_by_module_dict()
    names = [name for name in modules if name == program or name.split(".")[0] == "experiments"]
    return [flag for name in names for flag in modules[name]]


def need(values: flags.FlagValues, **when: str) -> None:
    """Has the help list flags as needed that the command itself asks for, as it does not need each of them always.

    Args:
      values: The flags.
      when: Of a flag by its name: when it is needed, as in "unless --score_results is given"; "" for always.
    """
    for name, told in when.items():
        values[name].needed = told


def is_needed(flag: flags.Flag) -> bool:
    """Says whether the command does not start without a flag, or not always."""
    if hasattr(flag, "needed"):
        return True
    return flag.default is None and any("other than None" in validator.message for validator in flag.validators)


def _line(flag):
    name = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}"
    text, several, _ = (flag.help or "").partition(_SEVERAL)  # A choice's text begins with what can be chosen.
    facts = ["may be repeated"] if several else []
    facts += filter(None, [getattr(flag, "needed", ""), getattr(flag.parser, "syntactic_help", "")])
    if not (flag.default in (None, "", []) or flag.default is False):
        given = flag.default
        facts.append(f"default {','.join(map(str, given)) if isinstance(given, list) else given}")
    told = text.rstrip("; \n") + (f" ({'; '.join(facts)})" if facts else "")
    lines = textwrap.wrap(told, _WIDTH - _INDENT, break_on_hyphens=False) or [""]
    beside = len(name) + 4 <= _INDENT
    head = [f"  {name}".ljust(_INDENT) + lines[0]] if beside else [f"  {name}", " " * _INDENT + lines[0]]
    return "\n".join([*head, *(" " * _INDENT + line for line in lines[1:])])
