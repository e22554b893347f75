"""The platform's address and token: from the environment, else as saved by `palio login`.

Saved in $PALIO_HOME, else $XDG_CONFIG_HOME/palio, else ~/.config/palio, in a file that is only ever readable by its
owner.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from palio.client.connection import Connection
from palio.core.errors import PalioError
from palio.core.files.staging import reading, writing
from palio.core.files.user_folder import SETTINGS, NoHomeFolderError, own_folder

FILE = "login.json"
URL, TOKEN = "PALIO_SERVER", "PALIO_TOKEN"


@dataclass(frozen=True)
class Login:
    url: str
    token: str
    user: str = ""


def login_path() -> Path:
    try:
        return own_folder(SETTINGS) / FILE
    except NoHomeFolderError as error:
        raise PalioError("target-unwritable", path=f"~/{FILE}", reason=error.reason) from None


def save_login(login: Login) -> Path:
    path = login_path()
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(prefix=f".{FILE}.", dir=path.parent)  # mode 600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(login), file, indent=2)
        Path(part).replace(path)
    return path


def forget_login() -> None:
    path = login_path()
    with writing(path):
        path.unlink(missing_ok=True)


def read_login(environment: Mapping[str, str] | None = None) -> Login:
    """Returns the current login. Raises PalioError "not-logged-in"."""
    environment = os.environ if environment is None else environment
    url, token = environment.get(URL, ""), environment.get(TOKEN, "")
    saved = _saved()
    url = (url or (saved.url if saved else "")).rstrip("/")
    if not token and saved and saved.url == url:  # a token is only sent to the platform it was created on
        token = saved.token
    if not url or not token:
        missing = "no platform is set" if not url else f"there is no token for {url}"
        raise PalioError("not-logged-in", reason=missing)
    return Login(url, token, saved.user if saved else "")


def connect() -> Connection:
    """Connects to the platform that this user is logged in to. Raises PalioError "not-logged-in"."""
    login = read_login()
    return Connection(login.url, login.token)


def _saved() -> Login | None:
    path = login_path()
    if not path.exists():
        return None
    with reading(path):
        text = path.read_text(encoding="utf-8")
    try:
        return Login(**json.loads(text))
    except (ValueError, TypeError):
        raise PalioError("not-logged-in", reason=f"{path} cannot be read") from None
