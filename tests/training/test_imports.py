"""Training needs neither the metric's package nor what other codecs need."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"compressai", "cv2", "lpips", "torchvision", "skimage"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import dirac_enhance.training
for module in pkgutil.walk_packages(dirac_enhance.training.__path__, "dirac_enhance.training."):
    importlib.import_module(module.name)
from dirac_enhance import load_host
print(load_host().codec("jpeg").codec.id)
"""


def test_training_imports_without_compressai_opencv_or_lpips() -> None:
    finished = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert finished.stdout.strip() == "jpeg", finished.stderr
