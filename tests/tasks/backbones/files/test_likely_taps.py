"""Which tensors are likely features: those that all of the network goes through."""

import pytest

from tasks.backbones.files.likely_taps import likely_taps, special_tokens
from tasks.backbones.files.steps import Step


def chain(*made):
    """Return steps, each made of the one before it: (name, shape, and what else it is)."""
    steps = [Step("", (3, 32, 32), ())]
    for place, (name, shape, *flags) in enumerate(made):
        kinds = dict.fromkeys(flags, True)
        steps.append(Step(name, shape, (place,), **kinds))
    return steps


def found(steps, *outputs):
    taps = likely_taps(steps, outputs or [len(steps) - 1], (32, 32))
    return [(tap.name, tap.role) for tap in taps]


RESNET = (
    ("early", (8, 16, 16), "weighted"),
    ("late", (16, 16, 16), "weighted"),
    ("last", (32, 8, 8), "weighted"),
    ("pooled", (32,)),
)
MAPS = [("last", "inner"), ("late", "inner")]


def test_a_vector_is_better_than_the_last_map_of_each_size():
    assert found(chain(*RESNET)) == [("pooled", "output"), *MAPS]


@pytest.mark.parametrize(
    ("flags", "classes"), [((), 1000), (("squashes",), 3), (("squashes",), 1001)]
)
def test_class_scores_come_last_and_nothing_after_the_last_layer_before_them(flags, classes):
    scores = ("scores", (classes,), "weighted"), ("shifted", (classes,), *flags)
    told = found(chain(*RESNET, *scores, ("again", (classes,))))
    assert told == [("pooled", "inner"), *MAPS, ("again", "classes")]


def test_a_projection_is_an_output_and_what_is_before_it_is_told():
    told = found(chain(*RESNET, ("projected", (16,), "weighted")))
    assert told == [("projected", "output"), ("pooled", "inner"), *MAPS]


def test_a_convolution_may_be_the_classifier():
    scores = ("scores", (1000, 8, 8), "weighted"), ("mean", (1000,))
    assert found(chain(*RESNET[:3], *scores)) == [*MAPS, ("mean", "classes")]


def test_an_activation_like_softmax_within_the_network_is_no_classifier():
    gated = [*chain(*RESNET[:3]), Step("gate", (32, 8, 8), (3,), squashes=True)]
    gated += [Step("swish", (32, 8, 8), (3, 4)), Step("pooled", (32,), (5,))]
    assert found(gated) == [("pooled", "output"), ("swish", "inner"), ("late", "inner")]


def test_no_branch_is_a_tap():
    """The kind: a tensor in a branch has a shape as good as any, and half of the network."""
    block = [*chain(("in", (8, 4, 4), "weighted")), Step("branch", (64, 4, 4), (1,), weighted=True)]
    block += [Step("sum", (8, 4, 4), (1, 2)), Step("side", (5,), (1,))]
    block += [Step("pooled", (8,), (3,)), Step("both", (13,), (4, 5))]
    assert found(block) == [("both", "output"), ("in", "inner")]
    assert ("side", "output") in found(block, 4, 6)


def transformer(tokens, *after):
    """Return a network of 16 channels; the patches have the channels first."""
    blocks = [(f"block{n}", (tokens, 16), "weighted") for n in range(3)]
    return chain(
        ("patches", (16, 8, 8), "weighted"),
        ("flat", (16, 64)),
        ("turned", (64, 16)),
        *blocks,
        *after,
    )


def test_of_a_transformer_the_last_tokens_and_not_those_that_a_decoder_turned():
    turned = ("decoded", (16, 65)), ("map", (1, 32, 32), "weighted")
    told = found(transformer(65, *turned))
    assert told == [("block2", "inner"), ("map", "output"), ("patches", "inner")]
    assert found(transformer(65)) == [("block2", "output"), ("patches", "inner")]
    assert found(transformer(65, ("cls", (16,))))[0] == ("cls", "output")
    head = ("keys and values", (65, 32), "weighted"), ("pooled", (16,))
    assert found(transformer(65, *head))[:2] == [("pooled", "output"), ("block2", "inner")]


def test_of_several_outputs_vectors_are_first_and_none_is_said_twice():
    steps = transformer(65, ("cls", (16,)), ("classes", (1000,), "weighted"))
    outputs = [len(steps) - 1, len(steps) - 3, len(steps) - 2]
    assert found(steps, *outputs) == [
        ("cls", "output"),
        ("block2", "output"),
        ("patches", "inner"),
        ("classes", "classes"),
    ]


@pytest.mark.parametrize(
    "step",
    [
        ("", (8,)),
        ("x" * 500, (8,)),
        ("\ud800", (8,)),  # TOML cannot have it
        ("batch", None),
        ("many", (1, 2, 3, 4)),
        ("head", (1, 8)),
        ("heads", (2, 1, 8)),  # of attention; no map of a square image
        ("output", (8,)),  # the only output's, where no other is meant
    ],
    ids=["no name", "long", "surrogate", "no rows", "five places", "one token", "heads", "output"],
)
def test_what_cannot_be_written_into_a_description_is_no_tap(step):
    steps = chain(("first", (4, 4, 4), "weighted"), step, ("pooled", (4,)))
    assert found(steps) == [("pooled", "output"), ("first", "inner")]


def test_an_output_of_unknown_shape_is_what_the_network_was_saved_for():
    assert found(chain(RESNET[0], ("odd", ())))[0] == ("odd", "output")


def test_nothing_is_found_in_nothing():
    assert likely_taps([], [], (32, 32)) == []


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (257, (224, 224), 1),
        (256, (256, 256), 0),
        (261, (224, 224), 5),
        (1374, (518, 518), 5),
        (198, (224, 224), 2),
        (1 + 14 * 28, (224, 448), 1),
        (14 * 28, (448, 224), 0),
        (1 + 14 * 28, (224, 224), None),
        (384, (224, 224), None),
        (1, (224, 224), 0),
        (2**60, (2**30, 2**30), 0),
        (257, (0, 0), None),
    ],
)
def test_tokens_that_are_no_places_are_counted(count, size, expected):
    assert special_tokens(count, size) == expected
