"""Running the platform: preparing the data folder, then starting the processes.

`python -m palio.web.serving COMMAND` is run by `palio serve`, `controller`, `backup`, `restore` and `admin-link`.
"""
