"""The Kubernetes engine: each job is a batch/v1 Job with one pod. Needs the extra `palio[kubernetes]`.

Nothing is imported here, because settings are read at each start, and the Docker SDK takes 0.1 s to import.
"""
