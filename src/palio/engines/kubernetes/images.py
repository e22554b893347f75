"""The images of jobs: built and loaded by the Docker engine beside Palio, away from the cluster and its data.

With a registry, they are pushed there, and jobs name them by digest; those that no job needed for a week are deleted in
it. Without one, the nodes use that engine's images.
"""

import os
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from palio.core.engine import Build, Job, JobResult, Load
from palio.engines.docker import DockerEngine, ImageConfig, image_config, image_tag, push_image, why_job_not_startable
from palio.engines.kubernetes.settings import PREFIX
from palio.engines.sources.pushed import PushedImages

_RECORD = "pushed-images.json"


class Images:
    def __init__(self, registry: str) -> None:
        self._registry = registry
        folder = os.environ.get(f"{PREFIX}FOLDER", "").strip()  # of the volume, which all controllers share
        self._pushed = PushedImages(Path(folder) / _RECORD) if registry and folder else None
        self._docker: DockerEngine | None = None
        self._pushes: dict[str, _Push] = {}
        self._configs: dict[str, ImageConfig] = {}

    def start(self, work: Build | Load) -> None:
        self._engine().start(work)

    def poll(self, work: Build | Load) -> JobResult | None:
        result = self._engine().poll(work)
        if result is None or not result.succeeded:
            return result
        if not self._registry:
            return replace(result, image=image_tag(work))
        if work.name not in self._pushes:
            self._pushes[work.name] = _Push(image_tag(work), self._registry, self._pushed)
        reference = self._pushes[work.name].reference()
        return replace(result, image=reference) if reference else None

    def stop(self, work: Build | Load) -> None:
        self._engine().stop(work)

    def remove(self, work: Build | Load | Job) -> None:
        """Of a job: what a build of that name may have left."""
        self._pushes.pop(work.name, None)
        self._engine().remove(work)

    def has_image(self, name: str) -> bool:
        return self._engine().has_image(name)

    def config(self, image: str) -> ImageConfig | None:
        """None if this machine does not have the image."""
        if image not in self._configs and (found := image_config(image)):
            self._configs[image] = found
        return self._configs.get(image)

    def why_not_startable(self, job: Job) -> str:
        """Empty if the job's program can be started, or if this machine no longer has its image."""
        return str(why_job_not_startable(job) or "")

    def job_names(self) -> frozenset[str]:
        return self._engine().job_names()

    def _engine(self) -> DockerEngine:
        if self._docker is None:
            self._docker = DockerEngine()
        return self._docker


class _Push:
    """One image on its way to the registry."""

    def __init__(self, image: str, registry: str, pushed: PushedImages | None) -> None:
        self._image, self._registry, self._pushed = image, registry, pushed
        self._reference = ""
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"palio-push-{image}", daemon=True)
        self._thread.start()

    def reference(self) -> str:
        """The image's name by digest; empty until it is pushed. Raises what prevented that."""
        if self._fault:
            raise self._fault
        return self._reference

    def _run(self) -> None:
        try:
            reference = push_image(self._image, self._registry)
            if self._pushed is not None:
                self._pushed.note(reference)
            self._reference = reference
        except Exception as error:  # noqa: BLE001 - raised again where it is asked for
            self._fault = error
            return
        if self._pushed is not None:
            with suppress(OSError):  # the job can start; the next push tries again
                self._pushed.remove_old()
