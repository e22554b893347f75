"""The Kubernetes engine: each job is a batch/v1 Job with one pod. Needs the extra `palio[kubernetes]`."""
