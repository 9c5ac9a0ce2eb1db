"""Serve one Tryton database over HTTP until the parent goes. Runs inside the Tryton environment:

    python trytond_child.py <config file> <port, 0 for a free one>

Writes the port on standard output once it accepts requests. Ends with the parent: by PR_SET_PDEATHSIG on
Linux, elsewhere (and there too) because standard input, a pipe held by the parent, comes to its end.
"""

# Tryton reads its configuration when it is imported, so it is imported late.
# ruff: noqa: PLC0415
# mypy: disable-error-code="import-not-found, no-untyped-call"
from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1


def main(config_file: str, port: int) -> None:
    _end_with_parent()
    os.environ["TRYTOND_CONFIG"] = config_file
    from trytond import config

    config.update_etc([config_file])
    from trytond.pool import Pool
    from trytond.wsgi import app
    from werkzeug.serving import make_server

    Pool.start()
    Pool("erp").init()
    server = make_server("127.0.0.1", port, app, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    threading.Thread(target=_watch_standard_input, daemon=True).start()


def _watch_standard_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
