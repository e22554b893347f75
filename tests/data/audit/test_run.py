"""The audit of folders: each finding on a folder that has it, and on one that has not."""

import json
import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from tests.data.audit.drawing import audited, finding, image, leaks, name, save, write_classes, write_table

from palio.data.audit.findings import AuditReport, Finding, Severity
from palio.data.audit.run import audit_folder


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> AuditReport:
    """Splits and classes without any fault, by which every check is seen to be able to pass."""
    folder = tmp_path_factory.mktemp("sound")
    for at, split in enumerate(("training", "testing")):
        rows = []
        for seed in range(40 * at, 40 * at + 40):
            save(folder / split / f"{name(seed)}.png", seed)
            rows.append(f"{split}/{name(seed)}.png,{'ab'[seed % 2]}")
        write_table(folder, rows, f"{split}.csv")
    for path in folder.rglob("*.png"):
        os.utime(path, (0, 0))
    return audited(folder, group_by=re.compile(r"([0-9a-f]{12})"))


def test_sound_data_has_no_findings(sound: AuditReport) -> None:
    assert sound.findings == ()
    assert (sound.files, sound.cases, sound.read) == (80, 80, 80)
    assert sound.splits == {"testing": {"a": 20, "b": 20}, "training": {"a": 20, "b": 20}}


def test_report_as_json_and_back(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no image")
    report = audited(tmp_path)
    found = json.loads(json.dumps(report.as_json()))["findings"]
    assert tuple(map(Finding.from_json, found)) == report.findings != ()


def test_identical_images_hidden_and_known(tmp_path: Path) -> None:
    save(tmp_path / "train/x.png", 1)
    save(tmp_path / "test/y.png", 1)
    save(tmp_path / "test/z.png", 2)
    found = finding(audited(tmp_path), "duplicate-hidden")
    assert found is not None
    assert (found.severity, found.count) == (Severity.SERIOUS, 1)
    assert found.examples == (("test/y.png", "train/x.png"),)


def test_identical_pixels_in_another_file(tmp_path: Path) -> None:
    """Only the compression differs."""
    save(tmp_path / "train/x.png", 1, compress_level=1)
    save(tmp_path / "test/y.png", 1, compress_level=9)
    assert (tmp_path / "train/x.png").read_bytes() != (tmp_path / "test/y.png").read_bytes()
    assert finding(audited(tmp_path), "duplicate-hidden") is not None


def test_identical_images_within_a_split_and_in_public_splits(tmp_path: Path) -> None:
    for path in ("train/x.png", "train/y.png", "validation/z.png"):
        save(tmp_path / path, 1)
    report = audited(tmp_path)
    assert {each.code: each.severity for each in report.findings} == {
        "duplicate-splits": Severity.WARNING,
        "duplicate-inside": Severity.WARNING,
    }


def test_identical_images_with_two_labels(tmp_path: Path) -> None:
    write_classes(tmp_path, 5)
    save(tmp_path / "a/x.png", 99)
    save(tmp_path / "b/y.png", 99)
    found = finding(audited(tmp_path), "duplicate-labels")
    assert found is not None
    assert (found.severity, found.examples) == (Severity.SERIOUS, (("a/x.png", "b/y.png"),))


@pytest.mark.parametrize(
    "change",
    [
        lambda picture, path: picture.save(path.with_suffix(".jpg"), quality=90),
        lambda picture, path: picture.resize((128, 128)).save(path),
        lambda picture, path: picture.point(lambda value: value * 0.7 + 20).save(path),
    ],
    ids=["compressed", "resized", "darker"],
)
def test_nearly_identical_images(tmp_path: Path, change: Callable[[Image.Image, Path], None]) -> None:
    for seed in range(30):
        save(tmp_path / "train" / f"{seed}.png", seed, side=64)
    (tmp_path / "test").mkdir()
    change(image(7, side=64), tmp_path / "test/copy.png")
    report = audited(tmp_path)
    found = finding(report, "near-duplicate-hidden")
    assert found is not None
    (example,) = found.examples
    assert {name.rpartition(".")[0] for name in example} == {"test/copy", "train/7"}
    assert finding(report, "duplicate-hidden") is None


def test_many_nearly_identical_images_are_bounded(tmp_path: Path) -> None:
    """All are near each other: pairs do not grow with the square of their number."""
    picture = np.asarray(image(1)).astype(int)
    for number in range(60):
        changed = picture.copy()
        changed[number % 32, number // 32] += 1
        (tmp_path / "all").mkdir(exist_ok=True)
        Image.fromarray(changed.clip(0, 255).astype(np.uint8)).save(tmp_path / f"all/{number}.png")
    found = finding(audited(tmp_path), "near-duplicate-inside")
    assert found is not None
    assert 30 <= found.count <= 60 * 8


def test_blank_images_are_no_near_duplicates(tmp_path: Path) -> None:
    for value in range(10):
        Image.new("L", (16, 16), 20 * value).save(tmp_path / f"{value}.png")
    report = audited(tmp_path)
    assert [each.code for each in report.findings] == ["blank-image"]


def numbered(folder: Path, label: Callable[[int], str], file: Callable[[int], str]) -> AuditReport:
    """40 images with a table; names may tell labels."""
    rows = []
    for number in range(40):
        path = save(folder / file(number), number)
        os.utime(path, (0, 0))
        rows.append(f"{file(number)},{label(number)}")
    return audited(write_table(folder, rows))


def test_leak_of_number_in_the_name(tmp_path: Path) -> None:
    report = numbered(tmp_path, lambda number: "ab"[number // 20], lambda number: f"{number:03}.png")
    assert leaks(report)["The number in the file name"] is Severity.SERIOUS
    assert leaks(report)["The order of file names"] is Severity.SERIOUS


def test_leak_of_numbers_in_turns(tmp_path: Path) -> None:
    report = numbered(tmp_path, lambda number: "ab"[number % 2], lambda number: f"{number:03}.png")
    assert leaks(report)["The number in the file name, in turns"] is Severity.SERIOUS


def test_leak_of_wording_of_the_name(tmp_path: Path) -> None:
    labels = ["ab"[(number * 7 % 13) % 2] for number in range(40)]
    report = numbered(tmp_path, labels.__getitem__, lambda number: f"{labels[number] * 3}_{name(number)}.png")
    assert leaks(report)["The file name"] is Severity.SERIOUS


def test_leak_of_size_mode_text_and_compression(tmp_path: Path) -> None:
    for kind in ("size", "mode", "text", "tables", "time"):
        folder = write_classes(tmp_path / kind, suffix=".jpg" if kind == "tables" else ".png")
        for path in folder.rglob("*.*g"):
            os.utime(path, (0, 0))
        for at, path in enumerate(sorted((folder / "b").iterdir())):
            picture = image(500 + at)
            info = PngImagePlugin.PngInfo()
            if kind == "size":
                picture = image(500 + at, side=33)
            elif kind == "mode":
                picture = picture.convert("RGB")
            elif kind == "text":
                info.add_text("Scanner", "B")
            picture.save(path, **({"quality": 60} if kind == "tables" else {"pnginfo": info}))
            os.utime(path, (at, at) if kind == "time" else (0, 0))
    expected = {
        "size": ("The image size", Severity.SERIOUS),
        "mode": ("The color mode", Severity.SERIOUS),
        "text": ("The text in the metadata (EXIF, PNG, DICOM, NIfTI)", Severity.SERIOUS),
        "tables": ("The compression (JPEG tables)", Severity.SERIOUS),
        "time": ("The file time", Severity.WARNING),
    }
    for kind, (feature, severity) in expected.items():
        assert leaks(audited(tmp_path / kind))[feature] is severity, kind


def test_leak_of_brightness_is_serious_only_if_it_tells_all(tmp_path: Path) -> None:
    for label, level in (("a", 40), ("b", 200)):
        for seed in range(20):
            values = np.random.default_rng(seed + level).normal(level, 10, (16, 16)).clip(0, 255).astype(np.uint8)
            (tmp_path / label).mkdir(exist_ok=True)
            Image.fromarray(values).save(tmp_path / label / f"{name(seed + level)}.png")
    assert leaks(audited(tmp_path))["The mean brightness"] is Severity.SERIOUS


def test_class_balance(tmp_path: Path) -> None:
    rows: list[str] = []
    for split, counts in (("train", {"a": 44, "b": 4}), ("test", {"a": 10})):
        for label, number in counts.items():
            for at in range(number):
                seed = len(rows)
                save(tmp_path / split / f"{name(seed)}.png", seed)
                rows.append(f"{split}/{name(seed)}.png,{label}")
                assert at < number
    report = audited(write_table(tmp_path, rows))
    missing, rare = finding(report, "class-missing"), finding(report, "class-rare")
    assert missing is not None
    assert missing.values == ("test has no b",)
    assert rare is not None
    assert rare.message == "train has 4 of the class b and 44 of a."


def test_groups_in_several_splits(tmp_path: Path) -> None:
    for seed, path in enumerate(("train/p1_1.png", "train/p2_1.png", "test/p1_2.png", "test/other.png")):
        save(tmp_path / path, seed)
    report = audited(tmp_path, group_by=re.compile(r"(p\d)_"))
    found, unknown = finding(report, "group-overlap"), finding(report, "group-unknown")
    assert found is not None
    assert (found.severity, found.count, found.of, found.values) == (Severity.SERIOUS, 1, 2, ("p1: test, train",))
    assert unknown is not None
    assert unknown.values == ("test/other.png",)
    assert finding(audited(tmp_path), "group-overlap") is None


def test_damaged_and_truncated_images(tmp_path: Path) -> None:
    save(tmp_path / "good.png", 1)
    content = save(tmp_path / "cut.jpg", 2, side=64).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "README").write_text("A file without a suffix may be anything.")
    found = finding(audited(tmp_path), "image-unreadable")
    assert found is not None
    assert (found.severity, found.count, found.of) == (Severity.SERIOUS, 3, 4)
    shown = "\n".join(found.values)
    assert "empty.png is empty" in shown
    assert "text.png is not an image of a known format" in shown
    assert "cut.jpg cannot be read (image file is truncated" in shown


def test_odd_images(tmp_path: Path) -> None:
    for seed in range(30):
        save(tmp_path / f"{seed}.png", seed)
    save(tmp_path / "wide.png", 31, side=40)
    image(32).convert("RGB").save(tmp_path / "color.png")
    report = audited(tmp_path)
    size, form = finding(report, "odd-size"), finding(report, "odd-form")
    assert size is not None
    assert size.values == ("wide.png: 40x40",)
    assert form is not None
    assert form.values == ("color.png: PNG RGB",)


def test_labels_and_files_that_lack_each_other(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"test/{number}.png", number)
    write_table(tmp_path, ["test/0.png,a", "test/1.png,b", "test/1.png,a", "test/9.png,b"])
    report = audited(tmp_path)
    missing, without, twice = (
        finding(report, code) for code in ("label-without-file", "file-without-label", "key-twice")
    )
    assert missing is not None
    assert missing.values == ("line 5: test/9.png",)
    assert without is not None
    assert (without.severity, without.examples) == (Severity.SERIOUS, (("test/2.png",),))
    assert twice is not None
    assert (twice.severity, twice.values) == (Severity.SERIOUS, ("test/1.png: line 3 (b), line 4 (a)",))


def test_boxes_are_no_labels_of_images(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png", number)
    (tmp_path / "boxes.csv").write_text("file,x,y,width,height\n0.png,1,2,3,4\n0.png,5,6,7,8\n1.png,1,1,1,1\n")
    report = audited(tmp_path)
    assert report.findings == ()
    assert report.splits == {"": {"": 3}}


def test_table_that_cannot_be_read(tmp_path: Path) -> None:
    save(tmp_path / "x.png", 1)
    (tmp_path / "labels.csv").write_bytes(b"file,class\nx.png,\xff\xfe\n")
    found = finding(audited(tmp_path), "table-unreadable")
    assert found is not None
    assert "not UTF-8" in found.message


def test_numbers_as_labels_are_ranges(tmp_path: Path) -> None:
    rows = []
    for number in range(40):
        save(tmp_path / f"{number:03}.png", number)
        rows.append(f"{number:03}.png,{number + 0.5}")
    assert leaks(audited(write_table(tmp_path, rows)))["The number in the file name"] is Severity.SERIOUS


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_decompression_bomb(tmp_path: Path) -> None:
    """An image that claims 10^10 pixels is never decoded."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1_000_000)))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b""))
    found = finding(audited(tmp_path), "pixels-not-read")
    assert found is not None
    assert found.values == ("bomb.png claims more than 89,478,485 pixels",)


def test_tiff_with_a_circle_of_pages(tmp_path: Path) -> None:
    save(tmp_path / "x.tif", 1)
    content = bytearray((tmp_path / "x.tif").read_bytes())
    (at,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, at)
    struct.pack_into("<I", content, at + 2 + 12 * entries, at)
    (tmp_path / "x.tif").write_bytes(content)
    report = audited(tmp_path)
    assert report.read == 1


def test_tiff_with_many_pages(tmp_path: Path) -> None:
    pages = [image(seed, side=8) for seed in range(5)]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    rows = [save(tmp_path / f"{seed}.tif", seed, side=8).name for seed in range(30)]
    found = finding(audited(tmp_path), "odd-size")
    assert found is not None
    assert (found.values, len(rows)) == (("x.tif: 8x8x5",), 30)


def test_links_out_of_the_folder_and_pipes(tmp_path: Path) -> None:
    save(tmp_path / "secret.png", 1)
    save(tmp_path / "data/x.png", 2)
    (tmp_path / "data/out.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "data/circle").symlink_to(tmp_path / "data/circle")
    (tmp_path / "data/inside.png").symlink_to("x.png")
    os.mkfifo(tmp_path / "data/pipe.png")
    report = audited(tmp_path / "data")
    outside = finding(report, "link-outside")
    assert outside is not None
    assert outside.examples == (("circle",), ("out.png",))
    assert report.read == 2  # x.png, also as inside.png


def test_limit_on_images(tmp_path: Path) -> None:
    for seed in range(10):
        save(tmp_path / f"{seed}.png", seed)
    report = audited(tmp_path, time_s=0.0)
    note = finding(report, "partly-audited")
    assert report.read == 0
    assert note is not None
    assert note.fix == "Audit all of them with `palio data audit DIR`."


def test_empty_folder(tmp_path: Path) -> None:
    assert audited(tmp_path).findings == ()


def test_leaky_images_case(tmp_path: Path) -> None:
    """Two classes whose PNGs differ in size and carry a patient's name."""
    for label, side in (("a", 64), ("b", 72)):
        for number in range(20):
            info = PngImagePlugin.PngInfo()
            info.add_text("PatientName", "Mario Rossi")
            info.add_text("Label", label)
            save(tmp_path / label / f"{number:03}.png", number + 100 * side, side, pnginfo=info)
    report = audited(tmp_path)
    personal = finding(report, "personal-data")
    assert personal is not None
    assert personal.values == ("PatientName: “Mario Rossi” in a/000.png and 39 other files",)
    assert leaks(report)["The image size"] is Severity.SERIOUS
    assert leaks(report)["The text in the metadata (EXIF, PNG, DICOM, NIfTI)"] is Severity.SERIOUS


@pytest.mark.skipif(not os.environ.get("PALIO_MEDNIST"), reason="PALIO_MEDNIST names no folder with the images")
def test_mednist() -> None:
    """What is published about the faults of these images: names tell classes, and two sets of copies."""
    report = audit_folder(Path(os.environ["PALIO_MEDNIST"]))
    assert report.read == 1800
    assert leaks(report)["The number in the file name"] is Severity.SERIOUS
    number = [signal for signal in report.signals if signal.feature == "number in the file name"]
    assert [signal.score for signal in number] == [1.0] * 3
    hidden, inside = finding(report, "duplicate-hidden"), finding(report, "duplicate-inside")
    assert hidden is not None
    assert hidden.examples == (
        ("testing-data/049717.jpg", *(f"training-data/{at}.jpg" for at in ("049007", "049034", "049037"))),
    )
    assert inside is not None
    assert ("validation-data/000935.jpg", "validation-data/001029.jpg") in inside.examples
    assert inside.count == 2
