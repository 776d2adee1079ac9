"""The runtime of the plots: Vega, Vega-Lite and Vega-Embed as one script."""

from __future__ import annotations

from contextlib import suppress
from functools import cache as kept
from importlib.metadata import version
from pathlib import Path

from bench.utils.files.sealed import read_sealed, write_sealed

SNIPPET = "window.vegaEmbed = vegaEmbed;"


@kept
def plot_runtime(cache: Path | None = None) -> str:
    """Return the runtime of the plots, with a scope of its own.

    cache: the folder that keeps it, because to put it together takes seconds; None to do so anyway.
    """
    import vl_convert

    path = cache and cache / "plots" / f"vega-{version('vl-convert-python')}.json"
    if path is not None:
        with suppress(OSError, ValueError, KeyError):
            return str(read_sealed(path)["script"])
    bundle = str(vl_convert.javascript_bundle(SNIPPET)).replace("</script", "<\\/script")
    script = "(() => {" + bundle + "\n})();"
    if path is not None:
        with suppress(OSError):  # a full or read-only disk: it is put together again next time
            write_sealed(path, {"script": script})
    return script
