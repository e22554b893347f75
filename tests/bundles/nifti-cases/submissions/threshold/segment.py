import gzip
import sys
from pathlib import Path

source, target = map(Path, sys.argv[1:])
for path in sorted(source.glob("*/flair.nii.gz")):
    content = gzip.decompress(path.read_bytes())
    mask = content[:352] + bytes(voxel > 5 for voxel in content[352:])
    (target / path.parent.name).mkdir()
    (target / path.parent.name / "mask.nii.gz").write_bytes(gzip.compress(mask))
