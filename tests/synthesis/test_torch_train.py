import json

import numpy as np
import pytest
import torch
from PIL import Image

from napari_cytosynth.synthesis._torch.flow import even_times, heun
from napari_cytosynth.synthesis._torch.painter import PainterSize, PatchCodec
from napari_cytosynth.synthesis._torch.train_latent import (
    Pool,
    Recipe,
    Trainer,
    may_train,
    read_pool,
)
from napari_cytosynth.synthesis._torch.turns import turned
from napari_cytosynth.synthesis.appearance import describe

TINY = Recipe(steps=4, batch=2, size=PainterSize(side=32, channels=8, widths=(16, 16)))


@pytest.fixture
def pool(cells):
    crops = cells.crops[::8]
    return Pool(crops, np.arange(len(crops)) % 11, describe(crops), [])


def test_a_stopped_run_goes_on_as_if_it_had_not(pool, tmp_path):
    whole, first = Trainer(pool, TINY), Trainer(pool, TINY)
    for _ in range(4):
        whole.advance()
    for _ in range(2):
        first.advance()
    first.save(tmp_path)
    second = Trainer(pool, TINY)
    second.resume(tmp_path)
    assert second.step == 2
    for _ in range(2):
        second.advance()
    for key, value in whole.average.items():
        torch.testing.assert_close(second.average[key], value)
    assert json.loads((tmp_path / "progress.json").read_text())["step"] == 2


def test_only_the_training_share_is_read(tmp_path):
    names = [f"LY_{i}.jpg" for i in range(12)]
    rows = [f"{n},lymphocyte,{'LY' if i else ''}" for i, n in enumerate(names)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,class8,class11", *rows]))
    for name in names:
        Image.new("RGB", (128, 128), (200, 150, 180)).save(tmp_path / name)
    pool = read_pool(tmp_path)
    assert pool.names == [n for n in names if may_train(n)]
    assert 0 < len(pool.names) < 12
    assert pool.crops.shape[1:] == (96, 96, 3)
    assert set(pool.classes) <= {8, 11}


def test_the_codec_keeps_pictures(cells):
    codec = PatchCodec(PainterSize(side=80, channels=48))
    crops = torch.from_numpy(cells.crops[:8])
    codec.fit(codec.resize(crops))
    pictures = codec.resize(crops)
    torch.testing.assert_close(
        codec.decode(codec.encode(pictures)), pictures, atol=1e-3, rtol=0
    )
    back = codec.to_crops(codec.from_crops(crops), 96)
    assert back.shape == crops.shape
    assert (back.float() - crops.float()).abs().mean() < 6


def test_pictures_are_turned_in_eight_ways():
    picture = torch.arange(16.0).reshape(1, 1, 4, 4).repeat(400, 1, 1, 1)
    ways = turned(picture, torch.Generator().manual_seed(0))
    assert len({tuple(w.flatten().tolist()) for w in ways}) == 8


def test_heun_follows_a_known_flow():
    start = torch.ones(3)
    end = heun(lambda x, t: x * 2 * t, start, even_times(200))
    torch.testing.assert_close(end, start * np.e, atol=0.02, rtol=0)
