"""Saved images made by hand, as `docker save` writes them: small, and wrong wherever a test wants them wrong."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tarfile import TarInfo

Members = dict[str, bytes | TarInfo]  # in an archive's order; content of a file, or an entry without any


def tar(members: Mapping[str, bytes | TarInfo]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in members.items():
            if isinstance(content, TarInfo):
                archive.addfile(content)
            else:
                entry = TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def entry(name: str, kind: bytes, target: str = "", device: tuple[int, int] = (0, 0)) -> TarInfo:
    made = TarInfo(name)
    made.type, made.linkname = kind, target
    made.devmajor, made.devminor = device
    return made


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def config(layers: Sequence[bytes], platform: str = "linux/amd64", **settings: object) -> bytes:
    """An image's configuration; `layers` unpacked."""
    os, _, architecture = platform.partition("/")
    root = {"type": "layers", "diff_ids": [f"sha256:{sha256(layer)}" for layer in layers]}
    return json.dumps({"os": os, "architecture": architecture, "config": settings, "rootfs": root}).encode()


def classic(layers: Sequence[bytes], *, tag: str = "vowels:1", image: bytes | None = None) -> Members:
    """As Docker before 25 saves it."""
    image = image or config(layers)
    name = f"{sha256(image)}.json"
    folders = [sha256(b"folder" + layer) for layer in layers]
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": [f"{folder}/layer.tar" for folder in folders]}]
    repository, _, version = tag.rpartition(":")
    members: Members = {}
    for folder, layer in zip(folders, layers, strict=True):
        members |= {f"{folder}/VERSION": b"1.0", f"{folder}/json": b"{}", f"{folder}/layer.tar": layer}
    return members | {
        name: image,
        "manifest.json": json.dumps(manifest).encode(),
        "repositories": json.dumps({repository: {version: (folders or [""])[-1]}}).encode(),
    }


def zipped(content: bytes) -> bytes:
    """In gzip, without the time, so that the same content has the same digest."""
    return gzip.compress(content, mtime=0)


def oci(
    layers: Sequence[bytes],
    *,
    tag: str = "vowels:1",
    image: bytes | None = None,
    pack: Callable[[bytes], bytes] = zipped,
    manifest_json: bool = True,
) -> Members:
    """As Docker from 25 on saves it; without `manifest_json` as others save what they call an OCI archive."""
    image = image or config(layers)
    packed = [pack(layer) for layer in layers]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": _descriptor("application/vnd.oci.image.config.v1+json", image),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer) for layer in packed],
        }
    ).encode()
    names = {"io.containerd.image.name": f"docker.io/library/{tag}", "org.opencontainers.image.ref.name": tag}
    described = _descriptor("application/vnd.oci.image.manifest.v1+json", manifest) | {"annotations": names}
    members: Members = {_blob(content): content for content in (*packed, image, manifest)}
    members |= {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [described]}).encode(),
    }
    if manifest_json:
        entries = [{"Config": _blob(image), "RepoTags": [tag], "Layers": [_blob(layer) for layer in packed]}]
        members["manifest.json"] = json.dumps(entries).encode()
    return members


def write(path: Path, members: Mapping[str, bytes | TarInfo]) -> Path:
    """The archive, in gzip if its name says so."""
    content = tar(members)
    path.write_bytes(zipped(content) if path.suffix == ".gz" else content)
    return path


def _blob(content: bytes) -> str:
    return f"blobs/sha256/{sha256(content)}"


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": f"sha256:{sha256(content)}", "size": len(content)}
