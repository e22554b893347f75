import json
import subprocess
import sys
from pathlib import Path

again = subprocess.run([sys.executable, "-c", "print(hash('palio'))"], capture_output=True, text=True, check=True)
same = hash("palio") == int(again.stdout)
(Path(sys.argv[2]) / "scores.json").write_text(json.dumps({"accuracy": float(same)}))
