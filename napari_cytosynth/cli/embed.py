"""Turn a folder of cell pictures into vectors: every image below it is one cell.

Example: cytosynth embed cells/ --embedder starter --out cells.npz --mpp 0.1

A foundation model's weights are fetched when it is first used, or named:
cytosynth embed cells/ --embedder dinov2 --weights model.safetensors --out cells.npz
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_cytosynth.cli.output import Json, Unread, counted, drive, show
from napari_cytosynth.cli.project import Embedder
from napari_cytosynth.core.files import (
    demand_place,
    is_zip,
    refusal,
    write_durably,
)
from napari_cytosynth.core.registry import DEFAULT_EMBEDDER

if TYPE_CHECKING:
    from napari_cytosynth.core.protocols import Vectors


def run(
    folder: Annotated[Path, typer.Argument(help="Of pictures of cells.")],
    out: Annotated[Path, typer.Option(help="NPZ file to write.")],
    embedder: Embedder = DEFAULT_EMBEDDER,
    mpp: Annotated[
        float | None,
        typer.Option(min=0.01, max=10, help="Micrometres a pixel of the pictures."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="Checkpoint of dinov2 or dinobloom-s, -b, -l, -g to use."),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option(
            help="What --weights must have; without it no pickle of your own is read."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write ``files`` (sorted, POSIX), ``embeddings`` (float32), ``synthetic`` (bool).

    What cannot be read is named and left out.
    """
    from napari_cytosynth.formats.painted import is_painted
    from napari_cytosynth.workflows.embed import embed_folder

    demand_place(out, is_zip)
    name = _with_weights(embedder, weights, sha256)
    unread = Unread()
    task = embed_folder(folder, embedder=name, mpp=mpp, on_damaged=unread)
    files, vectors = drive(task, "embed")
    painted = [is_painted(folder / file) for file in files]
    _write(out, files, vectors, painted)
    document = {
        "out": str(out),
        "files": len(files),
        "dim": int(vectors.shape[1]),
        "errors": unread.rows,
    }
    text = f"{counted(len(files), 'cell')} x {vectors.shape[1]}: {out}"
    if unread.rows:
        text += f"; {counted(len(unread.rows), 'picture')} could not be read"
    show(document, [text], as_json)


def _with_weights(embedder: str, weights: Path | None, sha256: str | None) -> str:
    """Return the name under which an embedder takes a file of the user's."""
    from napari_cytosynth.features.dinobloom_files import write_given

    if weights is not None:
        return f"{embedder}:{write_given(weights, sha256)}"
    if sha256 is not None:
        raise typer.BadParameter("It says what --weights must have; give both.")
    return embedder


def _write(out: Path, files: list[str], vectors: Vectors, painted: list[bool]) -> None:
    import numpy as np

    data = io.BytesIO()
    np.savez(
        data,
        files=np.array(files, dtype=np.str_),
        embeddings=vectors,
        synthetic=np.array(painted, dtype=np.bool_),
    )
    try:
        write_durably(out, data.getvalue())
    except OSError as error:
        raise refusal(out, error) from error
