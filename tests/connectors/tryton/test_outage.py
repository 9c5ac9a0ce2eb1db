"""The server goes away and comes back: what is a safe retry, what is unknown, and what persists."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from estate.erp.books import Books
from estate.erp.server import TrytonServer
from lineshaft.connectors.tryton import TrytonConnector
from lineshaft.core.errors import OutcomeUnknown, PermanentFault, TransientFault
from lineshaft.core.ports import HealthState
from lineshaft.model.inventory import MaterialAtSite

from .conftest import Call, settings_for
from .facts import labour, requisition

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_stopped_server_is_a_transient_fault_and_its_documents_persist(
    tmp_path: Path, call: Call
) -> None:
    server = await TrytonServer.start(tmp_path)
    erp = TrytonConnector(settings_for(server.url, server.key))
    await erp.start()
    try:
        first, second = call(), call()
        posted = await erp.post_labour_cost(first, labour())
        await server.stop()
        with pytest.raises(TransientFault):
            await erp.post_labour_cost(second, labour())
        with pytest.raises(TransientFault):
            await erp.stock_balance(call(), MaterialAtSite(material_definition_id="VALVE-02", site="NSP"))
        assert (await erp.health()).state is HealthState.STOPPED
        server = await TrytonServer.start(tmp_path, server.port)
        assert await erp.find_post_labour_cost(first, labour()) == posted
        await erp.post_labour_cost(second, labour())
        assert len(await Books(server).labour_costs()) == 2
    finally:
        await erp.close()
        await server.stop()


async def test_no_answer_in_time_is_an_unknown_outcome_that_the_read_back_settles(
    erp: TrytonConnector, server: TrytonServer, call: Call
) -> None:
    """Another writer holds the database: the posting is sent, waits, and takes effect after the deadline."""
    await erp.stock_balance(call(), MaterialAtSite(material_definition_id="VALVE-02", site="NSP"))
    context = call(deadline_s=1.5)  # there is a connection
    holder = sqlite3.connect(server.data_dir / "erp.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(OutcomeUnknown):
            await erp.create_requisition(context, requisition())
        assert await erp.find_create_requisition(call(context.idempotency_key), requisition()) is None
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    posted = await erp.create_requisition(call(context.idempotency_key), requisition())
    assert await erp.find_create_requisition(call(context.idempotency_key), requisition()) == posted
    rows = await Books(server).requisitions()
    assert [row["number"] for row in rows if row["key"] == context.idempotency_key] == [posted.id]


async def test_a_server_that_hangs_up_leaves_a_write_unknown_and_a_read_retryable(call: Call) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    erp = TrytonConnector(settings_for(f"http://127.0.0.1:{port}", "key"))
    await erp.start()
    try:
        with pytest.raises(OutcomeUnknown):
            await erp.create_requisition(call(), requisition())
        with pytest.raises(TransientFault):
            await erp.find_create_requisition(call(), requisition())
    finally:
        await erp.close()
        listener.close()
        await listener.wait_closed()


async def test_a_wrong_key_and_a_wrong_database_are_permanent(server: TrytonServer, call: Call) -> None:
    for settings in (
        settings_for(server.url, "no-such-key"),
        settings_for(f"{server.url}/nowhere", server.key),
    ):
        erp = TrytonConnector(settings)
        await erp.start()
        try:
            with pytest.raises(PermanentFault):
                await erp.create_requisition(call(), requisition())
            assert (await erp.health()).state is HealthState.DEGRADED
        finally:
            await erp.close()
