"""Who asks: accounts and roles of the access file, API keys, tokens of ours and of OIDC issuers, sessions."""

from lineshaft.gateway.identity.access import Access, make_access
from lineshaft.gateway.identity.access_file import AccessFile, read_access
from lineshaft.gateway.identity.csrf import check_csrf
from lineshaft.gateway.identity.directory import Directory
from lineshaft.gateway.identity.login import LoginPages, to_login
from lineshaft.gateway.identity.passwords import hash_password
from lineshaft.gateway.identity.secrets import key_holds, key_id, make_secret, stored
from lineshaft.gateway.identity.signing_keys import SigningKeys
from lineshaft.gateway.identity.told import account_told, credential_told, session_told

__all__ = [
    "Access",
    "AccessFile",
    "Directory",
    "LoginPages",
    "SigningKeys",
    "account_told",
    "check_csrf",
    "credential_told",
    "hash_password",
    "key_holds",
    "key_id",
    "make_access",
    "make_secret",
    "read_access",
    "session_told",
    "stored",
    "to_login",
]
