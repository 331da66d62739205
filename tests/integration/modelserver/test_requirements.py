"""pip ends with whoever asked for it, whatever host it waits for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

PARENT = """
import os, sys
from pathlib import Path
from airflow_batchtx.modelserver.requirements import installed
folder = Path(sys.argv[1])
installed(folder, folder / "packages", folder / "log", os.environ)
"""


def test_what_looks_for_requirements_ends_with_its_parent(tmp_path: Path) -> None:
    # A host that takes the call and never answers, asked at once for what is there already; pip is to wait longer.
    with socket.create_server(("127.0.0.1", 0)) as host:
        host.settimeout(60)
        (tmp_path / "code").mkdir()
        url = f"http://127.0.0.1:{host.getsockname()[1]}/greeting-1.0.tar.gz"
        (tmp_path / "code" / "requirements.txt").write_text(f"greeting @ {url}\n")
        patient = {**os.environ, "PIP_TIMEOUT": "600", "NO_PROXY": "*", "no_proxy": "*"}
        with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], env=patient) as parent:
            asking, _ = host.accept()
            assert asking.recv(4) == b"GET "
            parent.kill()

        with asking:
            asking.settimeout(30)
            while asking.recv(64 * 1024):
                """The rest of the request; then the connection ends with pip."""
