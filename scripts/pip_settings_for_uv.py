"""Print pip's own settings as shell exports for uv, which does not read them.

pip's configuration files and `PIP_*` variables are where a company's package index, proxy and certificates
are set. A variable of uv's own that is set already wins.
"""

import ast
import os
import shlex
import subprocess
import sys

VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX",),
    "extra-index-url": ("UV_INDEX",),
    "find-links": ("UV_FIND_LINKS",),
    "no-index": ("UV_NO_INDEX",),
    "cert": ("SSL_CERT_FILE",),
    "client-cert": ("SSL_CLIENT_CERT",),
    "proxy": ("HTTPS_PROXY", "HTTP_PROXY"),
    "trusted-host": ("UV_INSECURE_HOST",),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "default-timeout": ("UV_HTTP_TIMEOUT",),
}
SECTIONS = ("global", "install", ":env:")  # each wins over the one before
SEPARATORS = {"UV_FIND_LINKS": ","}


def pip_settings() -> dict[str, str]:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    by_section: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.partition(".")
        if section in by_section and value:
            by_section[section][key.lower().replace("_", "-")] = str(ast.literal_eval(value))
    return {key: value for section in SECTIONS for key, value in by_section[section].items()}


def main() -> None:
    for key, value in pip_settings().items():
        for variable in VARIABLES.get(key, ()):
            if value.strip() and not os.environ.get(variable):
                joined = SEPARATORS.get(variable, " ").join(value.split())
                print(f"export {variable}={shlex.quote(joined)}")


main()
