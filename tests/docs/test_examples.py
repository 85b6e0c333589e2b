"""The documentation's examples are run as they stand."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("index", "quickstart", "concepts", "extending", "decisions", "cli")


def blocks(page, language):
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run(code, folder):
    # The viewer's own pytest plug-in would be loaded too, which is none of this.
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return subprocess.run(
        [sys.executable, "-W", "error", *code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """Install the example as pip would: its module, and metadata that names it."""
    folder = tmp_path_factory.mktemp("plugin")
    module, test, _ = blocks("extending", "python")
    project = tomllib.loads(blocks("extending", "toml")[0])["project"]
    (folder / "cytosynth_risk.py").write_text(module, encoding="utf-8")
    (folder / "test_risk.py").write_text(test, encoding="utf-8")
    info = folder / "cytosynth_risk-0.1.dist-info"
    info.mkdir()
    name, version = project["name"], project["version"]
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n", "utf-8")
    lines = [
        f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in points.items())
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_the_example_plugin_is_found(plugin):
    code = (
        "from napari_cytosynth.core.registry import load, names;"
        "print('risk' in names('strategies'), load('strategies', 'risk')().summary)"
    )
    done = run(["-c", code], plugin)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True Cells whose")


def test_the_example_plugin_keeps_the_contract(plugin):
    done = run(["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_risk.py"], plugin)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_the_painter_example_runs(tmp_path):
    done = run(["-c", blocks("extending", "python")[2]], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(300, 400, 3)")


def test_the_quickstart_example_runs(tmp_path):
    done = run(["-c", blocks("quickstart", "python")[0]], tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 300


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (DOCS / target).exists(), f"{page}.md: {target}"


def test_every_verb_in_the_quickstart_exists():
    from napari_cytosynth.cli.verbs import VERBS

    shell = "\n".join(blocks("quickstart", "sh"))
    used = set(re.findall(r"^cytosynth (\w+)", shell, re.MULTILINE))
    assert used
    assert used <= set(VERBS)
