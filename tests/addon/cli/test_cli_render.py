"""``likeness render`` on the command line: pictures, clips of motions, turntables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from likeness.addon.cli.main import main
from likeness.engine.body.synthetic import make_synthetic_body
from likeness.engine.core.cameras import photo_camera
from likeness.engine.core.types import JOINT_INDEX, LikenessError, Motion
from likeness.engine.formats.avatar import load_avatar, save_avatar
from likeness.engine.motion.io import save_motion
from likeness.engine.workflows.still_files import parse_color
from PIL import Image

from ...blender.hair import with_hair

BODY = make_synthetic_body()
SMALL = ["--width", "64", "--height", "64"]


def tracked(count: int = 6, rate: float = 12.0) -> Motion:
    """Somebody who walks to the left of the picture, as a camera saw it."""
    full_pose = np.zeros((count, 55, 3))
    full_pose[:, JOINT_INDEX["left_shoulder"], 2] = -0.2 * np.arange(count)
    transl = np.stack([-0.1 * np.arange(count), np.zeros(count), np.full(count, -4.0)], -1)
    return Motion(
        betas=np.zeros(BODY.num_betas),
        full_pose=full_pose,
        transl=transl,
        expression=np.zeros((count, BODY.num_expression)),
        joint_confidence=np.ones((count, 55)),
        frame_state=np.zeros(count, np.uint8),
        shot=np.zeros(count, np.int32),
        camera=photo_camera(90.0, 80, 60),
        frame_rate=rate,
        framing="full",
        view="front",
        face_error=np.full(count, np.nan),
        pose_error=np.full(count, np.nan),
    )


@pytest.fixture(scope="module")
def motion(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("motion") / "walk.npz"
    save_motion(tracked(), path, BODY)
    return str(path)


def pictures(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]


def video(path: Path) -> tuple[list[np.ndarray], float]:
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return frames, float(container.streams.video[0].average_rate)


# Clips --------------------------------------------------------------------------------------


def test_a_motion_as_video(
    avatar: str, motion: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "clip.mp4"
    command = ["render", avatar, "--motion", motion, "-o", str(out), "--width", "65"]
    assert main([*command, "--height", "80", "--background", "#336699"]) == 0
    said = capsys.readouterr()
    assert "66 x 80 instead of 65 x 80" in said.err
    assert f"{out}: 6 frames at 12/s, 66 x 80" in said.out
    frames, rate = video(out)
    assert (len(frames), rate) == (6, 12.0)
    assert frames[0].shape == (80, 66, 3)
    assert np.abs(frames[0][2, 2].astype(int) - [0x33, 0x66, 0x99]).max() <= 3
    assert [path.name for path in out.parent.iterdir()] == ["clip.mp4"]


def test_swing_needs_a_motion_and_something_that_swings(
    avatar: str, motion: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "clip"
    assert main(["render", avatar, "--swing", "1", "-o", str(out), *SMALL]) == 2
    assert "--swing goes with --motion" in capsys.readouterr().err
    command = ["render", avatar, "--motion", motion, "--swing", "1", "-o", str(out), *SMALL]
    assert main(command) == 2
    assert "neither long hair nor a skirt" in capsys.readouterr().err
    assert not out.exists()


def test_swing_moves_hair_in_a_clip(avatar: str, tmp_path: Path) -> None:
    hairy = tmp_path / "hairy.safetensors"
    save_avatar(with_hair(load_avatar(Path(avatar))), hairy)
    starting = tracked()
    path = np.stack([-0.05 * np.arange(6.0) ** 2, np.zeros(6), np.full(6, -4.0)], -1)
    save_motion(replace(starting, transl=path), tmp_path / "start.npz", BODY)
    clips = []
    for swing in ("0", "2"):
        command = ["render", str(hairy), "--motion", str(tmp_path / "start.npz"), *SMALL]
        assert main([*command, "--swing", swing, "-o", str(tmp_path / swing)]) == 0
        clips.append(pictures(tmp_path / swing))
    assert len(clips[0]) == len(clips[1]) == 6
    assert np.abs(clips[0][-1].astype(int) - clips[1][-1]).max() > 20


def test_numbered_pictures_are_transparent_and_the_same_each_time(
    avatar: str, motion: str, tmp_path: Path
) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        assert main(["render", avatar, "--motion", motion, "-o", str(folder), *SMALL]) == 0
    names = [path.name for path in sorted(folders[0].iterdir())]
    assert names == [f"frame_{k:04d}.png" for k in range(6)]
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    first = pictures(folders[0])[0]
    assert first.shape == (64, 64, 4)
    assert (first[0, 0, 3], first[..., 3].max()) == (0, 255)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--start", "0.25", "--end", "0.42"], 3),
        (["--every", "4"], 2),
        (["--fps", "24"], 12),
        (["--speed", "0.5"], 6),
        (["--speed", "0.5", "--fps", "12"], 12),
    ],
)
def test_parts_rates_and_patterns(
    options: list[str], count: int, avatar: str, motion: str, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "f_###.png"
    assert main(["render", avatar, "--motion", motion, *SMALL, *options, "-o", str(out)]) == 0
    names = sorted(path.name for path in out.parent.iterdir())
    assert names == [f"f_{k:03d}.png" for k in range(count)]


def middle(picture: np.ndarray) -> float:
    return float(np.flatnonzero(picture[..., 3].max(0) > 128).mean())


def test_where_a_motion_is_seen(avatar: str, motion: str, tmp_path: Path) -> None:
    """By its own camera where the person was; by the photo's, beginning where the photo is."""
    for camera in ("motion", "input", "fixed", "follow"):
        options = ["--camera", camera, "--width", "80", "--height", "60"]
        out = tmp_path / camera
        assert main(["render", avatar, "--motion", motion, "-o", str(out), *options]) == 0
    own = [middle(p) for p in pictures(tmp_path / "motion")]
    assert own[0] == pytest.approx(40, abs=1.5)
    # 0.5 m to the left at 4 m with 90 pixels of focal length; the arm comes down on the right.
    assert own[0] - own[5] > 90 * 0.5 / 4 - 1
    begin = pictures(tmp_path / "input")[0]
    assert (
        main(
            [
                "render",
                avatar,
                "-o",
                str(tmp_path / "photo.png"),
                "--pose",
                "tpose",
                "--width",
                "80",
                "--height",
                "60",
            ]
        )
        == 0
    )
    np.testing.assert_allclose(begin, np.asarray(Image.open(tmp_path / "photo.png")), atol=2)
    for camera in ("fixed", "follow"):
        for picture in pictures(tmp_path / camera):
            edge = np.concatenate([picture[[0, -1], :, 3].ravel(), picture[:, [0, -1], 3].ravel()])
            assert edge.max() < 128, "the whole figure is in the picture"


def test_a_turntable(avatar: str, tmp_path: Path) -> None:
    options = ["--turntable", "--seconds", "0.8", "--fps", "10", "--pose", "tpose", *SMALL]
    assert main(["render", avatar, "-o", str(tmp_path / "spin"), *options]) == 0
    frames = pictures(tmp_path / "spin")
    assert len(frames) == 8
    yellow = [
        int(((f[..., 0] > 150) & (f[..., 1] > 150) & (f[..., 3] > 128)).sum()) for f in frames
    ]
    assert yellow[0] > 5, yellow
    assert yellow[4] < 0.4 * yellow[0], f"from behind {yellow}"
    # Red is the body's left: on the right of the picture in front, on the left from behind.
    red = [
        np.argwhere((f[..., 0] > 150) & (f[..., 1] < 90) & (f[..., 3] > 128))[:, 1].mean()
        for f in frames
    ]
    assert red[0] > 36
    assert red[4] < 28
    jumps = [np.abs(a.astype(int) - b).mean() for a, b in zip(frames, [*frames[1:], frames[0]])]
    assert min(jumps) > 1, "no frame is there twice, and the last is not the first"
    assert main(["render", avatar, "-o", str(tmp_path / "back"), "--turns", "-1", *options]) == 0
    back = pictures(tmp_path / "back")
    np.testing.assert_allclose(back[1], frames[7], atol=1)


def test_an_expression_goes_before_the_motions_own(
    avatar: str, motion: str, tmp_path: Path
) -> None:
    base = ["render", avatar, "--motion", motion, "--focus", "head", *SMALL]
    assert main([*base, "-o", str(tmp_path / "a")]) == 0
    assert main([*base, "-o", str(tmp_path / "b"), "--expression", "jawOpen=1"]) == 0
    a, b = (pictures(tmp_path / name)[2].astype(int) for name in "ab")
    assert np.abs(a - b).max() > 20


def test_captures_with_other_axes_stand(
    avatar: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As AMASS writes it, z up, and as trackers do, y down; against the same with y up."""
    zero, turned, over = (np.zeros((2, 165)) for _ in range(3))
    turned[:, 0], over[:, 0] = np.pi / 2, np.pi
    files = {
        "z": (turned, [3.0, 1.0, 0.9]),
        "-y": (over, [3.0, -0.9, 1.0]),
        "y": (zero, [3.0, 0.9, -1.0]),
    }
    for up, (poses, place) in files.items():
        path = tmp_path / f"{up}.npz"
        np.savez(path, poses=poses, trans=np.tile(place, (2, 1)), mocap_framerate=60.0)
        out = tmp_path / up
        assert main(["render", avatar, "--motion", str(path), "-o", str(out), *SMALL]) == 0
        err = capsys.readouterr().err
        assert (f"has {up} up" in err) == (up != "y")
        assert "no camera" not in err
    for a, *others in zip(*(pictures(tmp_path / up) for up in ("y", "z", "-y"))):
        for other in others:
            np.testing.assert_allclose(a, other, atol=1)
        assert np.ptp(np.flatnonzero(a[..., 3].max(1) > 128)) > 40, "it stands"


# Pictures -----------------------------------------------------------------------------------


def test_a_background_behind_a_picture(avatar: str, tmp_path: Path) -> None:
    png, jpg = tmp_path / "a.png", tmp_path / "a.jpg"
    assert main(["render", avatar, "-o", str(png), "--background", "lime", *SMALL]) == 0
    assert main(["render", avatar, "-o", str(jpg), "--background", "#00ff00", *SMALL]) == 0
    for path, tolerance in ((png, 0), (jpg, 6)):
        with Image.open(path) as image:
            assert image.mode == "RGB"
            corner = np.asarray(image)[0, 0].astype(int)
        assert np.abs(corner - [0, 255, 0]).max() <= tolerance


def test_fewer_gaussians(avatar: str, tmp_path: Path) -> None:
    base = ["render", avatar, *SMALL, "--background", "white", "-o"]
    assert main([*base, str(tmp_path / "all.png")]) == 0
    assert main([*base, str(tmp_path / "few.png"), "--max-gaussians", "20"]) == 0
    everything, few = (
        np.asarray(Image.open(tmp_path / f"{name}.png"), float).mean() for name in ("all", "few")
    )
    assert abs(everything - few) > 1  # those that are left have grown
    assert few < 255


def test_polished_pictures_and_clips_keep_their_outline(avatar: str, tmp_path: Path) -> None:
    drawn = []
    for more in ([], ["--polish"]):
        still = tmp_path / f"still{len(more)}.png"
        assert main(["render", avatar, "-o", str(still), "--yaw", "180", *SMALL, *more]) == 0
        turn = tmp_path / f"turn{len(more)}"
        clip = ["render", avatar, "-o", str(turn), "--turntable", "--seconds", "0.1", *SMALL, *more]
        assert main(clip) == 0
        pictures = [still, *sorted(turn.iterdir())]
        drawn.append([np.asarray(Image.open(picture).convert("RGBA"), int) for picture in pictures])
    assert len(drawn[0]) == len(drawn[1]) == 4
    for plain, polished in zip(*drawn, strict=True):
        np.testing.assert_array_equal(polished[..., 3], plain[..., 3])
        outside = plain[..., 3] == 0
        np.testing.assert_array_equal(polished[outside], plain[outside])
        change = np.abs(polished - plain)[..., :3][plain[..., 3] > 250]
        assert change.max() <= 80
    assert (drawn[0][0] != drawn[1][0]).any()  # from behind


def test_colours() -> None:
    assert parse_color("transparent") is None
    assert parse_color(None) is None
    np.testing.assert_allclose(parse_color("white"), [1, 1, 1])
    np.testing.assert_allclose(parse_color("#ff0000ff"), [1, 0, 0])
    for text in ("#12", "", "#ff000033"):
        with pytest.raises(LikenessError, match="not a colour"):
            parse_color(text)
