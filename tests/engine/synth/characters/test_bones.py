"""Bones' names and meshes' names."""

from __future__ import annotations

import pytest
from likeness.engine.core.types import JOINT_INDEX, JOINT_NAMES
from likeness.engine.synth.characters.bones import joint_for_bone, joints_for_bones
from likeness.engine.synth.characters.character import guess_label

RIGS = {
    "Mixamo": {
        "mixamorig:LeftShoulder": "left_collar",
        "mixamorig:LeftArm": "left_shoulder",
        "mixamorig9:RightLeg": "right_knee",
        "mixamorig:LeftToeBase": "left_foot",
        "mixamorig:RightHandPinky3": "right_pinky3",
        "mixamorig:Hips": "pelvis",
    },
    "Rigify": {
        "DEF-upper_arm.L": "left_shoulder",
        "DEF-shoulder.R": "right_collar",
        "DEF-f_index.02.L": "left_index2",
        "DEF-shin.R": "right_knee",
        "DEF-spine.001": None,
    },
    "Unreal": {
        "thigh_l": "left_hip",
        "calf_r": "right_knee",
        "ball_l": "left_foot",
        "index_01_r": "right_index1",
        "clavicle_l": "left_collar",
    },
    "VRM": {
        "J_Bip_C_Hips": "pelvis",
        "J_Bip_R_LowerArm": "right_elbow",
        "J_Bip_L_Little1": "left_pinky1",
        "J_Bip_C_Head": "head",
    },
    "MakeHuman": {
        "upperleg01.L": "left_hip",
        "lowerarm01.R": "right_elbow",
        "finger2-1.L": "left_index1",
        "finger1-3.R": "right_thumb3",
        "toe1-1.L": "left_foot",
        "neck01": "neck",
    },
    "others": {
        "Bip001 L Thigh": "left_hip",
        "CC_Base_R_Hand": "right_wrist",
        "Cube": None,
        "IK_hand_target": None,
    },
}


@pytest.mark.parametrize("rig", RIGS)
def test_names_of_rigs(rig: str) -> None:
    assert {name: joint_for_bone(name) for name in RIGS[rig]} == RIGS[rig]


def test_smplx_names_mean_smplx_joints() -> None:
    assert joints_for_bones(JOINT_NAMES) == {k: k for k in range(55)}
    # 'shoulder' alone is other rigs' collar.
    assert joints_for_bones(["left_shoulder"]) == {JOINT_INDEX["left_collar"]: 0}


def test_first_bone_of_one_meaning_counts() -> None:
    assert joints_for_bones(["hand.L", "DEF-hand.L"]) == {JOINT_INDEX["left_wrist"]: 0}


def test_labels() -> None:
    assert guess_label("Ch36", "Ch36_Body") == "other"
    assert guess_label("Hairdresser's Dress") == "hair"
    assert guess_label("avatar_top_baseColor") == "clothes"
