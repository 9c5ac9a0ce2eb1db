from __future__ import annotations

from datetime import UTC, datetime

from lineshaft.backbone import IncidentKind
from lineshaft.backbone.incidents import read_incidents

# Lines of nats-server 2.15.1.
_LOG = rb"""[73] 2026/11/21 11:29:51.676744 [INF] Server is ready
[73] 2026/11/21 11:29:52.186443 [ERR] 127.0.0.1:52809 - mid:7 - "dev-a" - Publish Violation - Subject "plant.b.x//y"
[73] 2026/11/21 11:29:53.186443 [ERR] 127.0.0.1:52809 - mid:7 - "dev-a" - Publish Violation - Subject "plant.b.x//y"
[73] 2026/11/21 11:29:52.688728 [WRN] 127.0.0.1:58067 - mid:28 - "dev-a" - Replacing old client "127.0.0.1:52809 - mid:7 - \"dev-a\"" since both have the same client ID "dev-a"
[73] 2026/11/21 11:29:52.689761 [ERR] 127.0.0.1:58067 - mid:28 - "dev-a" - Subscription Violation - Subject "plant.a.cmd", SID plant.a.cmd
[73] 2026/11/21 11:29:52.690000 [ERR] [::1]:58067 - mid:29 - "a\" - mid:1 - \"b" - Publish Violation - Subject "x"
[90] 2026/11/21 11:30:52.186443 [ERR] 127.0.0.1:5 - mid:7 - "dev-a" - Publish Violation - Subject "plant.b.x//y"
"""  # noqa: E501


def test_the_servers_words_are_understood() -> None:
    denied, taken, subscribed, forged, later = read_incidents(_LOG)
    assert (denied.kind, denied.topic, denied.count) == (IncidentKind.PUBLISH_DENIED, "plant/b/x.y", 2)
    assert denied.at == datetime(2026, 11, 21, 11, 29, 52, 186443, tzinfo=UTC)
    assert (denied.server, denied.cid, denied.client_id) == (73, 7, "dev-a")
    assert (taken.kind, taken.cid, taken.other_cid) == (IncidentKind.CLIENT_ID_TAKEN, 28, 7)
    assert (subscribed.kind, subscribed.topic) == (IncidentKind.SUBSCRIBE_DENIED, "plant/a/cmd")
    assert (forged.cid, forged.address, forged.client_id) == (29, "[::1]:58067", r"a\" - mid:1 - \"b")
    assert (later.server, later.count) == (90, 1)
