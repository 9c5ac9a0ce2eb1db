"""The log of a process: lines on standard error, from `$LINESHAFT_LOG` on."""

from __future__ import annotations

import logging
import os
import sys

import structlog

__all__ = ["log_to_stderr"]


def log_to_stderr() -> None:
    for library in ("asyncua", "pymodbus.logging"):  # what they warn of, the sources tell
        logging.getLogger(library).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(os.environ.get("LINESHAFT_LOG", "info")),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
