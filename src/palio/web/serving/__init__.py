"""Running the platform: what is done before it answers, and the processes that it then consists of.

`python -m palio.web.serving COMMAND` is what `palio serve`, `controller`, `backup`, `restore` and `admin-link` become.
"""
