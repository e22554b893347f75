"""`python -m palio` is `palio`."""

import sys

from palio.cli import main

sys.exit(main())
