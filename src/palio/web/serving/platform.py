"""The whole start, in order: checks first, then preparation, then the processes."""

import gc
import importlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from socket import socket

from palio import __version__
from palio.core.quantities import size_text
from palio.web.config.configuration import MOST_WORKERS, Configuration
from palio.web.config.data_folder import Folders
from palio.web.controller.heartbeat import Heartbeat
from palio.web.serving.child_process import fork
from palio.web.serving.engine_detection import find_engine
from palio.web.serving.listening_socket import listen
from palio.web.serving.prepare import make_folders, prepare
from palio.web.serving.public_requirements import refuse_unsafe
from palio.web.serving.supervisor import Charge, Supervisor
from palio.web.serving.systemd import notify_ready
from palio.web.serving.terminal import LoggedOutput, say
from palio.web.storage.files import open_store
from palio.web.storage.process_lock import lock, lock_only_controller

CONTROLLER = "palio.web.controller"


class Platform:
    """`pages` and `controller`: which parts run here. `with_`: challenges to publish at the start."""

    def __init__(self, configuration: Configuration, *, pages: bool, controller: bool, with_: Sequence[str]) -> None:
        self._configuration = configuration
        self._folders = Folders(configuration.data)
        self._pages = pages
        self._controller = controller
        self._with = with_
        self._link: str | None = None
        self._published: list[str] = []

    def run(self) -> int:
        """Run until told to stop, and return 0. Raises PalioError for everything that prevents the start."""
        if self._pages:
            refuse_unsafe(self._configuration)
        make_folders(self._folders)
        open_store(self._configuration.store_url, self._folders).check()
        use_own_key(self._folders)
        with ExitStack() as held:
            # Both locks and the socket stay open in the children: nothing is released before the last one ends.
            charges: list[Charge] = []
            if self._pages:
                held.enter_context(lock(self._folders.root / "pages.lock", "another `palio serve`"))
                listening = held.enter_context(listen(self._configuration))
            if self._controller and not self._configuration.database_url:
                held.enter_context(lock_only_controller(self._folders.root / "controller.lock"))
            engine = find_engine(self._configuration.engine) if self._controller else None
            self._set_up()
            if self._pages:
                answer, name = self._answerer(listening), "The web process"
                charges += [Charge(name, answer, signal.SIGTERM) for _ in range(self._workers())]
            if self._controller:
                # Killed at once if the supervisor was: it may be waiting for an engine, and a kill does no harm.
                charges.append(
                    Charge("The controller", partial(_control, heartbeat := Heartbeat()), signal.SIGKILL, heartbeat)
                )
            share_memory()
            Supervisor(charges).run(once_started=partial(self._tell, engine))
        say("Palio has stopped; none of its processes are running.")
        return 0

    def _workers(self) -> int:
        return self._configuration.workers or min(os.cpu_count() or 1, MOST_WORKERS)

    def _set_up(self) -> None:
        import django

        django.setup()
        if self._configuration.log_format == "json":
            sys.stdout = LoggedOutput()
        self._link = prepare(pages=self._pages)
        if self._controller:
            from palio.web.controller.lease import refuse_unshared

            refuse_unshared(self._folders, is_patient=True)
        if self._with:
            from palio.web.serving.initial_challenge import publish_at_start

            self._published = [publish_at_start(named) for named in self._with]

    def _answerer(self, listening: socket) -> Callable[[], None]:
        from django.urls import get_resolver

        from palio.web.serving.web_process import answer_requests
        from palio.web.wsgi import application

        _ = get_resolver().url_patterns  # loaded once, for all processes
        return partial(answer_requests, self._configuration, listening, application)

    def _tell(self, engine: Callable[[], list[str]] | None) -> None:
        if self._pages:
            say(f"Palio {__version__}\n  address     {self._configuration.address}")
        else:
            say(f"Palio {__version__}, controller only")
        free = size_text(shutil.disk_usage(self._folders.root).free)
        say(f"  data        {self._folders.root} ({free} free)")
        if self._configuration.store_url:
            say(f"  files       {self._configuration.store_url}")
        for published in self._published:
            say(f"  challenge   {published}")
        if self._link:
            say("  admin       open this link to set the operator's password and sign in; it works once:")
            say(f"              {self._link}")
        notify_ready()
        # In a separate process, as the engine may be slow to respond.
        fork(partial(_tell_engine, engine), when_orphaned=signal.SIGKILL)


def _tell_engine(engine: Callable[[], list[str]] | None) -> None:
    first, *more = engine() if engine else ["the controller's; start it with `palio controller`"]
    say(f"  engine      {first}" + "".join(f"\n              {line}" for line in more))
    say("Press Ctrl-C to stop.")


def _control(heartbeat: Heartbeat) -> None:
    importlib.import_module(CONTROLLER).main(heartbeat)


def use_own_key(folders: Folders) -> None:
    """Sign with the platform's own key, which is stored and backed up with its data."""
    os.environ["PALIO_HOME"] = str(folders.keys)


def share_memory() -> None:
    """Prepare for forking: close connections, and keep the garbage collector off what is already loaded."""
    from django.db import connections

    connections.close_all()
    gc.collect()
    gc.freeze()


def show_admin_link(name: str, configuration: Configuration) -> int:
    Folders(configuration.data).refuse_others()
    import django

    django.setup()
    from django.db import DatabaseError

    from palio.web.serving import admin, database

    try:
        link = admin.new_link(name)
    except DatabaseError as error:
        raise database.unusable(error) from error
    say(f"This link sets a new password for {name}. It works once, within three days:\n{link}")
    return 0
