"""Tests run without a network and with the embedded data; those that need real data skip where there is none."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Scripts for maintainers, not part of the package.
sys.path[:0] = [str(ROOT / "notebooks" / "source"), str(ROOT / "data")]

# What the caller named, for example `make test DATA=~/datasets`, before the line below hides it from the lessons.
# Kept under a name of its own, because the processes that pytest-xdist starts inherit what this one has changed.
REAL_DATA = os.environ.setdefault("VAE_REAL_DATA", os.environ.get("VAE_DATA_ROOT", ""))
os.environ.update(VAE_OFFLINE="1", VAE_DATA_ROOT=str(ROOT / "no-data"))


def tries(short, long):
    """How often a test marked ``fuzz`` kills, damages or misuses something: ``long`` times under `make fuzz`."""
    return long if os.environ.get("VAE_FUZZ") else short


@pytest.fixture
def real_data(monkeypatch):
    """Let the test see the folder of real data sets that VAE_DATA_ROOT named."""
    if not REAL_DATA:
        pytest.skip("no real data: name its folder with VAE_DATA_ROOT or `make test DATA=…`")
    monkeypatch.setenv("VAE_DATA_ROOT", str((ROOT / Path(REAL_DATA).expanduser()).resolve()))
    return Path(os.environ["VAE_DATA_ROOT"])
