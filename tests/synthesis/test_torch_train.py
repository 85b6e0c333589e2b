import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from napari_cytosynth.core.shipped import LAST_TRAINING_SHARE, share_of
from napari_cytosynth.synthesis._torch import learn_class as learning
from napari_cytosynth.synthesis._torch.flow import even_times, heun
from napari_cytosynth.synthesis._torch.learn_class import (
    Lesson,
    copied_share,
    learn_class,
)
from napari_cytosynth.synthesis._torch.multistep import multistep
from napari_cytosynth.synthesis._torch.painter import PainterSize, PatchCodec
from napari_cytosynth.synthesis._torch.train_latent import (
    Pool,
    Recipe,
    Trainer,
    read_pool,
)
from napari_cytosynth.synthesis._torch.turns import turned

TINY = Recipe(
    steps=4,
    batch=2,
    size=PainterSize(descriptor=4, side=32, channels=8, widths=(16, 16)),
)


@pytest.fixture
def pool(cells):
    crops = cells.crops[::8]
    return Pool(crops, np.arange(len(crops)) % 11, cells.vectors[::8])


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
    vectors = np.arange(12, dtype=np.float32)[:, None]
    np.savez(tmp_path / "cells.npz", files=np.array(names), embeddings=vectors)
    pool = read_pool(tmp_path, tmp_path / "cells.npz")
    mine = [i for i, n in enumerate(names) if share_of(n) <= LAST_TRAINING_SHARE]
    assert pool.vectors[:, 0].tolist() == mine
    assert 0 < len(mine) < 12
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


def test_weights_to_begin_with_keep_what_they_know(pool):
    old = Trainer(pool, replace(TINY, size=replace(TINY.size, descriptor=3)))
    old.advance()
    new = Trainer(pool, replace(TINY, seed=5))
    new.begin_with({**old.net.state_dict(), "space.axes": torch.zeros(1)})
    z = torch.randn(2, 8, 8, 8)
    t, classes = torch.tensor([0.3, 0.7]), torch.tensor([0, 8])
    with torch.no_grad():
        before = old.net(z, t, old.net.class_table(classes))
        looks = new.net.condition(classes, new.looks[:2] + 9, torch.ones(2))
        after = new.net(z, t, looks)
    torch.testing.assert_close(after, before)


def test_the_rate_falls_to_the_end_of_steps_or_minutes(pool):
    trainer = Trainer(pool, replace(TINY, steps=100, warm_up=1, minutes=10.0))
    rates = []
    for step, seconds in ((0, 0), (50, 0), (99, 0), (0, 300), (0, 600)):
        trainer.step, trainer.seconds = step, seconds
        rates.append(trainer._schedule())
    assert rates[0] == pytest.approx(1)
    assert rates[1] == rates[3] == pytest.approx(0.51)
    assert rates[2] < 0.03
    assert rates[4] == pytest.approx(0.02)


def test_learning_a_class_ends_where_it_copies(pool, monkeypatch):
    net = Trainer(pool, TINY).net.eval().requires_grad_(False)
    lesson = Lesson(pool.crops, None, 6, 0)
    shares = iter([0.0, 0.5])
    monkeypatch.setattr(learning, "PROBE_EVERY", 2)
    monkeypatch.setattr(learning, "copied_share", lambda *_: next(shares))
    *_, last = learn_class(net, lesson)
    assert last.step == 2
    assert last.copies == 0.5
    shares = iter([0.0, 0.0, 0.0])
    *_, last = learn_class(net, lesson)
    assert last.step == 6


def test_copies_of_the_lesson_are_counted(pool, monkeypatch):
    net = Trainer(pool, TINY).net.eval().requires_grad_(False)
    lesson = Lesson(pool.crops, None, 6, 0)
    row = np.zeros(64, np.float32)
    assert copied_share(net, lesson, row) == 0
    turned_cells = np.rot90(pool.crops[:4], axes=(1, 2)).copy()
    monkeypatch.setattr(learning, "paint", lambda *_: iter([None, turned_cells]))
    assert copied_share(net, lesson, row) == 1


def test_multistep_follows_a_flow_to_its_end():
    """For Gaussian data of spread 0.5 the clean picture is known at every time."""

    def clean(z, t):
        return z * t * 0.25 / ((t * 0.5) ** 2 + (1 - t) ** 2)

    noise = torch.linspace(-2, 2, 9)
    between = torch.sigmoid(torch.linspace(-4, 4, 30)).tolist()
    *_, end = multistep(clean, noise, [0.0, *between, 1.0])
    torch.testing.assert_close(end, noise * 0.5, atol=0.02, rtol=0)
    *_, coarse = multistep(clean, noise, [0.0, *between[::4], 1.0])
    assert (coarse - noise * 0.5).abs().max() < 0.1
