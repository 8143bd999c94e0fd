"""The report of ``likeness eval``: whole or not at all, all items, everything escaped, compared."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from likeness.addon.cli.main import main
from likeness.engine.core.cameras import orbit
from likeness.engine.core.types import LikenessError
from likeness.engine.dataset.shards import Subject, SubjectView, encode_rgba, write_shard
from likeness.engine.evaluation.people.person import random_person
from likeness.engine.evaluation.people.person_render import make_scene
from likeness.engine.evaluation.protocols.items import MeasuredView, MeasureFailure
from likeness.engine.evaluation.protocols.metric_summary import summarize_protocol
from likeness.engine.evaluation.protocols.paper import TABLE
from likeness.engine.evaluation.protocols.report_folder import (
    EarlierReport,
    ReportWriter,
    replace_report,
    write_report,
)
from likeness.engine.evaluation.protocols.report_page import compare_runs, write_page
from likeness.engine.synth.figure import SynthContext
from PIL import Image

pytestmark = pytest.mark.usefixtures("quick_people")

PHOTO = np.zeros((8, 6, 3))
NASTY = '<script>alert("&")</script>'


def item(number: int, psnr_fg: float | None, method: str = "lift", key: str = "") -> MeasuredView:
    picture = np.full((8, 6, 3), 0.1 * number)
    return MeasuredView(
        "crossview",
        key or f"ann/v{number}",
        "ann",
        "30-60",
        True,
        {"angle": 45.0},
        {"sex": "female" if number % 2 else "male"},
        {method: {"psnr_fg": psnr_fg, "ssim": 0.5 + 0.1 * number}},
        {"reference": PHOTO, "truth": picture, method: picture},
    )


def report_of(
    folder: Path, items: list[MeasuredView], against: Path | None = None
) -> dict[str, Any]:
    """Written as ``run.evaluate`` writes it."""
    other = None if against is None else EarlierReport(against)
    with replace_report(folder) as scratch:
        writer = ReportWriter(scratch)
        for one in items:
            writer.give(one)
        writer.refuse(MeasureFailure("crossview", f"bob/{NASTY}", "it is damaged"))
        report: dict[str, Any] = {
            "version": 1,
            "likeness": "0",
            "made": "now",
            "seconds": 1.0,
            "peak_memory_mb": None,
            "settings": {"data": [NASTY], "limit": None},
            "warnings": [NASTY],
            "protocols": {"crossview": {**summarize_protocol(writer.records), "notes": [NASTY]}},
            "failed": [vars(failed) for failed in writer.failed],
        }
        if other is not None:
            report["against"] = compare_runs(writer.records, other)
        writer.write_items()
        write_report(report, scratch)
        write_page(scratch / "index.html", report, writer.records, other)
    return report


class Page(HTMLParser):
    """Words of headings and cells, pictures, and tags of a page; fails on a script."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.words: list[str] = []
        self.pictures: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        assert not any(name.startswith("on") for name, _ in attributes)
        for name, value in attributes:
            if name in ("src", "href"):
                assert value is not None
                assert "://" not in value  # offline
                self.pictures += [value] if name == "src" else []

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


def test_the_page_has_every_item_the_worst_first_and_nothing_unescaped(tmp_path: Path) -> None:
    out = tmp_path / "report"
    report_of(out, [item(1, 20.0), item(2, 10.0), item(3, None), item(4, 15.0, key=NASTY)])
    page = Page(out / "index.html")
    cards = [word for word in page.words if word in ("ann/v1", "ann/v2", "ann/v3", NASTY)]
    assert [word for word in cards if word != NASTY] == ["ann/v3", "ann/v2", "ann/v1"]
    assert cards.index(NASTY) < cards.index("ann/v1") or cards.count(NASTY) > 1
    assert f"bob/{NASTY}: it is damaged" in page.words
    for path in page.pictures:
        assert (out / path).is_file()
    # The reference is one file for all, the truth one for each.
    assert len(set(page.pictures)) == len(list((out / "pictures").iterdir())) == 1 + 2 * 4
    for row in TABLE:
        assert f"{row.psnr:.2f}" in page.words
    lines = (out / "items.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["ann/v1", "ann/v2", "ann/v3", NASTY]
    assert json.loads((out / "report.json").read_text())["protocols"]["crossview"]["items"] == 4


def test_two_reports_are_compared_over_what_both_have(tmp_path: Path) -> None:
    """By hand: of v1 and v2, 20 and 10 dB before, 23 and 14 now; v3 is new, v0 is gone."""
    before, now = tmp_path / "before", tmp_path / "now"
    report_of(before, [item(0, 1.0), item(1, 20.0), item(2, 10.0)])
    items = [item(k, psnr) for k, psnr in ((1, 23.0), (2, 14.0), (3, 50.0))]
    better = [
        replace(one, figures={**one.figures, "network": {"psnr_fg": 30.0, "ssim": 0.6}})
        for one in items
    ]
    report = report_of(now, better, before)
    found = report["against"]["crossview"]
    assert found["items"] == 2
    assert found["other"]["lift"]["psnr_fg"] == 15.0
    assert found["delta"]["lift"] == {"psnr_fg": 3.5, "ssim": 0.0}
    assert found["delta"]["network − lift"]["psnr_fg"] == 15.0
    page = Page(now / "index.html")
    at = page.words.index("Δ lift")
    assert "+3.50" in page.words[at : at + 12]
    assert "other: lift" in page.words
    copied = [path for path in page.pictures if path.startswith("pictures-other/")]
    assert copied
    assert all((now / path).is_file() for path in copied)


def test_pictures_of_another_report_are_its_own(tmp_path: Path) -> None:
    """A report that names files elsewhere gets none of them copied."""
    before, now = tmp_path / "before", tmp_path / "now"
    report_of(before, [item(1, 20.0)])
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    line = json.loads((before / "items.jsonl").read_text())
    line["pictures"]["lift"] = "../secret.jpg"
    (before / "items.jsonl").write_text(json.dumps(line) + "\n")
    report_of(now, [item(1, 20.0)], before)
    assert not list(now.rglob("secret*"))


def test_a_report_is_whole_or_not_there(tmp_path: Path) -> None:
    out = tmp_path / "report"

    def stopped() -> None:
        with replace_report(out) as scratch:
            (scratch / "report.json").write_text("{}")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not list(tmp_path.iterdir())
    report_of(out, [item(1, 20.0)])
    before = (out / "items.jsonl").read_text()
    with pytest.raises(ValueError, match="bad"), replace_report(out):
        raise ValueError("bad")
    assert (out / "items.jsonl").read_text() == before
    report_of(out, [item(2, 30.0)])
    assert "ann/v2" in (out / "items.jsonl").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(LikenessError, match="something else"), replace_report(tmp_path / "mine"):
        pytest.fail("begun")
    assert (tmp_path / "mine" / "thesis.txt").is_file()


def test_reports_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(LikenessError, match="no report"):
        EarlierReport(tmp_path)
    out = tmp_path / "report"
    report_of(out, [item(1, 20.0)])
    for damage in (
        "[",
        '{"protocol": "crossview"}',
        "null",
        (out / "items.jsonl").read_text().replace("20.0", '"much"'),
    ):
        (out / "items.jsonl").write_text(damage)
        with pytest.raises(LikenessError, match="no report"):
            EarlierReport(out)


# The command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--protocol", "input"], "--data"),
        (["--data", "photos"], "--protocol"),
        (["--protocol", "beauty", "--data", "photos"], "beauty"),
        (["--protocol", "input", "--data", "nowhere"], "'nowhere' does not exist"),
        (["--protocol", "input", "--data", "empty"], "no photos, videos or shards"),
        (["--protocol", "crossview", "--data", "photos"], "no shards of synthetic people"),
        (["--protocol", "reenact", "--data", "photos"], "no videos"),
        (["--protocol", "input", "--data", "photos", "--against", "empty"], "no report"),
        (["--protocol", "input", "--data", "photos", "--network", "empty"], "config.json"),
        (["--protocol", "input", "--data", "photos", "--face-model", "no.onnx"], "no.onnx"),
        (["--protocol", "input", "--data", "photos", "--limit", "0"], "--limit"),
        (["--protocol", "input", "--data", "photos", "--max-gaussians", "10"], "max-gaussians"),
        (["--protocol", "input", "--data", "photos"], "Nothing could be measured"),
    ],
)
def test_what_cannot_be_measured(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Code 2, the reason, and nothing written."""
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "photos" / "text.jpg").write_text("no picture")
    before = sorted(tmp_path.rglob("*"))
    assert main(["eval", "-o", "report", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture(scope="module")
def shard(synth_world: SynthContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a shard of one synthetic person, seen from the front and from 40 degrees
    aside, and a truncated shard."""
    rng = np.random.default_rng(5)
    person = random_person(synth_world, rng, framing="half", yaw=0.0, fov=40.0)
    small = person.camera.resized(person.camera.width // 2, person.camera.height // 2)
    person = replace(person, camera=small)
    scene = make_scene(synth_world, person)
    middle = np.asarray(scene.posed.joints[12])
    views = []
    for k, yaw in enumerate((0.0, 40.0)):
        camera = orbit(small, middle, yaw)
        picture = encode_rgba(scene.draw(camera))
        views.append(SubjectView(f"v{k}", 0, "front", yaw, camera, False, picture))
    pose = person.pose
    subject = Subject(
        "synthetic",
        "rendered",
        "half",
        5,
        person.betas,
        pose.full_pose[None],
        pose.transl[None],
        pose.expression[None],
        tuple(views),
    )
    folder = tmp_path_factory.mktemp("people")
    whole = write_shard(folder, 0, [subject])
    (folder / "shard-000001.tar").write_bytes(whole.read_bytes()[:5000])
    return folder


@pytest.mark.soak
def test_a_synthetic_person_measured_from_outside(
    shard: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two protocols on one person beside a damaged shard: the report names it, code 3; the input
    view is nearer to the truth than the other."""
    report = tmp_path / "report"
    code = main(
        [
            "eval",
            "--protocol",
            "crossview",
            "--protocol",
            "tracking",
            "--data",
            str(shard),
            "-o",
            str(report),
            "--max-gaussians",
            "6000",
            "--lpips",
            "none",
            "--views",
            "1",
        ]
    )
    said = capsys.readouterr()
    assert code == 3
    assert "not measured: " in said.err
    assert "shard-000001.tar" in said.err
    assert "1 of 1 people are not of the test split" in said.err
    found = json.loads((report / "report.json").read_text())
    assert list(found["protocols"]) == ["crossview", "tracking"]
    views = found["protocols"]["crossview"]
    assert views["items"] == 1
    near, far = views["kinds"]["input"]["mean"]["lift"], views["mean"]["lift"]
    assert near["psnr_fg"] > far["psnr_fg"] + 2
    assert near["iou"] > 0.85
    assert found["protocols"]["tracking"]["mean"]["tracker"]["found"] == 1.0
    assert found["settings"]["max_gaussians"] == 6000
    assert Page(report / "index.html").pictures


@pytest.mark.soak
def test_a_photo_measured_from_outside(
    sample_portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A photo beside one that is none, and again against that report: no difference."""
    photos = tmp_path / "photos"
    photos.mkdir()
    small = Image.open(sample_portrait).convert("RGB").resize((384, 384))
    small.save(photos / "person.png")
    (photos / "broken.jpg").write_text("no picture")
    common = ["eval", "--protocol", "input", "--max-gaussians", "12000", "--lpips", "none"]
    assert main([*common, "--data", str(photos), "-o", str(tmp_path / "one")]) == 3
    assert "not measured: broken.jpg" in capsys.readouterr().err
    lifted = json.loads((tmp_path / "one" / "report.json").read_text())["protocols"]["input"]
    assert lifted["mean"]["lift"]["psnr_fg"] > 15
    assert lifted["mean"]["lift"]["face_found"] == 1.0
    assert lifted["mean"]["lift"]["landmarks_pct"] < 15
    again = [*common, "--data", str(photos / "person.png"), "-o", str(tmp_path / "two")]
    assert main([*again, "--against", str(tmp_path / "one")]) == 0
    found = json.loads((tmp_path / "two" / "report.json").read_text())["against"]["input"]
    assert found["items"] == 1
    assert found["delta"]["lift"]["psnr_fg"] == 0.0
