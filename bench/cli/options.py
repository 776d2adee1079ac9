"""The options that several verbs share, and the checks of their values."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.contracts.labels import split_names
from bench.utils.errors import UserError

DEFAULT_RESULTS = Path("results/local")
DEFAULT_TASK = "avatars-glasses"
DEFAULT_PROFILE = "small"

WHAT = "Methods, tasks and metrics"
WHERE = "Where and how"
LIMITS = "Resume and limits"
SCALE = "Scale out (shards, Ray)"
REPORTS = "Reports"


class Existing(StrEnum):
    """What to do with cells that have a record."""

    resume = "resume"
    retry = "retry"
    fresh = "fresh"


class Engine(StrEnum):
    """How cells are run."""

    process = "process"
    inline = "inline"
    ray = "ray"


def option(*flags: str, help: str, panel: str, **more: Any) -> Any:  # noqa: A002
    """Declare an option whose help text states its default in words."""
    return typer.Option(*flags, help=help, rich_help_panel=panel, show_default=False, **more)


def path_option(*flags: str, help: str, panel: str, metavar: str = "DIR") -> Any:  # noqa: A002
    """Declare an option that takes a path, which must not be empty."""

    def parse(text: str | Path) -> Path:
        return path_in(text, flags[0])

    return option(*flags, help=help, panel=panel, metavar=metavar, parser=parse)


def path_in(text: str | Path, flag: str) -> Path:
    """Return the value of an option as a path.

    Raises:
        UserError: the text is empty, for example from an unset variable in a script. `Path` would
            treat it as the working folder.
    """
    if not str(text).strip():
        raise UserError(f"{flag} '{text}': expected a path ('.' is the working folder)")
    return Path(text)


MethodsOption = Annotated[
    list[str] | None,
    option(
        help="Names of methods or of sets (core, contrastive), separated by commas; all methods "
        "and anchors by default.",
        panel=WHAT,
        metavar="NAMES",
    ),
]
TasksOption = Annotated[
    list[str] | None,
    option(
        "--tasks",
        "--task",
        help=f"Names of tasks, separated by commas; {DEFAULT_TASK} by default.",
        panel=WHAT,
        metavar="NAMES",
    ),
]
TaskOption = Annotated[
    str,
    option(
        "--task", help=f"Name of the task; {DEFAULT_TASK} by default.", panel=WHAT, metavar="NAME"
    ),
]
MetricsOption = Annotated[
    list[str] | None,
    option(
        help="Ids or families of metrics, separated by commas; all that can be had by default.",
        panel=WHAT,
        metavar="NAMES",
    ),
]
ProfileOption = Annotated[
    str,
    option(
        help=f"smoke, small, medium or paper; {DEFAULT_PROFILE} by default.",
        panel=WHAT,
        metavar="NAME",
    ),
]
PluginOption = Annotated[
    list[Path] | None,
    path_option(
        "--plugin",
        help="A file with a method, metric or task of your own (repeatable); none by default.",
        panel=WHAT,
        metavar="FILE",
    ),
]
InceptionOption = Annotated[
    Path | None,
    path_option(
        "--inception",
        help="Weights of Inception, for fid_add and fid_remove; without them neither is computed.",
        panel=WHAT,
        metavar="FILE",
    ),
]
ChooseMethodsOption = Annotated[
    list[str] | None,
    option(help="Labels or methods of the records; all by default.", panel=WHAT, metavar="NAMES"),
]
ChooseTasksOption = Annotated[
    list[str] | None,
    option(
        "--tasks",
        "--task",
        help="Tasks of the records; all by default.",
        panel=WHAT,
        metavar="NAMES",
    ),
]
ChooseSeedsOption = Annotated[
    str | None,
    option(
        help="Seeds of the records, as in 0,1,2 or 0-4; all by default.",
        panel=WHAT,
        metavar="SEEDS",
    ),
]
ProfileSettingsOption = Annotated[
    list[str] | None,
    option(
        "--set",
        help="profile.FIELD=VALUE (repeatable); nothing of the profile is changed by default.",
        panel=WHAT,
        metavar="SETTING",
    ),
]

ResultsOption = Annotated[
    Path,
    path_option(
        "--results",
        help=f"Folder of records, pictures and leaderboard; {DEFAULT_RESULTS} by default.",
        panel=WHERE,
    ),
]
CacheOption = Annotated[
    Path | None,
    path_option(
        "--cache-dir",
        help="Folder where the images of tasks are kept; CONTENTBENCH_CACHE or the user's cache "
        "folder by default.",
        panel=WHERE,
    ),
]
JobsOption = Annotated[
    int | None,
    option(
        min=1,
        help="Cells at a time; one for each core or GPU by default.",
        panel=WHERE,
        metavar="N",
    ),
]
DryRunOption = Annotated[
    bool,
    option(
        "--dry-run", help="Say what would be done, and do nothing; off by default.", panel=WHERE
    ),
]
DeviceOption = Annotated[
    str, option(help="auto (default), cpu or cuda.", panel=WHERE, metavar="NAME")
]
PrecisionOption = Annotated[
    str | None,
    option(help="auto, fp32 or bf16; that of the profile by default.", panel=WHERE, metavar="NAME"),
]
ExistingOption = Annotated[
    Existing,
    option(
        help="resume (default): skip cells that have a record; retry: run those that failed "
        "again; fresh: run all again.",
        panel=LIMITS,
    ),
]
TimeoutOption = Annotated[
    float | None,
    option(
        min=1,
        help="Seconds after which a cell is stopped; no limit by default.",
        panel=LIMITS,
        metavar="SECONDS",
    ),
]
IgnoreDiskOption = Annotated[
    bool,
    option(
        "--ignore-disk",
        help="Start even if the disk seems too small; off by default.",
        panel=LIMITS,
    ),
]
EngineOption = Annotated[
    Engine,
    option(
        help="process (default): a process for each cell; inline: all cells in this process; ray: "
        "the Ray cluster of RAY_ADDRESS, or Ray on this machine.",
        panel=SCALE,
    ),
]
AgainOption = Annotated[
    Existing,
    option(
        help="resume: compute what is missing or outdated; retry (default): also what failed; "
        "fresh: everything.",
        panel=LIMITS,
    ),
]


def examples(*commands: str, note: str = "") -> str:
    """Return the epilog of a verb: one example per line, and a note."""
    lines = [f"python -m bench {command}" for command in commands]
    return "\n\n".join(["Examples:", *lines, *([note] if note else [])])


def names_in(given: list[str] | None) -> tuple[str, ...]:
    """Return the names in the values of an option, which are separated by commas or spaces.

    A comma within the brackets of a label does not separate names.

    Raises:
        UserError: the option has no name, for example because of an unset variable in a script.
    """
    names = tuple(name for text in given or () for name in split_names(text))
    if given and not names:
        raise UserError(
            f"an option that takes names got '{given[0]}': give a name, or leave the option out"
        )
    return names


def check_seeds(seeds: str | None) -> None:
    """Check that the value of `--seeds` is not empty.

    Raises:
        UserError: it is empty.
    """
    if seeds is not None and not seeds.strip():
        raise UserError("--seeds '': expected whole numbers such as 0,1,2 or 0-4")


def kept_in() -> Path | None:
    """Return the default cache folder for a verb that also works without one."""
    from bench.utils.files.paths import default_cache

    try:
        return default_cache().absolute()
    except (UserError, OSError):
        return None
