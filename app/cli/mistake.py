"""A mistake on the command line: which option or argument is wrong, and how it is put right, in one line."""

from typing import Any

import typer

from app.cli.help import REQUIRED, choices_of, said_of

# How the sentences of Typer begin.
_USAGE = {"No such command": "没有这个命令", "Got unexpected extra": "多余的参数", "Missing command": "缺少命令"}


def told(error: typer.TyperException) -> str:
    """What is wrong, in Chinese and English, and where the command explains itself."""
    context = getattr(error, "ctx", None)
    # What is typed may hold anything; the terminal gets one line of text.
    line = "".join(letter if letter.isprintable() else "\ufffd" for letter in _what(error))
    return line if context is None else f"{line} ({context.command_path} --help)"


def _what(error: Any) -> str:
    if isinstance(error, typer.BadParameter):
        return _of_parameter(error)
    option = getattr(error, "option_name", None)
    if option is None:
        message = error.format_message()
        chinese = next((words for begin, words in _USAGE.items() if message.startswith(begin)), "命令有误")
        return f"{chinese} / {message.rstrip('.')}"
    if not hasattr(error, "possibilities"):
        needs = "requires" in error.message
        return f"{option}: {'其后须写明值 / a value must follow it' if needs else '不带值 / takes no value'}"
    near = ", ".join(sorted(error.possibilities or ()))
    meant = f"；是否为 / did you mean {near}" if near else ""
    return f"{option}: 没有这个选项 / no such option{meant}"


def _of_parameter(error: Any) -> str:
    parameter = error.param
    if parameter is None:
        return str(error.format_message())
    name = parameter.display_name_raw if parameter.param_type_name == "argument" else parameter.opts[0]
    if hasattr(error, "param_type"):
        return f"{name}: 缺少此项 / missing: {said_of(parameter).removesuffix(f'[{REQUIRED}]').strip()}"
    cause = error.__cause__.errors()[0] if hasattr(error.__cause__, "errors") else {}
    given = f" {cause['input']!r}" if "input" in cause else ""
    return f"{name}{given}: {_wanted(parameter) or error.message}"


def _wanted(parameter: Any) -> str:
    choices = choices_of(parameter)
    if choices:
        return f"应为其中之一 / must be one of: {', '.join(choices)}"
    if parameter.type_descriptor.annotation is not int:
        return ""
    low, high = parameter.min, parameter.max
    if low is None and high is None:
        return "应为整数 / must be a whole number"
    if high is None:
        return f"应为不小于 {low} 的整数 / must be a whole number, at least {low}"
    return f"应为 {low} 至 {high} 的整数 / must be a whole number from {low} to {high}"
