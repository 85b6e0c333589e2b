"""Turn a folder of cell pictures into vectors: every image below it is one cell.

Example: cytosynth embed cells/ --embedder starter --out cells.npz --mpp 0.1
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cytosynth.cli.output import Json, Unread, drive, show
from napari_cytosynth.cli.project import Embedder
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER

if TYPE_CHECKING:
    from napari_cytosynth.core.protocols import Vectors


def run(
    folder: Annotated[Path, typer.Argument()],
    out: Annotated[Path, typer.Option(help="NPZ file to write.")],
    embedder: Embedder = DEFAULT_EMBEDDER,
    mpp: Annotated[
        float | None,
        typer.Option(min=0.01, max=10, help="Micrometres a pixel of the pictures."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write ``files`` (sorted, POSIX) and ``embeddings`` (float32).

    What cannot be read is named and left out.
    """
    from napari_cytosynth.workflows.embed import embed_folder

    unread = Unread()
    task = embed_folder(folder, embedder=embedder, mpp=mpp, on_damaged=unread)
    files, vectors = drive(task, "embed")
    _write(out, files, vectors)
    document = {
        "out": str(out),
        "files": len(files),
        "dim": int(vectors.shape[1]),
        "errors": unread.rows,
    }
    text = f"{len(files)} cells x {vectors.shape[1]}: {out}"
    if unread.rows:
        text += f"; {len(unread.rows)} pictures could not be read"
    show(document, [text], as_json)


def _write(out: Path, files: list[str], vectors: Vectors) -> None:
    import numpy as np

    partial = out.with_name(out.name + ".partial")
    with partial.open("wb") as stream:
        np.savez(stream, files=np.array(files, dtype=np.str_), embeddings=vectors)
    partial.replace(out)
