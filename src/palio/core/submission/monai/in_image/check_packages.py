"""Prints which of the given modules Python cannot find, and exits with 3 if there are any. Imports none of them."""

import importlib.util
import sys

sys.path.pop(0)  # this folder, where nobody looks for modules
missing = [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]
print("\n".join(missing))
sys.exit(3 if missing else 0)
