"""One OPC UA server per session: its address space takes seconds to load."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from opcua_facts import URI, Plant

from lineshaft.connectors.opcua.certificates import Certificates


class Users:
    """line / secret, and anonymous ones. certificate: of the last one who came."""

    certificate: object = None

    def get_user(
        self,
        iserver: object,
        username: str | None = None,
        password: str | None = None,
        certificate: object = None,
    ) -> User | None:
        del iserver
        Users.certificate = certificate
        return (
            User(role=UserRole.User) if (username, password) in {("line", "secret"), (None, None)} else None
        )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    folder: Path = tmp_path_factory.mktemp("opcua-server")
    identity = Certificates(folder, pinned=None, trust_first=False)
    identity.make_own("urn:line1:server")
    server = Server(user_manager=Users())  # type: ignore[arg-type]
    await server.init()
    await server.set_application_uri("urn:line1:server")
    server.set_endpoint("opc.tcp://127.0.0.1:0/line1")
    await server.load_certificate(str(identity.own))
    await server.load_private_key(str(identity.key))
    index = await server.register_namespace(URI)
    line = await server.nodes.objects.add_object(ua.NodeId("Line1", index), "Line1")
    for name, value, kind in (
        ("Pressure", 4.2, ua.VariantType.Double),
        ("Count", 7, ua.VariantType.UInt32),
        ("Running", True, ua.VariantType.Boolean),
        ("Order", "A-1", ua.VariantType.String),
    ):
        node = await line.add_variable(ua.NodeId(name, index), name, value, kind)
        await node.set_writable()
    pressure = server.get_node(ua.NodeId("Pressure", index))
    unit = ua.EUInformation(
        NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
        UnitId=int.from_bytes(b"BAR", "big"),
        DisplayName=ua.LocalizedText("bar"),
    )
    await pressure.add_property(ua.NodeId("Pressure.EU", index), "EngineeringUnits", unit)
    await server.start()
    port = server.bserver._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/line1")
    yield Plant(server, port, index)
    await server.stop()
