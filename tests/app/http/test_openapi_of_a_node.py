"""A running node against its own OpenAPI document: schemathesis asks every operation, right and wrong.

What it looks for: answers that are not in the document, whose media type or body is not as the document has
it, 5xx but those that say that a connected system is away, wrong requests that are taken, right ones that
are refused, and operations that answer without a key. LINESHAFT_HTTP_EXAMPLES asks for more.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.app.http.running import HttpNode

EXAMPLES = int(os.environ.get("LINESHAFT_HTTP_EXAMPLES", "0"))
RULES = """\
[phases.coverage]
unexpected-methods = ["DELETE"]

[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 502, 503, 504]
# 422: what a schema cannot say, by the systems, too
positive_data_acceptance.expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 422, 502, 503, 504]

# its document says what is common to three modes; the rest is in CloudEvents
[[operations]]
include-operation-id = "publish_events"
checks.positive_data_acceptance.enabled = false
"""


@pytest.mark.timeout(600 + 60 * EXAMPLES)
def test_answers_are_as_the_document_says(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    account = {"roles": ["administrator"], "plants": "*", "system": "erp", "limits": {"rate_per_s": 0}}
    with HttpNode(tmp_path / "plant", accounts={"admin": account}) as node:
        more = ["--phases", "examples,coverage"]
        if EXAMPLES:
            more = ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(EXAMPLES)]
        ended = subprocess.run(
            [
                shutil.which("schemathesis", path=Path(sys.executable).parent) or "schemathesis",
                *("--config-file", str(tmp_path / "rules.toml"), "run", f"{node.url}/api/openapi.json"),
                *("--header", f"Authorization: {node.key('admin')['Authorization']}"),
                *("--generation-with-security-parameters", "false", "--generation-deterministic"),
                *("--exclude-operation-id", "read_events"),  # a stream that does not end
                *("--exclude-operation-id", "revoke_credential"),  # it would find its own, and be out
                *("--request-timeout", "60", "--max-failures", "20", "--no-color", *more),
            ],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        log = node.product.log_path.read_text()
        asked = urllib.request.Request(f"{node.url}/api/v1/orders", headers=node.key("admin"))
        assert urllib.request.urlopen(asked).status == 200, "the key does not hold any more"
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Traceback" not in log
    (tested,) = [line for line in ended.stdout.splitlines() if line.strip().startswith("Tested:")]
    assert int(tested.partition(":")[2]) > 75
