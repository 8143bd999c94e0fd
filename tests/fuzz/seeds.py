"""Small good files of every kind that is read: what the mutations start from."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 96


def pictures(folder: Path) -> None:
    """One of each format and mode that portraits come in."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    rgb = np.stack([x * 2, y * 2, (x + y)], -1).astype(np.uint8)
    picture = Image.fromarray(rgb)
    exif = picture.getexif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x920A] = 50.0
    picture.save(folder / "plain.jpg", exif=exif, quality=90)
    picture.save(folder / "progressive.jpg", progressive=True)
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    picture.convert("L").save(folder / "grey.jpg")
    picture.save(folder / "plain.png")
    picture.quantize(16).save(folder / "palette.png", transparency=3)
    alpha = Image.fromarray(rng.integers(0, 255, (SIDE, SIDE), np.uint8))
    picture.putalpha(alpha)
    picture.save(folder / "alpha.png", pnginfo=None, exif=exif)
    picture.save(folder / "alpha.webp", lossless=True)
    Image.fromarray((x * 600).astype(np.uint16)).save(folder / "deep.png")
    Image.fromarray((x * 600).astype(np.uint16)).save(folder / "deep.tif")
    plain = picture.convert("RGB")
    plain.save(folder / "plain.webp", exif=exif)
    plain.save(folder / "packed.tif", compression="tiff_adobe_deflate", tiffinfo={305: "x"})
    plain.convert("CMYK").save(folder / "cmyk.tif", compression="tiff_lzw")
    plain.save(folder / "plain.bmp")
    plain.save(folder / "plain.jp2")
    plain.save(folder / "plain.ppm")
    plain.save(folder / "plain.tga", compression="tga_rle")
    plain.save(folder / "moving.gif", save_all=True, append_images=[plain.rotate(90)] * 3)


def seed_body() -> object:
    from likeness.engine.body.synthetic import make_synthetic_body

    return make_synthetic_body()


def avatar() -> object:
    """A body of boxes with 300 Gaussians on it."""
    from likeness.engine.body.synthetic import make_synthetic_body
    from likeness.engine.core.cameras import photo_camera
    from likeness.engine.core.types import Avatar, BoundGaussians, Pose

    rng = np.random.default_rng(1)
    body = make_synthetic_body()
    body = body.personalised(np.zeros(body.num_betas))
    quats = rng.normal(size=(300, 4))
    gaussians = BoundGaussians(
        triangle=rng.integers(len(body.f), size=300).astype(np.int32),
        bary=rng.dirichlet(np.ones(3), 300).astype(np.float32),
        offset=rng.normal(scale=0.01, size=(300, 3)).astype(np.float32),
        quats=(quats / np.linalg.norm(quats, axis=1, keepdims=True)).astype(np.float32),
        scales=np.full((300, 3), 0.01, np.float32),
        opacities=rng.uniform(0.1, 1, 300).astype(np.float32),
        colors=rng.uniform(0, 1, (300, 3)).astype(np.float32),
        layer=np.zeros(300, np.uint8),
    )
    pose = Pose.rest(body.num_expression).with_joints(left_elbow=[0, -0.5, 0])
    start = np.sort(rng.uniform(0, 300, 300)).astype(np.float32)
    camera = photo_camera(500, 64, 64)
    return Avatar(body, gaussians, pose, camera, "full", {"photo": "x.png"}, lod_start=start)


def avatars(folder: Path) -> None:
    from likeness.engine.formats.avatar import save_avatar

    save_avatar(avatar(), folder / "avatar.safetensors")  # type: ignore[arg-type]


def kept(folder: Path) -> None:
    """What a .blend keeps of an avatar."""
    from likeness.engine.formats.avatar import avatar_to_bytes

    (folder / "kept.zlib").write_bytes(zlib.compress(avatar_to_bytes(avatar()), 1))  # type: ignore[arg-type]


def scenes(folder: Path) -> None:
    """Avatars as the worker hands them to Blender."""
    from likeness.engine.scene.files import make_scene_avatar, save_scene_avatar

    save_scene_avatar(make_scene_avatar(avatar()), folder / "scene.npz")  # type: ignore[arg-type]


def frames(folder: Path) -> None:
    """Three frames of a scene as Blender writes them."""
    from likeness.engine.core.grading import Grade
    from likeness.engine.formats.avatar import save_avatar
    from likeness.engine.scene.looks import pack_grades, pack_sliders

    person = avatar()
    save_avatar(person, folder / "avatar_0.safetensors")  # type: ignore[arg-type]
    count = len(person.body.v_template)  # type: ignore[attr-defined]
    np.save(folder / "vertices_0.npy", np.zeros((3, count, 3), np.float32))
    eye = np.tile(np.eye(4), (3, 1, 1))
    np.savez(
        folder / "frames.npz",
        counts=np.array([300]),
        places=eye[None],
        viewmats=eye,
        Ks=eye[:, :3, :3],
        size=np.array([64, 64]),
        frame_rate=np.array(24.0),
        frames=np.arange(3),
        grades=np.tile(pack_grades({"Top": Grade(exposure=1.0)}), (1, 3, 1, 1)),
        sliders=np.tile(pack_sliders({}), (1, 3, 1)),
    )


def bodies(folder: Path) -> None:
    from likeness.engine.body.body_file import save_body

    save_body(seed_body(), folder / "body.npz")  # type: ignore[arg-type]


def motions(folder: Path) -> None:
    """Ours, AMASS's, and plain arrays."""
    rng = np.random.default_rng(2)
    from likeness.engine.core.cameras import photo_camera
    from likeness.engine.motion.io import save_motion
    from likeness.engine.motion.prepare_motion import motion_from_poses

    body = seed_body()
    motion = motion_from_poses(rng.normal(0, 0.3, (4, 55, 3)), rng.normal(0, 1, (4, 3)), 52, 25.0)
    motion = replace(
        motion,
        expression=np.zeros((4, body.num_expression)),  # type: ignore[attr-defined]
        betas=np.zeros(body.num_betas),  # type: ignore[attr-defined]
        camera=photo_camera(500, 64, 64),
    )
    save_motion(motion, folder / "ours.npz", body)  # type: ignore[arg-type]
    np.savez(
        folder / "amass.npz",
        poses=rng.normal(0, 0.3, (5, 156)),
        trans=np.zeros((5, 3)),
        betas=np.zeros(16),
        mocap_framerate=np.array(120.0),
        gender=np.array("neutral"),
    )
    np.savez(
        folder / "flame.npz",
        rotation=rng.normal(0, 0.1, (5, 3)),
        neck_pose=rng.normal(0, 0.1, (5, 3)),
        jaw_pose=rng.normal(0, 0.1, (5, 3)),
        eyes_pose=rng.normal(0, 0.1, (5, 6)),
        expr=rng.normal(0, 1, (5, 100)),
    )
    np.save(folder / "columns.npy", rng.normal(0, 0.3, (5, 322)).astype(np.float32))


def heads(folder: Path) -> None:
    """FLAME's model with a few vertices."""
    rng = np.random.default_rng(8)
    np.savez(
        folder / "FLAME.npz",
        v_template=rng.normal(size=(30, 3)),
        f=rng.integers(0, 30, (20, 3)),
        shapedirs=rng.normal(size=(30, 3, 20)),
        posedirs=rng.normal(size=(30, 3, 36)),
        J_regressor=rng.dirichlet(np.ones(30), 5),
        weights=rng.dirichlet(np.ones(5), 30),
    )


def mhr(folder: Path) -> None:
    """MHR's portable files with a few vertices."""
    from likeness.engine.bake.mhr_body import EXPRESSIONS, IDENTITY, MHR_JOINTS

    rng = np.random.default_rng(9)
    names = [*MHR_JOINTS.values(), "c_teeth"]
    np.savez(
        folder / "rig.npz",
        joint_names=np.array(names),
        joint_parents=np.arange(-1, len(names) - 1),
        inverse_bind_pose=np.column_stack(
            [rng.normal(0, 50, (len(names), 3)), np.tile([0.0, 0, 0, 1, 1], (len(names), 1))]
        ),
    )
    np.savez(
        folder / "lod1.npz",
        base_shape=rng.normal(0, 50, (30, 3)),
        shape_vectors=rng.normal(size=(IDENTITY + EXPRESSIONS, 30, 3)),
        faces=rng.integers(0, 30, (20, 3)),
        skin_indices=rng.integers(0, len(names), (30, 8)),
        skin_weights=rng.dirichlet(np.ones(8), 30),
    )


def hands(folder: Path) -> None:
    """What is read of a user's SMPL-X file."""
    rng = np.random.default_rng(6)
    means = {f"hands_mean{side}": rng.normal(size=45) for side in "lr"}
    np.savez(
        folder / "smplx.npz",
        **means,
        **{f"hands_components{side}": rng.normal(size=(45, 45)) for side in "lr"},
    )


BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 90 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
%s
}
MOTION
Frames: 3
Frame Time: 0.0333333
%s
"""


def face_captures(folder: Path) -> None:
    """Live Link Face's table, and two apps' JSON."""
    from likeness.engine.body.names import ARKIT_EXPRESSIONS

    names = [n[0].upper() + n[1:] for n in ARKIT_EXPRESSIONS]
    angles = [f"{p}{a}" for p in ("Head", "LeftEye", "RightEye") for a in ("Yaw", "Pitch", "Roll")]
    lines = [",".join(["Timecode", "BlendshapeCount", *names, *angles])]
    for k in range(70):
        values = [f"{0.5 + 0.4 * np.sin(k / 5 + j):.4f}" for j in range(61)]
        lines.append(",".join([f"12:34:{56 + k // 60}:{k % 60:02d}.000", "61", *values]))
    (folder / "a.csv").write_text("\n".join(lines) + "\n")
    frames = [
        {"time": k / 30, "blendShapes": {"jawOpen": k / 9, "eyeLookUpLeft": 0.3}} for k in range(9)
    ]
    (folder / "a.json").write_text(json.dumps({"frames": frames}))
    facs = {"exportFps": 60, "facsNames": ["jawOpen", "mouthClose"], "weightMat": [[0.1, 0.2]] * 5}
    (folder / "b.json").write_text(json.dumps(facs))


def lip_sync(folder: Path) -> None:
    """Each kind of file that speech is read from, and a recording."""
    import wave

    cues = [(0.0, "X"), (0.5, "B"), (0.7, "A"), (0.8, "D")]
    (folder / "a.tsv").write_text("".join(f"{t}\t{s}\n" for t, s in cues))
    tags = "".join(f'<mouthCue start="{t}" end="{t + 0.1}">{s}</mouthCue>' for t, s in cues)
    (folder / "a.xml").write_text(f"<rhubarbResult><mouthCues>{tags}</mouthCues></rhubarbResult>")
    entries = [{"start": t, "end": t + 0.1, "value": s} for t, s in cues]
    (folder / "a.json").write_text(json.dumps({"mouthCues": entries}))
    (folder / "a.dat").write_text("MohoSwitch1\n1 rest\n13 MBP\n16 AI\n31 rest\n")
    voice = "Voice 1\nmap\n1\nmap\n12\n35\n1\nmap 12 20 2\n12 MBP\n14 AI\n"
    (folder / "a.pgo").write_text(f"lipsync version 1\na.wav\n24\n48\n1\n{voice}")
    phones = [
        {"id": k, "text": s, "frame": f} for k, (f, s) in enumerate([(12, "MBP"), (14, "AI")])
    ]
    word = {"text": "map", "start_frame": 12, "end_frame": 20, "phonemes": phones}
    of_voice = {"name": "Voice 1", "text": "map", "phrases": [{"text": "map", "words": [word]}]}
    spoken = {"version": 2, "fps": 24, "sound_duration": 48, "voices": [of_voice]}
    (folder / "a.pg2").write_text(json.dumps(spoken))
    with wave.open(str(folder / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((9000 * np.sin(np.arange(4000) / 9)).astype("<i2").tobytes())


def bvh(folder: Path) -> None:
    """A whole figure, so that retargeting is reached."""

    def chain(names: list[tuple[str, str]]) -> str:
        (name, offset), *rest = names
        inner = chain(rest) if rest else "End Site\n{\nOFFSET 0 5 0\n}"
        return (
            f"JOINT {name}\n{{\nOFFSET {offset}\n"
            f"CHANNELS 3 Zrotation Xrotation Yrotation\n{inner}\n}}"
        )

    parts, joints = [], 1
    for names in (
        [("Spine", "0 20 0"), ("Neck", "0 30 0"), ("Head", "0 10 0")],
        *(
            [(f"{s}UpLeg", f"{x}9 0 0"), (f"{s}Leg", "0 -40 0"), (f"{s}Foot", "0 -40 0")]
            for s, x in (("Left", ""), ("Right", "-"))
        ),
        *(
            [
                (f"{s}Shoulder", f"{x}5 45 0"),
                (f"{s}Arm", f"{x}10 0 0"),
                (f"{s}ForeArm", f"{x}25 0 0"),
                (f"{s}Hand", f"{x}25 0 0"),
            ]
            for s, x in (("Left", ""), ("Right", "-"))
        ),
    ):
        parts.append(chain(names))
        joints += len(names)
    row = " ".join(["0 90 0 5 5 5", *(["1 2 3"] * (joints - 1))])
    (folder / "walk.bvh").write_text(BVH % ("\n".join(parts), "\n".join([row] * 3)))


def bone_maps(folder: Path) -> None:
    from likeness.engine.motion.bone_maps import FOLDER

    for path in sorted(FOLDER.glob("*.toml"))[:3]:
        (folder / path.name).write_bytes(path.read_bytes())


def splats(folder: Path) -> None:
    """PLY of two kinds."""
    import gsply
    from likeness.engine.formats.ply import encode_gaussians, write_ply
    from likeness.engine.gaussians import pose_avatar

    person = avatar()
    gaussians = pose_avatar(person, person.pose)  # type: ignore[arg-type,attr-defined]
    write_ply(gaussians, folder / "plain.ply")
    gsply.plywrite(folder / "packed.ply", *encode_gaussians(gaussians), compressed=True)
    for path in folder.glob("packed*"):
        path.rename(folder / "packed.ply")


def spz(folder: Path) -> None:
    from likeness.engine.formats.spz import write_spz
    from likeness.engine.gaussians import pose_avatar

    person = avatar()
    write_spz(pose_avatar(person, person.pose), folder / "plain.spz")  # type: ignore[arg-type,attr-defined]
    assert gzip.decompress((folder / "plain.spz").read_bytes())


def characters(folder: Path) -> None:
    """What Blender takes out of a user's character file."""
    from likeness.engine.synth.characters.character import CharacterRig, save_rig
    from likeness.engine.synth.parts_file import save_parts
    from likeness.engine.wardrobe.mesh_parts import LABEL, Material, MeshPart

    rng = np.random.default_rng(3)
    colour = rng.integers(0, 255, (8, 8, 4), np.uint8)
    part = MeshPart(
        "shirt",
        rng.normal(size=(9, 3)).astype(np.float32),
        rng.integers(0, 9, (6, 3)),
        rng.random((6, 3, 2)).astype(np.float32),
        np.full(6, LABEL["clothes"], np.uint8),
        Material("cloth", colour, bump=np.zeros((3, 4), np.float32)),
        card=True,
        bias=0.002,
    )
    save_parts(folder, [part, replace(part, name="hat")])
    save_rig(
        CharacterRig(("hips", "head"), rng.normal(size=(2, 3)), rng.normal(size=(2, 3))), folder
    )


def character_files(folder: Path) -> None:
    """A box with a picture and two bones, as programs of others save it."""
    import bpy
    from mathutils import Vector

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_cube_add(size=1.0)
    box = bpy.context.object
    picture = bpy.data.images.new("colour", 8, 8)
    picture.pixels.foreach_set(np.linspace(0, 1, 256).astype(np.float32))
    picture.pack()
    surface = bpy.data.materials.new("skin")
    surface.use_nodes = True
    nodes = surface.node_tree.nodes
    texture = nodes.new("ShaderNodeTexImage")
    texture.image = picture
    surface.node_tree.links.new(
        texture.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"]
    )
    box.data.materials.append(surface)
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    bpy.ops.object.mode_set(mode="EDIT")
    bone = rig.data.edit_bones.new("head")
    bone.head, bone.tail = Vector((0, 0, 1)), Vector((0, 0, 1.3))
    bpy.ops.object.mode_set(mode="OBJECT")
    box.parent = rig
    box.modifiers.new("rig", "ARMATURE").object = rig
    box.vertex_groups.new(name="head").add(range(8), 1.0, "REPLACE")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "d.blend"), compress=False)
    bpy.ops.export_scene.gltf(filepath=str(folder / "a.glb"))
    bpy.ops.export_scene.fbx(filepath=str(folder / "b.fbx"))
    bpy.ops.wm.obj_export(filepath=str(folder / "c.obj"))


def subjects(folder: Path) -> None:
    """What 'likeness convert' wrote."""
    from likeness.engine.body import load_body
    from likeness.engine.files.weights import asset_path
    from likeness.engine.synth.characters.conversion import BODY_FILE, SUBJECT_FILE, VERSION

    body = load_body(asset_path("body"))
    characters(folder)
    (folder / "rig.npz").unlink(missing_ok=True)
    about = {"version": VERSION, "fits": True, "source": "x.glb", "sha256": "0" * 64}
    (folder / SUBJECT_FILE).write_text(json.dumps(about))
    np.savez(
        folder / BODY_FILE,
        betas=np.zeros(body.num_betas),
        full_pose=np.zeros((55, 3)),
        transl=np.zeros(3),
        expression=np.zeros(body.num_expression),
    )


def batches(folder: Path) -> None:
    """A batch that is complete."""
    from ..engine.workflows.batch.bench import photos, ran

    ran(folder / "out", photos(folder / "in", a="anna", b="hands", c="cat"))


def requests(folder: Path) -> None:
    """What Blender asks the worker."""
    line = {"task": "build", "portrait": "a.png", "output": "out"}
    (folder / "request.json").write_text(json.dumps(line))


def tables(folder: Path) -> None:
    """Portraits of a batch, in three formats."""
    (folder / "jobs.toml").write_text(
        '[options]\nrefine = "full"\n\n[[portrait]]\nphoto = "anna.jpg"\nname = "cast/anna"\n'
        'views = { back = "anna_back.jpg", left = "anna_left.jpg" }\nfov = 40\n\n'
        '[[portrait]]\nphoto = "bob.jpg"\nviews = ["bob_2.jpg"]\n'
    )
    (folder / "jobs.csv").write_text(
        "photo,name,back,fov\nanna.jpg,anna,anna_back.jpg,40\nbob.jpg,,,\n"
    )
    (folder / "jobs.jsonl").write_text(
        '{"photo": "anna.jpg", "views": {"back": "anna_back.jpg"}, "fov": 40}\n'
        '{"photo": "bob.jpg", "name": "cast/bob", "views": ["bob_2.jpg"]}\n'
    )


def videos(folder: Path) -> None:
    """Half a second, in four formats."""
    import av

    y, x = np.mgrid[:48, :64]
    for name, codec in (
        ("a.mp4", "libx264"),
        ("b.mkv", "mpeg4"),
        ("c.webm", "libvpx"),
        ("d.avi", "mjpeg"),
    ):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=24)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for k in range(10):
                rgb = np.stack([x * 3, y * 4, np.full_like(x, 20 * k)], -1).astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())


def environments(folder: Path) -> None:
    """HDR pictures that light."""
    from likeness.engine.imaging.exr import write_exr

    rng = np.random.default_rng(5)
    channels = {name: rng.random((32, 64)).astype(np.float32) for name in "BGR"}
    write_exr(folder / "sky.exr", channels)
    head = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 4 +X 16\n"
    row = bytes((2, 2, 0, 16)) + 3 * bytes((144, 128)) + bytes((8, *range(120, 128), 136, 129))
    (folder / "sky.hdr").write_bytes(head + 4 * row)
