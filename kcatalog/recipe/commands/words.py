"""Options as words of a command line."""

from __future__ import annotations

from dataclasses import Field
from typing import Any

from kcatalog.recipe.commands.options import COMMANDS, Options, SettingOptions, fields, flag


def negative(field: Field) -> str:
    """Return the flag that switches off what the option switches on."""
    return f"--no-{flag(field).removeprefix('--')}"


def is_switch(field: Field) -> bool:
    """Return whether an option is on or off and stored: a file or a run may have switched it on."""
    return field.type == bool | None


def words_of(field: Field, value: Any) -> list[str]:
    """Return an option and its value as words of a command line."""
    name = flag(field)
    if isinstance(value, bool):
        return [name] if value else [negative(field)] * is_switch(field)
    values = value if isinstance(value, list) else [value]
    return [word for each in values for word in (name, str(each))]


def arguments(options: Options, command: str) -> list[str]:
    """Return the options that a command takes as the command line of another process."""
    words = []
    for field in fields(command):
        value = getattr(options, field.name)
        words += words_of(field, value) if value != field.default else []
    if SettingOptions in COMMANDS[command]:
        for name, value in options.source.items():
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words
