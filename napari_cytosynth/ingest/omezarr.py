"""Reads OME-Zarr 0.4 (Zarr v2) and 0.5 (Zarr v3), chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zarr
from zarr.errors import ContainsArrayError, GroupNotFoundError

from napari_cytosynth.core.errors import InputError
from napari_cytosynth.ingest.image import PyramidImage, decoding
from napari_cytosynth.ingest.pixels import plan_conversion
from napari_cytosynth.ingest.planes import Plane, plan_level
from napari_cytosynth.ingest.record import smear_of
from napari_cytosynth.ingest.units import micrometres

_MARKS = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
_DEFAULT_AXES = "tczyx"


class OmeZarrReader:
    """Opens the first picture of an OME-Zarr folder."""

    def can_read(self, uri: str) -> bool:
        """Tell by name and metadata files; a folder called .zarr is ours to judge."""
        path = Path(uri)
        if not path.is_dir():
            return False
        return path.suffix == ".zarr" or any((path / mark).exists() for mark in _MARKS)

    def open(self, uri: str) -> PyramidImage:
        """Open lazily.

        Raises
        ------
        InputError
            If the folder holds no multiscale picture, or a damaged one.
        """
        group = _group(uri)
        with _understood(uri):
            multiscale = _multiscale(uri, group)
            planes, scales = _levels(uri, group, multiscale)
            mpp = _mpp(multiscale, scales[0])
        with decoding(uri):
            convert, notes = plan_conversion(uri, planes[-1].sample())
        height, width = planes[0].shape
        plans = [plan_level(uri, plane, convert, planes[0].shape) for plane in planes]
        smear = smear_of(uri, width=width, height=height, mpp=mpp)
        return PyramidImage(smear, plans, planes[0].notes + notes)


@contextmanager
def _understood(uri: str) -> Iterator[None]:
    """Turn what metadata of another form than OME-NGFF's cause into an InputError."""
    try:
        yield
    except InputError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"The OME-Zarr metadata of '{uri}' cannot be understood: {error!r}. They "
            "have another form than 'multiscales' of OME-NGFF 0.4 and 0.5; export the "
            "picture again."
        ) from error


def _group(uri: str) -> zarr.Group:
    try:
        with decoding(uri):
            return zarr.open_group(uri, mode="r")
    except InputError as error:
        if not isinstance(error.__cause__, (GroupNotFoundError, ContainsArrayError)):
            raise
        raise InputError(
            f"'{uri}' holds no Zarr group: it is empty, or a bare array. A smear is an "
            "OME-Zarr picture (a group with 'multiscales'); export it again as one."
        ) from error


def _multiscale(uri: str, group: zarr.Group) -> Mapping[str, Any]:
    attributes: Mapping[str, Any] = dict(group.attrs)
    attributes = attributes.get("ome", attributes)
    multiscales = attributes.get("multiscales") or []
    if not multiscales and "bioformats2raw.layout" in attributes and "0" in group:
        raise InputError(
            f"'{uri}' is a collection of pictures. Open one of them: '{uri}/0'."
        )
    if not multiscales or not multiscales[0].get("datasets"):
        raise InputError(
            f"'{uri}' is a Zarr group without a picture: its metadata has no "
            "'multiscales'. Choose the group that holds the picture, or export it "
            "again."
        )
    first: Mapping[str, Any] = multiscales[0]
    return first


def _levels(
    uri: str, group: zarr.Group, multiscale: Mapping[str, Any]
) -> tuple[list[Plane], list[list[float]]]:
    axes = _axes(multiscale)
    planes, scales = [], []
    for dataset in multiscale["datasets"]:
        with decoding(uri):
            array = group[str(dataset["path"])]
        if not isinstance(array, zarr.Array):
            raise InputError(
                f"'{uri}': level '{dataset['path']}' is no array. Its metadata and its "
                "folders disagree; export it again."
            )
        _refuse_objects(uri, array)
        letters = axes or _DEFAULT_AXES[-array.ndim :]
        planes.append(Plane.of(uri, array, letters))
        scales.append(_scale(multiscale, dataset, array.ndim))
    return planes, scales


def _refuse_objects(uri: str, array: zarr.Array[Any]) -> None:
    """Refuse an array of Python objects, which a codec would unpickle: that runs code.

    Newer numcodecs decline as well; older ones, which zarr still takes, do not.
    """
    chain = (*(getattr(array.metadata, "filters", None) or ()),)
    chain += (getattr(array.metadata, "compressor", None),)
    pickled = any(getattr(codec, "codec_id", "") == "pickle" for codec in chain)
    if pickled or array.dtype.kind not in "buif":
        raise InputError(
            f"'{uri}' holds an array of {array.dtype}, or a pickled one. A smear is "
            "an array of numbers, and nothing else is opened, for it could run code; "
            "export the picture again."
        )


def _axes(multiscale: Mapping[str, Any]) -> str:
    """Return one letter an axis; empty where the metadata (before 0.4) has none."""
    axes = multiscale.get("axes") or []
    names = [axis["name"] if isinstance(axis, Mapping) else str(axis) for axis in axes]
    return "".join(name[:1] for name in names)


def _scale(
    multiscale: Mapping[str, Any], dataset: Mapping[str, Any], ndim: int
) -> list[float]:
    """Multiply the scales of the level and of the whole."""
    scale = [1.0] * ndim
    for holder in (dataset, multiscale):
        for step in holder.get("coordinateTransformations") or []:
            if step.get("type") == "scale":
                factors = [float(v) for v in step["scale"]]
                scale = [a * b for a, b in zip(scale, factors, strict=True)]
    return scale


def _mpp(multiscale: Mapping[str, Any], scale: list[float]) -> float | None:
    for axis, factor in zip(multiscale.get("axes") or [], scale, strict=False):
        if isinstance(axis, Mapping) and axis.get("name") == "x":
            return micrometres(factor, axis.get("unit"))
    return None
