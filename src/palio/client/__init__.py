"""The client of a platform's API, used by the command line.

`connection` sends, retries and turns refusals into PalioError. `login` stores the address and token. The other modules
each cover one group of requests, as functions that take a Connection.
"""

from palio.client.connection import Connection, new_key
from palio.client.login import Login, connect, forget_login, read_login, save_login

__all__ = ["Connection", "Login", "connect", "forget_login", "new_key", "read_login", "save_login"]
