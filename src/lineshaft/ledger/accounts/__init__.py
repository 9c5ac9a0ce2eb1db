"""Keys, client secrets, passwords and sessions, as the store keeps them."""

from lineshaft.ledger.accounts.changes import changes
from lineshaft.ledger.accounts.credential_rows import StoredCredentials
from lineshaft.ledger.accounts.session_rows import StoredSessions

__all__ = ["StoredCredentials", "StoredSessions", "changes"]
