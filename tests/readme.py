"""The parts of the README that are written from the code: `make docs` writes them, `make lint` checks them."""

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path

import typer
from typer.main import get_command

from bifrost_cli import errors
from bifrost_cli.cli.app import app
from bifrost_cli.providers import PROVIDERS, load
from bifrost_cli.providers.base import Capabilities


def commands() -> str:
    """Every command: what it does, its arguments and options."""
    root = get_command(app)
    context = typer.Context(root, info_name="bifrost")
    return "\n".join(_command(root, context))


def _command(command, context) -> list[str]:
    if not hasattr(command, "commands"):
        return [_describe(command, context)]
    lines = []
    for name, child in command.commands.items():
        lines += _command(child, typer.Context(child, info_name=name, parent=context))
    return lines


def _describe(command, context) -> str:
    arguments = [_argument(param) for param in command.params if param.param_type_name == "argument"]
    rows = [
        _option(param) for param in command.params if param.param_type_name == "option" and param.name not in COMMON
    ]
    summary = inspect.cleandoc(command.help or "").splitlines()[0]
    example = re.search(r"Example: (.+)", command.epilog or "")
    parts = [f"**`{' '.join([context.command_path, *arguments])}`** {summary}", "", *rows]
    parts += [f"- Example: `{example.group(1)}`"] if example else []
    return "\n".join([*parts, ""])


def _argument(param) -> str:
    name = param.metavar or param.name.upper()
    return name if param.required else f"[{name}]"


COMMON = {"sandbox", "json", "quiet", "debug", "config", "provider", "help"}


def _option(param) -> str:
    value = "" if param.is_flag else f" {param.metavar or 'VALUE'}"
    return f"- `{', '.join(param.opts)}{value}` {param.help}"


def exit_codes() -> str:
    """The table of exit codes, from the error classes."""
    rows = ["| exit | when | HTTP at `serve` |", "| --- | --- | --- |", "| 0 | done | 200 |"]
    classes = [
        kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.BifrostError)
    ]
    for code in sorted({kind.exit_code for kind in classes}):
        said = [_first_sentence(kind) for kind in classes if kind.exit_code == code]
        statuses = sorted({kind.status for kind in classes if kind.exit_code == code})
        rows.append(f"| {code} | {'; '.join(said)} | {', '.join(map(str, statuses))} |")
    rows.append("| 130 | interrupted (Ctrl-C; the batch goes on), or the answer to a question was no | - |")
    return "\n".join(rows)


def _first_sentence(kind: type) -> str:
    text = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    return f"`{kind.__name__}`: {text.rstrip('.')}"


def providers() -> str:
    """What each provider offers, and its limits."""
    names = list(PROVIDERS)
    adapters = [load(name) for name in names]
    rows = [f"| | {' | '.join(f'`{name}`' for name in names)} |", f"| --- |{' --- |' * len(names)}"]
    for field in fields(Capabilities):
        offered = [getattr(adapter.capabilities, field.name) for adapter in adapters]
        rows.append(f"| {field.name.replace('_', ' ')} | {' | '.join(_shown(value) for value in offered)} |")
    rows.append(f"| requests in a provider batch | {' | '.join(f'{a.limits.max_requests:,}' for a in adapters)} |")
    rows.append(f"| bytes in a provider batch | {' | '.join(f'{a.limits.max_bytes:,}' for a in adapters)} |")
    rows.append(f"| one model in a provider batch | {' | '.join(_shown(a.limits.one_model) for a in adapters)} |")
    return "\n".join(rows)


def _shown(value: object) -> str:
    return ", ".join(value) or "-" if isinstance(value, tuple) else "yes" if value else "-"


def settings() -> str:
    """Every setting of every provider: its name in the config file, its variables, its default."""
    rows = ["| provider | setting | what | variables | default |", "| --- | --- | --- | --- | --- |"]
    for name in PROVIDERS:
        for setting in load(name).settings:
            variables = ", ".join(f"`{variable}`" for variable in setting.env) or "-"
            what = setting.help + (f" ({', '.join(setting.choices)})" if setting.choices else "")
            default = f"`{setting.default}`" if setting.default else "-"
            rows.append(f"| {name} | `{setting.name}` | {what} | {variables} | {default} |")
    return "\n".join(rows)


FIGURES = Path(__file__).parent / "bench" / "figures.json"
CELLS = ("what", "bifrost", "floor", "ratio", "target")


def speed() -> str:
    """The machine, the figures beside their floors, and those at growing numbers of requests."""
    figures = json.loads(FIGURES.read_text())
    made = figures["machine"]
    where = f"{made['cores']} cores of {made['cpu']}, {made['system']}, Python {made['python']}, {made['date']}"
    noise = f"the median of a measurement was {figures['noise']:.0%} above its best"
    rows = [[_missed(row) if name == "target" else row[name] for name in CELLS] for row in figures["rows"]]
    grown = figures["growth"]
    sizes = [f"{int(size):,}" for size in grown[0]["figures"]]
    growth = [[each["what"], *each["figures"].values()] for each in grown]
    tables = (_table(["", *CELLS[1:]], rows), _table(["requests", *sizes], growth))
    return "\n\n".join([f"On {where}; {noise}.", *tables])


def _missed(row) -> str:
    return f"{row['target']}, **missed**" if row["met"] is False else row["target"]


def _table(head, rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
