"""Help on the command line: read whole on a terminal of eighty columns, and on a narrower one.

Typer's own tables cut what does not fit, and a Chinese character takes two cells: here lines are folded by cells.
"""

import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

_WIDEST = 100
_NARROWEST = 40
_NAMES = 26  # cells; the text of a longer name begins on the next line
_GAP = 2
_WIDE, _OPENING, _CLOSING = "\u2e80-\uffef", "（“《「【", "，。；：、！？）”》」】"
# A word, or one Chinese character, each with the punctuation that may not be parted from it.
_PIECE = re.compile(rf"(\s*)([{_OPENING}(\[]*(?:[^\s{_WIDE}{_OPENING}{_CLOSING}]+|[{_WIDE}])[{_CLOSING}]*|\S)")
REQUIRED = "必填 required"
_CHOICES = 12  # characters; more are told in the text
_HELP_OPTION = "显示本帮助 / show this help"


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def folded(text: str, width: int) -> list[str]:
    """A paragraph as lines of at most so many cells (two or more), cut at spaces and between Chinese characters.

    Only a word that is wider than a whole line is cut itself.
    """
    lines, line = list[str](), ""
    for space, piece in _PIECE.findall(text):
        longer = f"{line}{' ' if space and line else ''}{piece}"
        if line and cells(longer) > width:
            lines.append(line)
            longer = piece
        line = longer
        while cells(line) > width:
            fits = max(count for count in range(1, len(line)) if count == 1 or cells(line[:count]) <= width)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line] if line else lines


def said_of(parameter: TyperArgument | TyperOption) -> str:
    """What a parameter is, with its range, whether it must be given, its default, and the variable that sets it."""
    text = _HELP_OPTION if "--help" in parameter.opts else parameter.help or ""
    more, choices = list[str](), choices_of(parameter)
    if len("|".join(choices)) > _CHOICES:
        more.append(f"可选 one of: {', '.join(choices)}")
    if parameter.max is not None:
        more.append(f"{parameter.min}–{parameter.max}")
    elif parameter.min is not None:
        more.append(f"≥{parameter.min}")
    if parameter.required:
        more.append(REQUIRED)
    default = _default(parameter)
    if default:
        more.append(f"默认 default: {default}")
    if parameter.show_envvar and parameter.envvar:
        more.append(f"环境变量 variable: {parameter.envvar}")
    return " ".join((text, *(f"[{entry}]" for entry in more))).strip()


def choices_of(parameter: TyperArgument | TyperOption) -> list[str]:
    """The values that a parameter may have, where they are few."""
    choices = parameter.type_descriptor.choices or ()
    return [str(choice.value if isinstance(choice, Enum) else choice) for choice in choices]


class Command(TyperCommand):
    """A command whose help is never cut."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help."""
        formatter.write("\n".join(_page(self, ctx)))


class Group(TyperGroup):
    """A group of commands whose help is never cut."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help, with what each command does."""
        named = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        commands = [(name, short_help(command)) for name, command in named if command is not None]
        formatter.write("\n".join([*_page(self, ctx), *_section("命令 / Commands", commands, _width())]))


def short_help(command: Any) -> str:
    """What a list of commands says of one: its short help, or how its help begins."""
    return str(command.short_help or (command.help or "").partition("\n\n")[0])


def never_cut(application: typer.Typer) -> None:
    """Gives every command of an application, and of the groups in it, such a help."""
    application.info.cls = Group
    for command in application.registered_commands:
        command.cls = Command
    for group in application.registered_groups:
        group.cls = Group
        if group.typer_instance is not None:
            never_cut(group.typer_instance)


def _width() -> int:
    return max(_NARROWEST, min(shutil.get_terminal_size().columns, _WIDEST))


def _page(command: TyperCommand | TyperGroup, ctx: Any) -> list[str]:
    width = _width()
    lines = folded(f"用法 / Usage: {ctx.command_path} {' '.join(command.collect_usage_pieces(ctx))}", width)
    for paragraph in (command.help or "").split("\n\n"):
        lines += ["", *folded(paragraph, width)]
    parameters = [entry for entry in command.get_params(ctx) if not getattr(entry, "hidden", False)]
    arguments = [entry for entry in parameters if isinstance(entry, TyperArgument)]
    options = [entry for entry in parameters if isinstance(entry, TyperOption)]
    lines += _section("参数 / Arguments", [(entry.display_name_raw, said_of(entry)) for entry in arguments], width)
    return lines + _section("选项 / Options", [(_names(entry), said_of(entry)) for entry in options], width)


def _section(title: str, rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    if not rows:
        return []
    indent = min(_NAMES, max(cells(name) for name, _ in rows)) + 2 * _GAP
    lines = ["", f"{typer.style(title, bold=True)}:"]
    for name, text in rows:
        lines += _row(name, folded(text, width - indent), indent)
    return lines


def _row(name: str, text: list[str], indent: int) -> Iterator[str]:
    shown = f"{' ' * _GAP}{typer.style(name, bold=True)}"
    beside = indent - _GAP - cells(name)
    if beside < _GAP:
        yield shown
    elif text:
        yield f"{shown}{' ' * beside}{text.pop(0)}"
    else:
        yield shown
    for line in text:
        yield f"{' ' * indent}{line}"


def _names(option: TyperOption) -> str:
    names = ", ".join(option.opts)
    if option.is_flag:
        # What is off by itself need not be turned off.
        return names if option.default is False else "/".join((names, *option.secondary_opts))
    return f"{names} {_value(option)}"


def _value(option: TyperOption) -> str:
    choices = "|".join(choices_of(option))
    if choices and len(choices) <= _CHOICES:
        return choices
    annotation = option.type_descriptor.annotation
    kind = (get_args(annotation) or (annotation,))[0]
    return {int: "N", Path: "PATH"}.get(kind, "TEXT")


def _default(parameter: TyperArgument | TyperOption) -> str:
    default = parameter.default
    if default is None or not parameter.show_default or parameter.required or default is False:
        return ""
    if isinstance(default, Enum):
        return str(default.value)
    return parameter.opts[0] if default is True else str(default)
