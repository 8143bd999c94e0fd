"""Rewriting keeps what was drawn, or says why the template stays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from likeness.engine.generative.compose import Prompt, compose_prompt
from likeness.engine.generative.rewrite import ROUNDS, answer_seed, find_objections, rewrite_prompts
from likeness.engine.generative.vocabulary import load_vocabulary


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    vocabulary = load_vocabulary()
    return [compose_prompt(number, 1, vocabulary) for number in range(6)]


def fluent(scene: str) -> str:
    return scene + " Fine stitching runs along the seams, and a small workshop lies behind."


def test_a_good_text_passes(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        assert find_objections(prompt, fluent(prompt.template)) == []


@pytest.mark.parametrize("axis", ["hair_colour", "age", "gender", "top_colour", "role", "action"])
def test_a_lost_factor_is_noticed(prompts: list[Prompt], axis: str) -> None:
    prompt = next(p for p in prompts if axis in p.factors)
    text = prompt.template
    for word in prompt.factors[axis].split():
        text = text.replace(word, "thing")
    assert any(said.startswith(f"{axis} ") for said in find_objections(prompt, text))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:120], "words"),
        (lambda text: f"{text} {text} {text}", "words"),
        (lambda text: f"Sure! {text}", "prose"),
        (lambda text: f"{text}\n\nNote: I kept all.", "prose"),
    ],
)
def test_what_is_no_paragraph_is_noticed(prompts: list[Prompt], change, said: str) -> None:
    assert any(
        said in reason for reason in find_objections(prompts[0], change(prompts[0].template))
    )


def test_reworded_movements_pass(prompts: list[Prompt]) -> None:
    prompt = next(p for p in prompts if p.factors["action"].startswith("speaks"))
    action = prompt.factors["action"]
    text = prompt.template.replace(action, action.replace("speaks", "is speaking"))
    assert find_objections(prompt, text) == []


def test_failures_are_asked_again_and_the_template_stays(prompts: list[Prompt]) -> None:
    asked: list[tuple[list[str], int]] = []

    def complete(scenes: Sequence[str], seed: int) -> list[str]:
        asked.append((list(scenes), seed))
        bad = prompts[1].template
        late = prompts[2].template
        return [
            "no" if scene == bad or (scene == late and len(asked) == 1) else fluent(scene)
            for scene in scenes
        ]

    done = list(rewrite_prompts(prompts[:4], complete, {"model": "stand-in"}))
    assert [p.rewriting["outcome"] for p in done] == [
        "rewritten",
        "template kept",
        "rewritten",
        "rewritten",
    ]
    assert done[1].text == prompts[1].template
    assert "it has 1 words" in done[1].rewriting["reasons"]
    assert done[2].rewriting["attempt"] == 1
    assert done[0].text == fluent(prompts[0].template)
    assert [len(scenes) for scenes, _ in asked] == [4, 2, 1]
    assert [seed for _, seed in asked] == [answer_seed(prompts[0], k) for k in range(ROUNDS)]


def test_batches_are_cut_at_the_same_numbers(prompts: list[Prompt]) -> None:
    sizes: list[int] = []

    def complete(scenes: Sequence[str], seed: int) -> list[str]:
        sizes.append(len(scenes))
        return [fluent(scene) for scene in scenes]

    list(rewrite_prompts(prompts, complete, {}, batch=4))
    list(rewrite_prompts(prompts[4:], complete, {}, batch=4))
    assert sizes == [4, 2, 2]
