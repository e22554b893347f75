"""Talks to a platform's API: what the command line says to a server, and what it makes of the answers.

`connection` sends and retries and turns refusals into PalioError; `login` keeps where to and as whom; the other modules
are one group of things to ask for each, as plain functions that take a Connection.
"""

from palio.client.connection import Connection, new_key
from palio.client.login import Login, connect, forget_login, read_login, save_login

__all__ = ["Connection", "Login", "connect", "forget_login", "new_key", "read_login", "save_login"]
