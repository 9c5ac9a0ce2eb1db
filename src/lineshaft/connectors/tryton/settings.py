"""What the connector has to know of one Tryton installation."""

from __future__ import annotations

import msgspec

__all__ = ["TrytonSettings"]


class TrytonSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Codes are those in the ERP's own master data.

    url                   `http://host:port`, without the database
    key                   REST user-application key
    storage               site: code of the location that holds its stock
    consumption_location  where consumed parts are moved to, outside every warehouse
    journal               of labour cost postings; debit labour_account, credit clearing_account
    currency              of the company, ISO 4217
    """

    url: str
    key: str
    storage: dict[str, str]
    database: str = "erp"
    consumption_location: str = "MNT"
    journal: str = "MNT"
    labour_account: str = "6300"
    clearing_account: str = "6390"
    currency: str = "EUR"

    def __repr__(self) -> str:
        return f"TrytonSettings(url={self.url!r}, database={self.database!r})"
