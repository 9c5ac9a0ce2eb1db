"""What a browser may do with our pages."""

from __future__ import annotations

__all__ = ["FORM_HEADERS", "PAGE_HEADERS"]

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

FORM_HEADERS = PAGE_HEADERS | {"Referrer-Policy": "same-origin"}
"""Of pages with a form to send: under `no-referrer` browsers do not say where it comes from (Fetch §3.2)."""
