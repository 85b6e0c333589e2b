"""Pairs the pictures of an annotation file with the smears of a project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from napari_cytosynth.core.errors import CytoSynthError, InputError
from napari_cytosynth.core.project import Project
from napari_cytosynth.core.protocols import ImageRecord, Records
from napari_cytosynth.core.smear import Smear
from napari_cytosynth.workflows.searches import relinked

_BESIDE = ("", "images", "JPEGImages", "../images", "../JPEGImages")
"""Where the pictures of an annotation file use to lie, from its folder."""


def pair_pictures(
    project: Project, records: Records, path: Path
) -> tuple[dict[str, Smear], tuple[str, ...]]:
    """Find the smear of every picture: by name, else by content.

    A smear whose own file is gone is relinked to the picture of the same content.

    Parameters
    ----------
    project : Project
        Holds the smears.
    records : Records
        Names the pictures.
    path : Path
        The annotation file or folder; pictures are looked for around it.

    Returns
    -------
    dict of file name to Smear, tuple of str
        Pairs, and the pictures that are no smear of the project.

    Raises
    ------
    InputError
        If a name fits several smears, sizes differ, or no picture fits at all.
    """
    smears = project.smears()
    pairs: dict[str, Smear] = {}
    strangers = []
    painted = {o.image for o in records.objects if o.synthetic}
    painted -= {o.image for o in records.objects if not o.synthetic}
    for image in (i for i in records.images if i.file_name not in painted):
        smear = _by_name(image, smears) or _by_content(project, image, smears, path)
        if smear is None:
            strangers.append(image.file_name)
            continue
        _demand_size(image, smear)
        pairs[image.file_name] = smear
    if strangers and not pairs:
        raise InputError(
            f"None of the {len(records.images)} pictures of '{path}', such as "
            f"'{strangers[0]}', is a smear of project '{project.name}'. Add the "
            "pictures first, then import their labels."
        )
    return pairs, tuple(strangers)


def smear_names(smears: Iterable[Smear]) -> dict[int, str]:
    """Return for each smear id the shortest relative name that no other smear has."""
    parts = {int(s.id): _parts(s.uri) for s in smears}
    names: dict[int, str] = {}
    longest = max((len(p) for p in parts.values()), default=0)
    for length in range(1, longest + 1):
        tails = {n: p[-length:] for n, p in parts.items() if n not in names}
        uses = Counter(tails.values())
        names.update((n, "/".join(t)) for n, t in tails.items() if uses[t] == 1)
    for number, own in parts.items():
        names.setdefault(number, "/".join((str(number), *own[-1:])))
    return names


def _parts(uri: str) -> tuple[str, ...]:
    """Return the path's parts, folders of this disk and drive left out."""
    plain = unquote(uri.partition("://")[2]) if "://" in uri else uri
    posix = PurePosixPath(plain.replace("\\", "/"))
    return tuple(p for p in posix.parts if p not in ("/", "..") and ":" not in p)


def _by_name(image: ImageRecord, smears: list[Smear]) -> Smear | None:
    wanted = PurePosixPath(image.file_name).parts
    for ends in (_ends_with, _same_name, _same_stem):
        found = [s for s in smears if ends(_parts(s.uri), wanted)]
        if len(found) > 1:
            raise InputError(
                f"Picture '{image.file_name}' may be any of {len(found)} smears, such "
                f"as '{found[0].uri}' and '{found[1].uri}'. Write more of its folder "
                "into the annotation file's picture names."
            )
        if found:
            return found[0]
    return None


def _ends_with(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return parts[-len(wanted) :] == wanted


def _same_name(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return parts[-1:] == wanted[-1:]


def _same_stem(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Compare without endings: some formats do not know the picture's."""
    return (
        bool(parts) and PurePosixPath(parts[-1]).stem == PurePosixPath(wanted[-1]).stem
    )


def _by_content(
    project: Project, image: ImageRecord, smears: list[Smear], path: Path
) -> Smear | None:
    from napari_cytosynth.ingest.identity import fingerprint

    folder = path if path.is_dir() else path.parent
    for place in _BESIDE:
        picture = folder / place / image.file_name
        if not picture.is_file():
            continue
        try:
            content = fingerprint(picture)
        except CytoSynthError:
            continue  # not a picture, so not a smear either
        for smear in smears:
            if smear.fingerprint == content:
                return relinked(project, smear, picture)
    return None


def _demand_size(image: ImageRecord, smear: Smear) -> None:
    known = image.width > 0 and image.height > 0
    if known and (image.width, image.height) != (smear.width, smear.height):
        raise InputError(
            f"'{image.file_name}' was labelled at {image.width} x {image.height} "
            f"pixels, but smear {smear.id} has {smear.width} x {smear.height}. Boxes "
            "would lie elsewhere; import labels of the same picture."
        )
