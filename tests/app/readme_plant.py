"""The plant that the README shows, as a folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

__all__ = ["SECRETS", "write_readme_plant"]

ROOT = Path(__file__).parents[2]
SECRETS = {
    "MQTT_PASSWORD": "m-1",
    "ERP_KEY": "e-2",
    "CMMS_TOKEN": "c-3",
    "CMMS_WEBHOOK_SECRET": "w-4",
    "FILLER_PASSWORD": "f-5",
    "EDGE_PASSWORD": "g-6",
    "OPCUA_PASSWORD": "o-7",
    "HALL_PASSWORD": "h-8",
    "PORTAL_WEBHOOK": "whsec_c2VjcmV0IG9mIHRoZSBwb3J0YWwsIDMyIGJ5dGVz",
}


def write_readme_plant(folder: Path) -> Path:
    """Its mappings are those of the example plant, as the README says, and the one it shows in full.

    returns  the settings file
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shutil.copytree(ROOT / "estate" / "plants" / "leipzig" / "mappings", folder / "mappings")
    for block in re.findall(r"^```yaml\n(.*?)^```$", readme, flags=re.DOTALL | re.MULTILINE):
        (folder / block.splitlines()[0].removeprefix("# ")).write_text(block, encoding="utf-8")
    (tags,) = re.findall(r"^```csv\n(.*?)^```$", readme, flags=re.DOTALL | re.MULTILINE)
    (folder / "tags.csv").write_text(tags, encoding="utf-8")
    return folder / "lineshaft.yaml"
