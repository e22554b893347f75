import gzip
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzzing import fuzzed, mutated, with_mutated_headers
from tests.images import Members, classic, config, entry, oci, sha256, tar, write, zipped

from palio.core.errors import Failure, PalioError
from palio.core.quantities import MIB
from palio.core.submission import image_archive
from palio.core.submission.image_archive import inspect_image

LAYERS = [tar({"opt/": entry("opt", tarfile.DIRTYPE), "opt/a.py": b"print(1)\n"}), tar({"opt/b.py": b"2"})]
LINUX = "linux/amd64"


def refusal(path: Path, members: Members | None = None, *, platform: str = LINUX, max_bytes: int = MIB) -> Failure:
    if members is not None:
        write(path, members)
    with pytest.raises(PalioError) as refused:
        inspect_image(path, platform=platform, max_bytes=max_bytes)
    assert refused.value.exit_code == 10
    return refused.value.failure


def invalid(path: Path, members: Members | None = None, *, platform: str = LINUX) -> str:
    """The reason why this is no image that can be loaded, where there is just one."""
    failure = refusal(path, members, platform=platform)
    assert failure.code == "image-invalid"
    return failure.message.removeprefix(f"{path.name} cannot be used as a saved image: ").removesuffix(".")


def faults(path: Path, members: Members, *, max_bytes: int = MIB) -> tuple[str, ...]:
    failure = refusal(path, members, max_bytes=max_bytes)
    assert failure.code == "image-unsafe"
    return failure.evidence


# -- what is taken


@pytest.mark.parametrize("name", ["s.tar", "s.tar.gz"])
@pytest.mark.parametrize(
    "layout",
    [classic, oci, lambda layers: oci(layers, manifest_json=False), lambda layers: oci(layers, pack=lambda data: data)],
    ids=["classic", "oci", "oci without manifest.json", "oci with plain layers"],
)
def test_inspect_takes_layout(tmp_path: Path, name: str, layout: Callable[[list[bytes]], Members]) -> None:
    members = layout(LAYERS)
    image = inspect_image(write(tmp_path / name, members), platform=LINUX, max_bytes=MIB)
    configuration = members[image.parts.config]
    assert configuration == config(LAYERS)
    given = [content for name in image.parts.layers if isinstance(content := members[name], bytes)]
    unpacked = [gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content for content in given]
    assert unpacked == LAYERS
    assert image.size_bytes == sum(map(len, LAYERS))


def test_inspect_takes_same_layer_as_link(tmp_path: Path) -> None:
    """As Docker before 25 saves a layer that is there twice."""
    members = classic([LAYERS[0], LAYERS[1]], image=config([LAYERS[0], LAYERS[0]]))
    first, second = (name for name in members if name.endswith("/layer.tar"))
    members[second] = entry(second, tarfile.SYMTYPE, f"../{first}")
    image = inspect_image(write(tmp_path / "s.tar", members), platform=LINUX, max_bytes=MIB)
    assert image.parts.layers == (first, first)


def test_inspect_takes_repacked_folder(tmp_path: Path) -> None:
    """As `tar -C folder -c .` writes it."""
    members = {"./": entry("./", tarfile.DIRTYPE)} | {f"./{name}": given for name, given in classic(LAYERS).items()}
    assert inspect_image(write(tmp_path / "s.tar", members), platform=LINUX, max_bytes=MIB).size_bytes == 20480


def test_inspect_takes_empty_layer(tmp_path: Path) -> None:
    layers = [LAYERS[0], bytes(1024)]
    assert inspect_image(write(tmp_path / "s.tar", classic(layers)), platform=LINUX, max_bytes=MIB)


def test_inspect_common_entries(tmp_path: Path) -> None:
    layer = tar(
        {
            "bin": entry("bin", tarfile.SYMTYPE, "/usr/bin"),
            "lib": entry("lib", tarfile.SYMTYPE, "../../usr/lib"),
            "usr/a": b"x",
            "usr/b": entry("usr/b", tarfile.LNKTYPE, "usr/a"),
            "dev/null": entry("dev/null", tarfile.CHRTYPE, device=(1, 3)),
            "usr/.wh.c": b"",
            "odd\nname": b"",
        }
    )
    assert inspect_image(write(tmp_path / "s.tar", classic([layer])), platform=LINUX, max_bytes=MIB)


def test_inspect_ignores_attestations(tmp_path: Path) -> None:
    members = oci(LAYERS, manifest_json=False)
    index = json.loads(bytes(members["index.json"]))  # type: ignore[arg-type]
    index["manifests"].append(
        {"digest": f"sha256:{'0' * 64}", "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    )
    members["index.json"] = json.dumps(index).encode()
    assert inspect_image(write(tmp_path / "s.tar", members), platform=LINUX, max_bytes=MIB)


def test_inspect_nested_index(tmp_path: Path) -> None:
    members = oci(LAYERS, manifest_json=False)
    inner = members["index.json"]
    assert isinstance(inner, bytes)
    members[f"blobs/sha256/{sha256(inner)}"] = inner
    members["index.json"] = json.dumps({"manifests": [{"digest": f"sha256:{sha256(inner)}"}]}).encode()
    assert inspect_image(write(tmp_path / "s.tar", members), platform=LINUX, max_bytes=MIB)


# -- what is no whole image


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not a tar archive"),
        (b"hello", "it is not a tar archive"),
        (bytes(512), "it has neither manifest.json nor index.json, so it is not a saved image"),
        (tar(classic(LAYERS))[:9000], "it is truncated"),
        (zipped(tar(classic(LAYERS)))[:500], "it is truncated"),
        (b"\x1f\x8bhello world", "it cannot be read (Unknown compression method)"),
        (tar({"Dockerfile": b"FROM x"}), "it has neither manifest.json nor index.json, so it is not a saved image"),
    ],
)
def test_inspect_no_saved_image(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "s.tar").write_bytes(content)
    assert invalid(tmp_path / "s.tar") == reason


def test_inspect_broken_checksum_of_gzip(tmp_path: Path) -> None:
    whole = bytearray(zipped(tar(classic(LAYERS))))
    whole[-8] ^= 1
    (tmp_path / "s.tar.gz").write_bytes(whole)
    assert invalid(tmp_path / "s.tar.gz").startswith("it cannot be read (CRC check failed")


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (b"{", "manifest.json: is not valid JSON"),
        (b'[{"Config": "a", "Config": "b"}]', "manifest.json: is not valid JSON"),
        (b"[" * 100_000, "manifest.json: is not valid JSON"),
        (b"[" + b"1" * 10_000 + b"]", "manifest.json: is not valid JSON"),
        (b"[\xff]", "manifest.json: is not valid JSON"),
        (b"{}", "manifest.json: is not a list of images"),
        (b"[]", "manifest.json: is not a list of images"),
        (b"[1]", "manifest.json: `Config` is missing or has the wrong type"),
        (b"[{}, {}]", "it has 2 images; save exactly one"),
        (b'[{"Config": "c.json"}]', "manifest.json: `Layers` is missing or has the wrong type"),
        (b'[{"Config": "c.json", "Layers": [1]}]', "manifest.json: its Layers are not all names"),
        (
            b'[{"Config": "\\ud800", "Layers": []}]',
            "\\ud800: is listed as a part of the image, but the archive has no such JSON document",
        ),
    ],
)
def test_inspect_refuses_manifest(tmp_path: Path, manifest: bytes, reason: str) -> None:
    assert invalid(tmp_path / "s.tar", classic(LAYERS) | {"manifest.json": manifest}) == reason


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (b'{"manifests": []}', "it has 0 images; save exactly one, for one platform"),
        (b'{"manifests": [1, 2]}', "it has 2 images; save exactly one, for one platform"),
        (b'{"manifests": [{"digest": "md5:1"}]}', "index.json: refers to a part without a SHA-256 digest"),
        (b"[]", "index.json: `layers` is missing or has the wrong type"),
    ],
)
def test_inspect_refuses_index(tmp_path: Path, index: bytes, reason: str) -> None:
    assert invalid(tmp_path / "s.tar", oci(LAYERS, manifest_json=False) | {"index.json": index}) == reason


def several_platforms(*platforms: str, nested: bool = False) -> Members:
    """One image for several platforms, as buildx writes it, each of its own layer."""
    members: Members = {}
    described = []
    for platform in platforms:
        layers = [tar({"a": platform.encode()})]
        one = oci(layers, image=config(layers, platform), manifest_json=False)
        index = one.pop("index.json")
        assert isinstance(index, bytes)
        os, architecture = platform.split("/")
        described.append(json.loads(index)["manifests"][0] | {"platform": {"os": os, "architecture": architecture}})
        members |= one
    whole = json.dumps({"schemaVersion": 2, "manifests": described}).encode()
    if nested:
        members[f"blobs/sha256/{sha256(whole)}"] = whole
        whole = json.dumps({"manifests": [{"digest": f"sha256:{sha256(whole)}"}]}).encode()
    return members | {"index.json": whole}


@pytest.mark.parametrize("nested", [False, True])
def test_inspect_index_of_several_platforms(tmp_path: Path, nested: bool) -> None:
    path = write(tmp_path / "s.tar", several_platforms("linux/amd64", "linux/arm64", nested=nested))
    chosen = {
        platform: inspect_image(path, platform=platform, max_bytes=10**6).parts
        for platform in ("linux/amd64", "linux/arm64")
    }
    for platform, parts in chosen.items():
        alone = oci(layers := [tar({"a": platform.encode()})], image=config(layers, platform))
        assert parts.config in alone
        assert set(parts.layers) <= set(alone)
    with pytest.raises(PalioError) as refusal:
        inspect_image(path, platform="linux/s390x", max_bytes=10**6)
    assert refusal.value.failure.code == "image-invalid"
    assert "linux/amd64, linux/arm64" in refusal.value.failure.message


def test_inspect_index_wrong_platform(tmp_path: Path) -> None:
    members = several_platforms("linux/amd64", "linux/arm64")
    index = members["index.json"]
    assert isinstance(index, bytes)
    swapped = index.replace(b"amd64", b"-").replace(b"arm64", b"amd64").replace(b'"-"', b'"arm64"')
    with pytest.raises(PalioError) as refusal:
        inspect_image(
            write(tmp_path / "s.tar", members | {"index.json": swapped}), platform="linux/amd64", max_bytes=10**6
        )
    assert "it is for linux/arm64" in refusal.value.failure.message


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (
            config(LAYERS, "linux/arm64"),
            f"it is for linux/arm64, but this engine runs {LINUX}; build it with `docker build --platform {LINUX}`",
        ),
        (config(LAYERS[:1]), "it has 2 layers, but its configuration lists 1 layer"),
        (b"[]", "{name}: `rootfs` is missing or has the wrong type"),
        (b'{"rootfs": {}}', "{name}: `os` is missing or has the wrong type"),
        (
            b'{"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": ["x"]}}',
            "{name}: its rootfs.diff_ids are not all SHA-256 digests",
        ),
        # A reader that ignores case takes the second; the layers that it names may be another image's.
        (
            config(LAYERS)[:-1] + b', "RootFS": {"diff_ids": []}}',
            "{name}: has keys that differ only in case",
        ),
    ],
)
def test_inspect_refuses_config(tmp_path: Path, image: bytes, reason: str) -> None:
    assert invalid(tmp_path / "s.tar", classic(LAYERS, image=image)) == reason.format(name=f"{sha256(image)}.json")


@pytest.mark.parametrize("layout", [classic, oci])
def test_inspect_refuses_changed_config(tmp_path: Path, layout: Callable[[list[bytes]], Members]) -> None:
    members = layout(LAYERS)
    name = next(name for name, content in members.items() if content == config(LAYERS))
    assert invalid(tmp_path / "s.tar", members | {name: config(LAYERS, Cmd=["sh"])}) == (
        f"{name}: its content does not match its name, which is a digest"
    )


def test_inspect_lists_all_that_is_wrong(tmp_path: Path) -> None:
    layers = [*LAYERS, tar({"c": b"3"}), tar({"d": b"4"}), tar({"e": b"5"})]
    members = classic(layers, image=config(layers, "windows/amd64"))
    changed, missing, broken, zstd, _ = (name for name in members if name.endswith("/layer.tar"))
    members |= {changed: LAYERS[1], broken: layers[2][:700], zstd: b"\x28\xb5\x2f\xfd" + bytes(10)}
    del members[missing]
    failure = refusal(tmp_path / "s.tar", members)
    assert (failure.code, failure.message) == (
        "image-invalid",
        "s.tar cannot be used as a saved image: 5 faults.",
    )
    assert failure.evidence == (
        f"it is for windows/amd64, but this engine runs {LINUX}; build it with `docker build --platform {LINUX}`",
        f"{changed}: its content does not match the digest in the image's configuration",
        f"{missing}: is listed as a layer, but the archive has no such tar",
        f"{broken}: is truncated",
        f"{zstd}: is compressed with zstd; save the image with plain or gzip layers",
    )


# -- what is not safe


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        (entry("/etc/passwd", tarfile.REGTYPE), "/etc/passwd: an absolute path"),
        (entry("../x", tarfile.REGTYPE), "../x: a path with .."),
        (entry("a/../../x", tarfile.DIRTYPE), "a/../../x: a path with .."),
        (entry("a\nb", tarfile.REGTYPE), "a\\x0ab: a name with control characters"),
        (entry("a//b", tarfile.REGTYPE), "a//b: not a plain path"),
        (entry("l", tarfile.SYMTYPE, "/etc/passwd"), "l: a link to the outside"),
        (entry("a/l", tarfile.SYMTYPE, "../../x"), "a/l: a link to the outside"),
        (entry("l", tarfile.LNKTYPE, "../x"), "l: a link to the outside"),
        (entry("d", tarfile.CHRTYPE, device=(1, 3)), "d: neither a file nor a folder"),
        (entry("p", tarfile.FIFOTYPE), "p: neither a file nor a folder"),
        (entry("repositories", tarfile.REGTYPE), "repositories: appears more than once"),
    ],
)
def test_inspect_refuses_member(tmp_path: Path, member: tarfile.TarInfo, fault: str) -> None:
    assert faults(tmp_path / "s.tar", classic(LAYERS) | {"evil": member}) == (fault,)


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        (entry("/etc/passwd", tarfile.REGTYPE), "/etc/passwd: an absolute path"),
        (entry("a/../../x", tarfile.REGTYPE), "a/../../x: a path with .."),
        (entry("l", tarfile.LNKTYPE, "../../etc/shadow"), "l: a hard link to a path with .."),
        (entry("sda", tarfile.BLKTYPE, device=(8, 0)), "sda: a device"),
        (entry("mem", tarfile.CHRTYPE, device=(1, 1)), "mem: a device"),
        (entry("odd", b"Q"), "odd: neither a file, a folder nor a link"),
    ],
)
@pytest.mark.parametrize("layout", [classic, oci])
def test_inspect_refuses_entry_of_layer(
    tmp_path: Path, layout: Callable[[list[bytes]], Members], member: tarfile.TarInfo, fault: str
) -> None:
    layer = tar({"a": b"x", "evil": member})
    members = layout([LAYERS[0], layer])
    name = next(name for name, given in members.items() if given in (layer, zipped(layer)))
    assert faults(tmp_path / "s.tar", members) == (f"{name}: {fault}",)


def test_inspect_refuses_sparse_file(tmp_path: Path) -> None:
    """A header of a few bytes that an engine would write out as a terabyte of zeros."""
    sparse = entry("zeros", tarfile.REGTYPE)
    sparse.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.size": "1099511627776", "GNU.sparse.name": "zeros"}
    (fault,) = faults(tmp_path / "s.tar", classic([tar({"zeros": sparse})]))
    assert fault.endswith("/layer.tar: zeros: a sparse file")


def test_inspect_stops_at_too_much(tmp_path: Path) -> None:
    bomb = zipped(tar({"zeros": bytes(50 * MIB)}))
    members = oci([bomb], image=config([gzip.decompress(bomb)]), pack=lambda layer: layer)
    path = write(tmp_path / "s.tar.gz", members)
    assert path.stat().st_size < 60_000
    assert refusal(path).evidence == ("it unpacks to more than its limit of 1.00 MiB",)


def test_inspect_stops_at_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_archive, "MAX_MEMBERS", 3)
    assert faults(tmp_path / "s.tar", classic(LAYERS)) == ("it has more than 3 entries",)
    monkeypatch.undo()
    monkeypatch.setattr(image_archive, "MAX_LAYER_ENTRIES", 2)
    assert faults(tmp_path / "s.tar", classic(LAYERS)) == ("it has more than 2 entries",)


def test_inspect_keeps_few_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_archive, "MAX_DOCUMENTS_BYTES", MIB)
    documents: Members = {f"{number}.json": b"{" + bytes(MIB // 2) for number in range(3)}
    assert faults(tmp_path / "s.tar", documents, max_bytes=9 * MIB) == ("it has more than 1 MiB of JSON documents",)


def test_inspect_stoppable(tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    def enough() -> None:
        raise EnoughError

    path = write(tmp_path / "s.tar", classic(LAYERS))
    with pytest.raises(EnoughError):
        inspect_image(path, platform=LINUX, max_bytes=MIB, between=enough)


# -- whatever is done to an archive


@fuzzed
@given(seed=st.integers(0, 2**64))
def test_inspect_mutated_archive(tmp_path: Path, seed: int) -> None:
    """A refusal with a sentence, or an image; no other exception, no file, no hang."""
    chance = random.Random(seed)
    layers = [with_mutated_headers(layer, chance) if chance.random() < 0.5 else layer for layer in LAYERS]
    members = chance.choice((classic, oci))(layers)
    for name in chance.sample(sorted(members), chance.randint(0, 2)):
        content = members[name]
        assert isinstance(content, bytes)
        members[name] = mutated(content, chance)
    content = tar(members)
    if chance.random() < 0.5:
        content = with_mutated_headers(content, chance)
    if chance.random() < 0.3:
        content = gzip.compress(content, 1)
    if chance.random() < 0.5:
        content = mutated(content, chance)
    path = tmp_path / "s.tar"
    path.write_bytes(content)
    try:
        inspect_image(path, platform=LINUX, max_bytes=MIB)
    except PalioError as refused:
        assert refused.failure.code in ("image-invalid", "image-unsafe")
        str(refused.failure.as_json()).encode()
    assert list(tmp_path.iterdir()) == [path]
