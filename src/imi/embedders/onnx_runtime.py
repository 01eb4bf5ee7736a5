"""Loads ONNX Runtime, which since 1.29 reports its use to Microsoft unless it is told not to before it is loaded.

Its packages for Linux and macOS write a number of the machine and a database of events into the user's cache folder
and send them. imi needs no network and says nothing of anybody's use.
"""

from __future__ import annotations

import os
from typing import Any

from imi.errors import MissingExtra


def load_runtime(extra: str) -> Any:
    """Import onnxruntime with its reports off, unless the user has set the variable.

    Args:
        extra: of imi, which installs it.

    Raises:
        MissingExtra: it is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as missing:
        raise MissingExtra("onnxruntime", extra) from missing
    if os.environ.get("ORT_DISABLE_TELEMETRY") == "1":
        onnxruntime.disable_telemetry_events()  # on Windows the variable is not read
    return onnxruntime
