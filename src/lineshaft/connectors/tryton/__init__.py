"""Tryton 8.2 as ERP: stock balances, requisitions, parts consumption and labour cost.

Every write goes through `lineshaft.posting`, the module in `server_module/` that is installed in the ERP.
"""

from lineshaft.connectors.tryton.connector import TrytonConnector
from lineshaft.connectors.tryton.settings import TrytonSettings

__all__ = ["TrytonConnector", "TrytonSettings"]
