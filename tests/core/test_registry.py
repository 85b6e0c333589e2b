"""Plug-ins by name, with and without an argument."""

from __future__ import annotations

from napari_cytosynth.core.registry import load, makes_cells, makes_vectors, needs_of


def test_a_generator_with_an_argument_makes_what_it_makes_without() -> None:
    assert makes_cells("lora:/somewhere/base")
    assert not makes_vectors("lora:/somewhere/base")
    assert load("generators", "lora:/somewhere/base")().base.name == "/somewhere/base"
    assert "GPU" in needs_of("lora")
    assert needs_of("latent") == needs_of("nothing of that name") == ""
