"""Writes the report: one HTML file that needs no network and no other file."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from typing import Any, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.board.columns import base_id
from bench.contracts.metric import Group, MetricInfo
from bench.html.answer import scale_of, sentences
from bench.html.claims import Verdict, verdicts_in
from bench.html.figures import write_figures
from bench.html.origin import dates, environments, gaps_of, record_files
from bench.html.pictures import Gallery, Pictures
from bench.html.plots.board import plots_of
from bench.html.plots.ink import PAGE
from bench.html.plots.runtime import plot_runtime
from bench.html.prose import plain, prose
from bench.html.row_facts import row_facts
from bench.html.sources import MOST_HUES, Source, Sources, sources_of
from bench.html.tables import DIRECTIONS, metric_tables, plain_tables
from bench.records.store import Store
from bench.utils.errors import UserError
from bench.utils.files.paths import default_cache
from bench.utils.files.sealed import write_atomically
from bench.utils.garbage import uncollected
from bench.utils.hashing import hash_of
from bench.utils.version import __version__

FILE = "report.html"
"""The name of the report in a results folder."""
_SCRIPTS = ("page.js", "tables.js", "pictures.js", "plots.js")
_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Report:
    """A report that was written. A notebook shows it; as a path it is that of its file.

    lines: what was written, and which records could not be used.
    """

    path: Path
    lines: tuple[str, ...] = ()

    def __fspath__(self) -> str:
        return fspath(self.path)

    def _repr_html_(self) -> str:
        """Return the whole page in a frame, so that its styles stay inside."""
        page = html.escape(self.path.read_text("utf-8"), quote=True)
        return (
            f'<iframe srcdoc="{page}" title="contentbench report" loading="lazy" '
            'style="width:100%;height:80vh;border:1px solid #8888"></iframe>'
        )


def report(
    results: str | PathLike[str] = "results/local",
    output: str | PathLike[str] | None = None,
    known: Mapping[str, MetricInfo] | None = None,
) -> Report:
    """Write the report of a results folder; return it with its path.

    Args:
        results: the folder that was given to `python -m bench run --results`.
        output: the file to write; `report.html` in the results folder by default.
        known: the facts of known metrics, or None for the built-in metrics.

    Raises:
        UserError: the folder has no usable record, or the file cannot be written.
    """
    return write_report(Path(results).absolute(), output, known, cache=_default_cache())


@uncollected()
def write_report(
    results: Path,
    output: str | PathLike[str] | None = None,
    known: Mapping[str, MetricInfo] | None = None,
    cache: Path | None = None,
    figures: Path | None = None,
) -> Report:
    """Write the report of a results folder, and figures for papers if there is a folder for them.

    Args:
        results: the results folder.
        output: see `report`.
        known: see `report`.
        cache: the folder with the images of tasks, to make pictures from artefacts; None for
            pictures that exist already.
        figures: the folder for the figures, or None.

    Raises:
        UserError: the folder has no usable record, or a file cannot be written.
    """
    store = Store(results)
    store.require_records()
    path = Path(output).absolute() if output is not None else store.root / FILE
    sources = sources_of(*store.records(), known)
    if not sources.boards:
        raise UserError(f"no usable record in {store.root / 'records'}")
    gallery = Gallery(store, cache)
    pictures = [gallery.of(source) for source in sources.boards]
    claims = verdicts_in(store.root) or ()
    text = page_of(sources, record_files(store.root), store.root.name, pictures, claims, cache)
    try:
        write_atomically(path, text)
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror}): name another file with --output"
        ) from error
    lines = [*map(str, sources.damaged)]
    if gallery.made:
        lines.append(f"made {gallery.made} sheets of pictures in {store.root / 'pictures'}")
    if figures is not None:
        count = write_figures(figures, sources.boards)
        lines.append(f"wrote {count} figures and tables in {figures}")
    lines.append(f"wrote {path} ({len(text.encode()) / 1e6:.1f} MB)")
    return Report(path, tuple(lines))


def _default_cache() -> Path | None:
    try:
        return default_cache().absolute()
    except (UserError, OSError):
        return None


def page_of(
    sources: Sources,
    files: Mapping[str, str],
    name: str,
    pictures: Sequence[Pictures] = (),
    claims: Sequence[Verdict] = (),
    cache: Path | None = None,
) -> str:
    """Return the page as HTML. The same arguments give the same bits.

    Args:
        sources: the boards and the records.
        files: the SHA-256 of each record file, by its name.
        name: the name of the results folder.
        pictures: those of each board, in order.
        claims: the verdicts on claims.
        cache: the folder that keeps the runtime of the plots, or None.
    """
    scripts = [plot_runtime(cache), "\n".join(map(_template_text, _SCRIPTS))]
    shown = [*pictures, *([Pictures()] * len(sources.boards))]
    boards = [
        _board(source, of_board) for source, of_board in zip(sources.boards, shown, strict=False)
    ]
    trained = {name for source in sources.boards for name in source.board.methods}
    return (
        _environment()
        .get_template("page.html")
        .render(
            style=Markup(_template_text("page.css")),
            scripts=[Markup(script) for script in scripts],
            policy=_policy(scripts),
            config=PAGE.config,
            version=__version__,
            name=plain(name),
            sources=sources,
            boards=boards,
            n_methods=len(trained),
            dates=dates(sources.records),
            environments=environments(sources.records),
            files=files,
            claims=claims,
            reading=_reading(sources),
            directions=DIRECTIONS,
        )
    )


def _board(source: Source, pictures: Pictures) -> dict[str, Any]:
    """Return what the template shows of a board."""
    main, groups = metric_tables(source)
    return {
        "source": source,
        "board": source.board,
        "id": source.id,
        "answer": sentences(source),
        "scale": scale_of(source),
        "main": main,
        "groups": groups,
        "further": plain_tables(source),
        "facts": {label: row_facts(source, label) for label in source.board.order},
        "pictures": pictures,
        "plots": plots_of(source, PAGE),
        "gaps": gaps_of(source),
    }


def _reading(sources: Sources) -> list[tuple[str, list[MetricInfo]]]:
    """Return the facts of each metric that a board has, by group."""
    found: dict[str, dict[str, MetricInfo]] = {group: {} for group in get_args(Group)}
    for source in sources.boards:
        for name in source.board.columns(list(source.board.infos)):
            info = source.board.infos[base_id(name)]
            found[info.group][info.id] = info
    return [(group, list(infos.values())) for group, infos in found.items() if infos]


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"prose": prose, "plain": plain, "as_json": as_json}
    made.filters |= {"row_id": row_id, "hue_class": hue_class}
    return made


def as_json(value: Any) -> Markup:
    """Return a value as JSON for a script element of a type that is not run.

    `<` and its like are escaped, so that no text can end the element.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def row_id(label: str) -> str:
    """Return a short name of a row that an attribute can hold."""
    return hash_of(label)[:8]


def hue_class(hue: int) -> str:
    """Return the CSS class of the colour of a row; -1 is that of an anchor."""
    return "huenone" if hue < 0 else f"hue{hue % MOST_HUES}"


def _template_text(name: str) -> str:
    return (_TEMPLATES / name).read_text("utf-8")


def _policy(scripts: Sequence[str]) -> str:
    """Return a content security policy: these scripts run, and nothing leaves the page."""
    hashes = (
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts
    )
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
