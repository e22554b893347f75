"""Records in the engine that a job was ended because of its time limit, for any process to find.

The record is an empty volume with the job's label, created before the job is told to end and removed with the job.
"""

import docker
from docker.errors import NotFound

from palio.core.engine import Job
from palio.engines.docker.layers import JOB_LABEL


def mark_overtime(client: docker.DockerClient, job: Job) -> None:
    client.api.create_volume(_name(job), labels={JOB_LABEL: job.name})


def has_overtime(client: docker.DockerClient, job: Job) -> bool:
    try:
        client.api.inspect_volume(_name(job))
    except NotFound:
        return False
    return True


def _name(job: Job) -> str:
    return f"{job.name}-overtime"
