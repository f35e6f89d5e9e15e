import json

import keras
import pytest

from stores.layout import locate
from stores.storage.remembered import recall
from tasks.backbones.layer_graph import build_graph, cut_points, layers_found, stage_ends
from tasks.backbones.registry import find_backbone
from tasks.errors import InputError

LITE0 = "block2a_expand_activation block3a_expand_activation block4a_expand_activation"
STAGE_ENDS = {
    "efficientnet_lite0": f"{LITE0} block6a_expand_activation top_activation",
    "inception_v3": "activation_2 activation_4 mixed2 mixed7 mixed10",
    "mobilenet_v2": "block_1_expand_relu block_3_expand_relu block_6_expand_relu "
    "block_13_expand_relu out_relu",
    "resnet50": "conv1_relu conv2_block3_out conv3_block4_out conv4_block6_out conv5_block3_out",
    "vgg16": "block2_conv2 block3_conv3 block4_conv3 block5_conv3 block5_pool",
}


def build(name, side=96):
    keras.backend.clear_session()
    return find_backbone(name).build((side, side))


def names_of(model):
    return [layer.name for layer in model.layers]


def layers_of(backbone, store, side=16, answer=names_of):
    question = {"what": "all layers", "backbone": backbone.name, "image_size": repr(side)}
    asked = {"backbone": backbone, "image_size": (side, side), "store": store}
    return layers_found(question, answer, **asked), recall(locate(store), question)


def test_a_question_about_a_graph_is_asked_once(tiny, tmp_path):
    names, remembered = layers_of(tiny.TINY, tmp_path)
    assert "gates" in names
    assert json.loads(remembered) == names
    assert layers_of(tiny.TINY, tmp_path, answer=None) == (names, remembered)
    with pytest.raises(TypeError, match="not callable"):  # another question
        layers_of(tiny.TINY, tmp_path, side=24, answer=None)


def test_what_was_refused_is_not_remembered(tiny, tmp_path):
    with pytest.raises(InputError, match="tiny does not support images of 4×4 pixels"):
        layers_of(tiny.TINY, tmp_path, side=4)
    assert not list(tmp_path.glob("remembered/*"))


def test_a_graph_names_its_layers_alike_whatever_was_built_before():
    first, second = (build_graph(find_backbone("inception_v3"), (96, 96)) for _ in range(2))
    assert "conv2d" in names_of(first)
    assert names_of(second) == names_of(first)


def stands_alone(model, name):
    """Ask Keras whether a layer's output is all that the rest of the model needs."""
    try:
        keras.Model(model.get_layer(name).output, model.output)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", ["efficientnet_lite0", "mobilenet_v2", "vgg16"])
def test_keras_can_cut_a_backbone_at_the_cut_points_and_nowhere_else(name):
    model = build(name, 32)
    *before, last = [layer.name for layer in model.layers]
    assert cut_points(model) == [*(n for n in before if stands_alone(model, n)), last]


def test_the_two_parts_compute_what_the_whole_does():
    model = build("resnet50", 32)
    pixels = keras.random.normal((2, 32, 32, 3), seed=0)
    middle = model.get_layer(cut_points(model)[20]).output
    halves = keras.Model(model.input, middle)(pixels), model(pixels)
    rest = keras.Model(middle, model.output)(halves[0])
    assert keras.ops.max(keras.ops.abs(rest - halves[1])) == 0


def test_a_layer_called_twice_and_a_model_within_are_no_cut_points():
    pixels, twice = keras.Input((8, 8, 3), name="images"), keras.layers.Conv2D(3, 1, name="twice")
    within = keras.Sequential([keras.layers.Conv2D(3, 1)], name="within")
    output = keras.layers.ReLU(name="last")(
        within(twice(keras.layers.ReLU(name="a")(twice(pixels))))
    )
    assert cut_points(keras.Model(pixels, output)) == ["images", "a", "last"]


def test_a_way_around_by_an_operation_that_is_no_layer_counts():
    pixels = keras.Input((8, 8, 3), name="images")
    x = keras.layers.ReLU(name="inside")(pixels)
    output = keras.layers.ReLU(name="last")(pixels + x)
    assert cut_points(keras.Model(pixels, output)) == ["images", "last"]


@pytest.mark.server  # large networks
@pytest.mark.parametrize("name", STAGE_ENDS)
def test_stages_end_where_the_resolution_falls(name):
    model = build(name)
    ends = stage_ends(model)
    assert ends == STAGE_ENDS[name].split()
    places = [model.get_layer(end).output.shape[1] for end in ends]
    assert places == sorted(set(places), reverse=True)
    assert model.get_layer(ends[-1]).output is model.output


@pytest.mark.server  # large networks
@pytest.mark.parametrize("name", ["convnext_tiny", "nasnet_mobile"])
def test_a_backbone_that_is_hardly_ever_in_one_point_has_its_output_at_the_least(name):
    model = build(name)
    assert model.get_layer(stage_ends(model)[-1]).output is model.output
