"""Mistakes that somebody could make in the code, and for each the test that must notice it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """In `file`, `old` (which stands there once) becomes `new`; then `test` must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str


_SEES = "tests/tasks/features/test_extract.py::test_the_backbone_sees_exactly_what_is_new"
_ENGINES = "tests/tasks/features/engines/test_engines.py"
_TRAINER = "tests/tasks/heads/dense/test_trainer.py"
_PLANNED = "tests/tasks/training/test_planned_runs.py"
_CALIBRATED = "tests/tasks/evaluation/test_calibrated.py"
_SETS = "tests/tasks/evaluation/test_prediction_sets.py"
_KERAS = f"{_ENGINES}::test_features_of_generated_images_are_those_of_keras"

# These two are quick and stand for all in a normal run.
QUICK = (
    Mutation(
        "no checksum check",
        "stores/features/quarantine.py",
        "    if not len(wrong):\n        return",
        "    if True:\n        return",
        "tests/stores/features/test_quarantine.py::test_a_bad_row_costs_that_row_only",
    ),
    Mutation(
        "labels shuffled against features",
        "stores/target_values.py",
        "places.fill_null(-1).to_numpy(), np.int64)",
        "places.fill_null(-1).to_numpy()[::-1], np.int64)",
        "tests/stores/test_manifest.py::test_images_are_distinct_with_their_label_and_first_path",
    ),
)
MUTATIONS = (
    *QUICK,
    Mutation(
        "no key check",
        "stores/features/row_checksums.py",
        "keys ^ views ^ recipe",
        "views ^ recipe",
        "tests/stores/features/test_index.py::test_a_fragment_that_lies_costs_nothing",
    ),
    Mutation(
        "no recipe check",
        "stores/features/row_checksums.py",
        "keys ^ views ^ recipe",
        "keys ^ views",
        "tests/stores/features/test_row_checksums.py::test_checksums_cover_recipe_key_view_and_bytes",
    ),
    Mutation(
        "no check of whole shards",
        "stores/features/quarantine.py",
        "if whole and shard_checksum(words, rows) == whole.checksum:",
        "if whole:",
        "tests/stores/features/test_mapped_shards.py::test_a_bad_row_of_a_large_shard_is_found_however_it_is_read",
    ),
    Mutation(
        "whole shards checked without their images",
        "stores/features/row_checksums.py",
        "    state = xxhash.xxh3_64(_bytes_of(words))\n",
        "    state = xxhash.xxh3_64()\n",
        "tests/stores/features/test_mapped_shards.py::test_a_whole_shard_is_not_believed_for_other_images",
    ),
    Mutation(
        "no fsync of the file",
        "stores/storage/publish.py",
        "                file.flush()\n                os.fsync(file.fileno())\n",
        "                file.flush()\n",
        "tests/faults/test_commit_order.py::test_a_shard_is_durable_before_write_returns",
    ),
    Mutation(
        "no fsync of the folder",
        "stores/storage/publish.py",
        "            sync_folder(final.parent)\n        except BaseException:\n            remove(",
        "        except BaseException:\n            remove(",
        "tests/faults/test_commit_order.py::test_a_shard_is_durable_before_write_returns",
    ),
    Mutation(
        "written in place",
        "stores/storage/publish.py",
        "            with create(draft) as file:\n",
        "            with create(draft := final) as file:\n",
        "tests/faults/test_kills.py::test_kills_lose_nothing_that_was_acknowledged",
    ),
    Mutation(
        "index rows swapped as they are written",
        "stores/features/index_fragments.py",
        "        as_arrow(shard.keys),",
        "        as_arrow(shard.keys[::-1]),",
        "tests/stores/features/test_index.py::test_a_fragment_says_what_its_shard_holds",
    ),
    Mutation(
        "index rows swapped as they are read",
        "stores/features/mapped_shards.py",
        "cells = mapped.first_cell[places]",
        "cells = mapped.first_cell[places][::-1]",
        "tests/stores/features/test_index.py::test_a_fragment_of_another_shard_is_made_again",
    ),
    Mutation(
        "rows returned in the order of the shards",
        "stores/features/checked_read.py",
        "self._read(self._places[positions], ",
        "self._read(np.sort(self._places[positions]), ",
        "tests/stores/features/test_store.py::test_what_is_written_is_read_in_any_order_and_number",
    ),
    Mutation(
        "of two twins the newer is read",
        "stores/features/mapped_shards.py",
        "sorted(shards, key=lambda shard: (rank(shard.digest), shard.digest))",
        "list(shards)",
        "tests/stores/features/test_store_shards.py::test_of_two_twins_the_smaller_digest_is_read",
    ),
    Mutation(
        "the digest of a shard is not checked",
        "stores/features/shard.py",
        "    if digest != path.stem:\n",
        "    if not digest:\n",
        "tests/stores/features/test_shard.py::test_a_shard_whose_name_is_not_its_digest_is_corrupt",
    ),
    Mutation(
        "crop mode left out of the fingerprint",
        "stores/features/recipe.py",
        "        return json.dumps(fields, sort_keys=True",
        '        fields.pop("aspect_ratio")\n        return json.dumps(fields, sort_keys=True',
        "tests/stores/features/test_recipe.py::test_every_field_changes_the_fingerprint",
    ),
    Mutation(
        "crop mode left out of the recipe",
        "tasks/features/job.py",
        "aspect_ratio=backbone.aspect_ratio,",
        'aspect_ratio="stretch",',
        f"{_SEES}[crop-5]",
    ),
    Mutation(
        "the weights' digest left out of the recipe",
        "tasks/features/job.py",
        "weights=backbone.weights.digest,",
        'weights="",',
        f"{_SEES}[other weights-5]",
    ),
    Mutation(
        "young files trusted",
        "tasks/datasets/known_files.py",
        'pc.less(files["ctime_ns"], listed_ns - CLOCK_TICK_NS)',
        'pc.is_valid(files["ctime_ns"])',
        "tests/tasks/datasets/test_ingest_again.py::test_a_file_as_young_as_the_listing_is_read_again",
    ),
    Mutation(
        "an image stored under the name of its path",
        "tasks/images/pixel_batches.py",
        "        return ImageFile(key, path, int(self.views[place]))\n",
        "        return ImageFile(ImageKey.of(path.encode()), path, int(self.views[place]))\n",
        f"{_SEES}[rename-5]",
    ),
    Mutation(
        "duplicates counted twice",
        "stores/manifest.py",
        'rows = first_of_each(self.of_status("accepted", columns=("key", "split", "label")))',
        'rows = self.of_status("accepted", columns=("key", "split", "label"))',
        "tests/stores/test_manifest.py::test_counts_are_of_distinct_images",
    ),
    Mutation(
        "a duplicate computed twice",
        "tasks/features/extract.py",
        "    needed = [(manifest.select(*splits), 0)]\n",
        "    more = manifest.of_status('accepted')\n"
        "    images = manifest.select(*splits)._replace(\n"
        "        keys=np.array([list(key) for key in more['key'].to_pylist()], np.uint8),\n"
        "        paths=more['path'].combine_chunks(),\n"
        "    )\n"
        "    needed = [(images, 0)]\n",
        "tests/tasks/features/test_extract.py::test_a_duplicate_is_seen_once",
    ),
    Mutation(
        "bytes decoded whatever their key",
        "tasks/images/pixel_batches.py",
        "        if (turn := turn_of(content, image.key)) == OTHER_FILE:\n",
        "        if not (turn := turn_of(content, image.key) or 1):\n",
        "tests/tasks/features/test_extract_spoilt.py::test_a_file_that_is_spoilt_after_ingest_costs_itself_only",
    ),
    Mutation(
        "rotated photographs not turned",
        "tasks/images/pixel_batches.py",
        "[one.turn for one in read]",
        "[1 for one in read]",
        "tests/tasks/features/test_extract_orientation.py::test_all_eight_orientations_have_the_features_of_the_upright_one",
    ),
    Mutation(
        "rejections that do not look at the key",
        "tasks/features/unusable_files.py",
        "same = _keys(current, by_path).items() & _keys(manifest, by_path).items()",
        "same = _keys(current, by_path).items()",
        "tests/tasks/features/test_extract_spoilt.py::test_rejections_do_not_touch_what_was_ingested_meanwhile",
    ),
    Mutation(
        "the split of an image that went during the extraction forgotten",
        "tasks/features/unusable_files.py",
        "rows=pa.concat_tables([rows, gone(current, rows)])",
        "rows=rows",
        "tests/tasks/features/test_extract_spoilt.py::test_a_changed_image_keeps_its_split_when_it_comes_back",
    ),
    Mutation(
        "a new file accepted though it was not decoded",
        "tasks/features/new_files.py",
        "            if paths[n] not in decoded:\n",
        "            if not paths[n]:\n",
        "tests/tasks/features/test_new_files.py::test_all_kinds_of_files_are_examined_as_by_examine",
    ),
    Mutation(
        "of two new files with the same bytes both computed",
        "tasks/features/claims.py",
        "            claims[ours] = Claim.OURS\n",
        "            claims[:] = Claim.OURS\n",
        "tests/tasks/features/test_claims.py::test_many_threads_compute_each_image_once",
    ),
    Mutation(
        "what was read ahead trusted though it has changed",
        "tasks/datasets/known_files.py",
        "    usable = pc.and_kleene(usable, _is_known(there, ahead.listed_ns, listing))\n",
        "",
        "tests/tasks/datasets/test_made_dataset.py::test_a_file_that_changed_or_is_new_since_is_read",
    ),
    Mutation(
        "new files computed before other versions are compared",
        "flows/stages/read_and_compute.py",
        "        if made_by_others(",
        "        if not made_by_others(",
        "tests/flows/stages/test_read_and_compute.py::test_features_of_other_versions_are_compared_before_any_are_added",
    ),
    Mutation(
        "all decoded ahead",
        "tasks/images/batches_ahead.py",
        "for _ in range(BATCHES_AHEAD):",
        "for _ in range(1000 * BATCHES_AHEAD):",
        "tests/tasks/images/test_pixel_batches.py::test_memory_does_not_grow_with_the_number_of_images",
    ),
    Mutation(
        "each batch written over the one before",
        "tasks/features/shard_work.py",
        "filled = slice(len(done), len(done) + len(batch.images))",
        "filled = slice(0, len(batch.images))",
        f"{_KERAS}[stretch]",
    ),
    Mutation(
        "rows shifted against their images",
        "tasks/features/shard_work.py",
        "                    keys, kept[: len(keys)], views=views, producer",
        "                    keys, np.roll(kept[: len(keys)], 1, 0), views=views, producer",
        f"{_KERAS}[stretch]",
    ),
    Mutation(
        "no preprocessing",
        "tasks/features/engines/keras_engine.py",
        "model(backbone.preprocess(pixels), training=False)",
        "model(pixels, training=False)",
        f"{_KERAS}[stretch]",
    ),
    Mutation(
        "the statistics of the batch instead of the trained ones",
        "tasks/features/engines/keras_engine.py",
        "training=False)",
        "training=True)",
        f"{_KERAS}[stretch]",
    ),
    Mutation(
        "crop mode ignored",
        "tasks/images/decoding.py",
        '    if aspect_ratio == "crop":\n',
        '    if aspect_ratio == "cropped":\n',
        f"{_KERAS}[crop]",
    ),
    Mutation(
        "layers numbered on",
        "tasks/backbones/weights.py",
        "    keras.backend.clear_session(free_memory=False)\n",
        "",
        "tests/tasks/backbones/test_weights_untrained.py::test_a_layer_has_the_same_name_whatever_was_built_before",
    ),
    Mutation(
        "arrays of the weights file left unused",
        "tasks/backbones/keras_weights.py",
        "    if foreign.total() > spare or unset:\n",
        "    if unset:\n",
        "tests/tasks/backbones/test_keras_weights.py::test_weights_of_another_model_are_refused",
    ),
    Mutation(
        "an engine trusted without a look",
        "tasks/features/engines/verified.py",
        "    if all(result.within_tolerance for result in results):\n",
        "    if results:\n",
        "tests/tasks/features/engines/test_verified.py::test_what_disagrees_is_dropped_and_keras_takes_over",
    ),
    Mutation(
        "a converted model used though its file changed",
        "tasks/features/engines/converted_model.py",
        "        if digests[name] != _digest(folder / name):",
        "        if False:",
        "tests/tasks/features/engines/test_verified.py::test_a_damaged_model_is_converted_again",
    ),
    Mutation(
        "rows of batches that end out of order",
        "tasks/features/feature_batches.py",
        "yield _computed(*ahead.popleft())\n            while",
        "yield _computed(*ahead.pop())\n            while",
        "tests/tasks/features/test_feature_batches.py::test_features_come_in_the_order_of_the_images_from_several_at_once",
    ),
    Mutation(
        "other producers not checked",
        "tasks/features/version_check.py",
        "        if not result.within_tolerance:\n",
        "        if not result.rows:\n",
        "tests/tasks/features/test_version_check.py::test_disagreeing_features_are_never_mixed",
    ),
    Mutation(
        "the split drawn by the file's name",
        "tasks/datasets/drawn_splits.py",
        "        order = in_order(drawn)\n",
        "        order = np.arange(len(drawn))\n",
        "tests/tasks/datasets/test_splits.py::test_neither_names_nor_order_matter",
    ),
    Mutation(
        "the split of old images forgotten",
        "tasks/datasets/splits.py",
        "    return pc.coalesce(_by_key(keyed, previous), by_path)",
        "    return pa.nulls(len(keyed), pa.string())",
        "tests/tasks/datasets/test_splits.py::test_adding_images_moves_no_old_one",
    ),
    Mutation(
        "the largest error is best",
        "stores/targets.py",
        'return value if self.best == "highest" else -value',
        "return value",
        "tests/tasks/report/test_target_results.py::test_the_best_is_chosen_listed_and_summarised_by_its_main_figure[number]",
    ),
    Mutation(
        "images compared with thresholds that they have chosen",
        "tasks/evaluation/label_thresholds.py",
        "best_thresholds(scores[~mine], truth[~mine], natural=natural)",
        "best_thresholds(scores, truth, natural=natural)",
        "tests/tasks/evaluation/test_figures.py::test_images_are_predicted_by_the_thresholds_of_others",
    ),
    Mutation(
        "labels shuffled where a head is trained",
        "tasks/training/train.py",
        "Examples(stream, images.labels, classes, folds, target)\n",
        "Examples(stream, images.labels[::-1], classes, folds, target)\n",
        "tests/tasks/training/test_train.py::test_a_run_holds_metrics_predictions_and_a_model",
    ),
    Mutation(
        "keys shuffled where predictions are kept",
        "tasks/training/prediction_table.py",
        '"key": as_arrow(images.keys),',
        '"key": as_arrow(images.keys[::-1]),',
        "tests/tasks/training/test_train.py::test_predictions_stand_beside_the_keys_that_they_are_of",
    ),
    Mutation(
        "a head measured on images that it has learned",
        "tasks/training/train.py",
        "scores[fold.validation] = scores_of(head, examples.stream, fold.validation)",
        "scores[fold.train] = scores_of(head, examples.stream, fold.train)",
        "tests/tasks/training/test_train.py::test_with_folds_each_image_is_judged_by_a_head_that_has_not_"
        "seen_it",
    ),
    Mutation(
        "a living writer's draft taken for garbage",
        "stores/storage/garbage.py",
        "if age > grace_seconds and not is_leased(path):",
        "if age > grace_seconds:",
        "tests/stores/storage/test_garbage.py::test_a_living_writers_draft_is_not_taken",
    ),
    Mutation(
        "a layer's row read before one's own",
        "stores/features/mapped_shards.py",
        "(rank(shard.digest), shard.digest)",
        "shard.digest",
        "tests/stores/features/test_layered_index.py::test_writes_go_to_ones_own_store_which_is_read_first",
    ),
    Mutation(
        "a layer written to",
        "stores/features/index.py",
        "        if self.read_only:\n            return\n",
        "",
        "tests/stores/features/test_layered_index.py::test_what_a_layer_has_is_read_and_never_copied_or_"
        "written",
    ),
    Mutation(
        "a bad row of a layer forgotten",
        "stores/features/layered_index.py",
        'if [*map(str, mark["stamp"])] == [*map(str, self._stamp(name, there))]:',
        "if False:",
        "tests/stores/features/test_layered_index.py::test_a_bad_row_costs_that_row_and_is_never_read_again",
    ),
    Mutation(
        "a shard's structure believed",
        "stores/features/shard.py",
        "        check_structure(file, recipe, size=size)\n",
        "",
        "tests/stores/features/test_shard_structure.py::test_a_shard_that_is_absurd_inside_is_set_aside",
    ),
    Mutation(
        "another run's predictions taken for one's own",
        "stores/storage/stamped_parquet.py",
        "    if found_sha256 != sha256:\n",
        "    if False:\n",
        "tests/stores/runs/test_parts.py::test_what_is_exchanged_between_two_runs_is_damage_to_both",
    ),
    Mutation(
        "looks at a test split lost by a merge",
        "stores/merge/runs.py",
        "                _unite_looks(runs, runs.read(folder.name), folder, merged)\n",
        "                pass\n",
        "tests/stores/merge/test_runs.py::test_the_looks_of_all_stores_are_counted_once",
    ),
    Mutation(
        "a decision that comes after a table",
        "tasks/datasets/decided_rows.py",
        "pc.if_else(pc.is_valid(label), _as_wanted(rows, label), base)",
        "base",
        "tests/tasks/datasets/test_decided_rows.py"
        "::test_decisions_are_corrections_of_the_next_ingest_which_reads_nothing",
    ),
    Mutation(
        "an entry whose writer did not look for others",
        "stores/decisions/journal.py",
        "        self.refresh()\n        now",
        "        now",
        "tests/stores/decisions/test_journal.py"
        "::test_an_entry_comes_after_those_that_were_there_whatever_the_clock_says",
    ),
    Mutation(
        "a page for whoever has no token",
        "tasks/review/page/guard.py",
        "if same and path",
        "if path",
        "tests/tasks/review/test_page.py"
        "::test_whoever_lacks_the_token_or_comes_by_another_name_finds_nothing",
    ),
    Mutation(
        "a page for a site that leads to this machine",
        "tasks/review/page/guard.py",
        "len(hosts) == 1 and hosts[0] in self._hosts",
        "True",
        "tests/tasks/review/test_page.py"
        "::test_whoever_lacks_the_token_or_comes_by_another_name_finds_nothing",
    ),
    Mutation(
        "predictions of learned images on the page",
        "tasks/review/images.py",
        'for split in ("validation", "test"):',
        'for split in ("train", "validation", "test"):',
        "tests/tasks/review/test_review.py"
        "::test_neither_learned_images_nor_an_unopened_test_have_predictions",
    ),
    Mutation(
        "a damaged shard taken over",
        "stores/merge/features.py",
        "    if not content:\n        return False\n",
        "    content = content or path.read_bytes()\n",
        "tests/stores/merge/test_features.py::test_a_damaged_shard_is_reported_each_time_and_never_copied",
    ),
    Mutation(
        "a file kept from the group",
        "stores/storage/publish.py",
        "                _share(file.fileno(), final.parent)\n",
        "",
        "tests/stores/storage/test_publish.py::test_what_appears_in_a_groups_folder_is_the_groups",
    ),
    Mutation(
        "a quantised model of any bytes",
        "stores/quantized.py",
        "if hashlib.sha256(content).hexdigest() != self.sha256[name]:",
        "if False:",
        "tests/stores/test_quantized.py::test_a_file_that_changed_is_not_read",
    ),
    Mutation(
        "an accuracy of learned images",
        "tasks/quantization/gate.py",
        "Fold(numbers != n, numbers == n)",
        "Fold(numbers >= 0, numbers == n)",
        "tests/tasks/quantization/test_gate.py::test_a_head_that_learns_nothing_guesses",
    ),
    Mutation(
        "a file whose features differ is used",
        "tasks/features/engines/file_engine.py",
        "    if not all(one.within_tolerance for one in found):",
        "    if False:",
        "tests/tasks/features/engines/test_file_engine.py"
        "::test_what_differs_from_the_other_executor_is_refused",
    ),
    Mutation(
        "an empty description counts as raw",
        "tasks/backbones/files/description.py",
        "    if not values:\n",
        "    if False:\n",
        "tests/tasks/backbones/files/test_description.py::test_a_file_that_is_none_is_told",
    ),
    Mutation(
        "a branch of a network is a likely tap",
        "tasks/backbones/files/likely_taps.py",
        "        if reached <= place:\n",
        "        if True:\n",
        "tests/tasks/backbones/files/test_likely_taps.py::test_no_branch_is_a_tap",
    ),
    Mutation(
        "a Keras file is loaded unread",
        "tasks/backbones/files/keras_config.py",
        "        _check(part, path, hub=hub)\n",
        "        pass\n",
        "tests/tasks/backbones/files/test_keras_file.py"
        "::test_what_is_not_keras_own_is_refused_and_not_executed",
    ),
    Mutation(
        "what is not of Keras or KerasHub in a preset is loaded",
        "tasks/backbones/files/preset_folder.py",
        "        check_classes(config, path, hub=True)\n",
        "        pass\n",
        "tests/tasks/backbones/files/test_preset_folder.py"
        "::test_what_is_not_to_be_loaded_is_one_line",
    ),
    Mutation(
        "a converted model reads Keras's memory",
        "tasks/features/engines/openvino_engine.py",
        "share_weights=False",
        "share_weights=True",
        "tests/tasks/backbones/files/test_keras_file.py"
        "::test_a_converted_model_does_not_need_keras_memory",
    ),
    Mutation(
        "OpenVINO computes beyond the end of its memory",
        "tasks/backbones/files/network.py",
        "    if reason := miscounted(whole):",
        "    if reason := None:",
        "tests/tasks/backbones/files/test_network.py::test_what_it_does_not_offer_is_refused",
    ),
    Mutation(
        "a class token for the first image only",
        "tasks/backbones/files/reshaping.py",
        "_repeated(source, own[0])",
        "source",
        "tests/tasks/features/engines/test_file_engine.py"
        "::test_a_batch_of_one_that_is_written_into_the_file",
    ),
    Mutation(
        "an exported ONNX model whose images change one another's scores",
        "tasks/export/onnx_model.py",
        "    if not all(np.abs(alone - beside).max() <= _SAME for alone, beside in found):",
        "    if False:",
        "tests/tasks/export/test_onnx_model.py"
        "::test_scores_that_depend_on_other_images_are_refused",
    ),
    Mutation(
        "an exported ONNX model resizes beyond the border",
        "tasks/export/onnx_pixels.py",
        ", exclude_outside=1",
        "",
        "tests/tasks/export/test_onnx_pixels.py::test_images_are_resized_as_for_features",
    ),
    Mutation(
        "an exported graph pads by the reciprocal of a constant size",
        "tasks/export/graph_pixels.py",
        "tf.maximum(tf.constant(size), -sides)",
        "tf.constant(size)",
        "tests/tasks/export/test_graph_pixels.py"
        "::test_tensorflow_resizes_to_the_bit[pad-(110, 110)]",
    ),
    Mutation(
        "intervals of a number whose groups do not count",
        "tasks/evaluation/number_intervals.py",
        "limit_of(found.sizes, found.groups, coverage)",
        "limit_of(found.sizes, None, coverage)",
        "tests/tasks/evaluation/test_number_intervals.py"
        "::test_each_group_counts_the_same_and_the_share_is_less_certain",
    ),
    Mutation(
        "several labels by other scores than the thresholds",
        "tasks/evaluation/calibrated_targets.py",
        "np.asarray(scores >= self.lowest)",
        "np.asarray(scores >= 0.5)",
        "tests/tasks/evaluation/test_calibrated_targets.py"
        "::test_a_score_that_is_the_threshold_is_the_label_in_float32_too",
    ),
    Mutation(
        "a calibration is measured on what it was fitted on",
        "tasks/evaluation/calibrated.py",
        "        yield np.flatnonzero(chosen), _of(shown, ~chosen)\n",
        "        yield np.flatnonzero(chosen), shown\n",
        f"{_CALIBRATED}::test_after_is_never_measured_on_what_it_was_fitted_on",
    ),
    Mutation(
        "a large group counts more than a small one",
        "tasks/evaluation/prediction_sets.py",
        "    shares = np.cumsum(1 / sizes[which[order]]) / (count + 1)\n",
        "    shares = np.cumsum(np.ones(len(order))) / (len(order) + 1)\n",
        f"{_SETS}::test_a_group_counts_once_whatever_its_size",
    ),
    Mutation(
        "the new image does not count among the held-out ones",
        "tasks/evaluation/prediction_sets.py",
        "    return math.ceil(share / (1 - share))\n",
        "    return math.ceil(share / (1 - share)) - 1\n",
        f"{_SETS}::test_as_many_images_are_needed_as_the_coverage_is_near_one",
    ),
    Mutation(
        "a number in the units of its training",
        "tasks/heads/dense/loss.py",
        "* self._deviation + self._mean",
        "* self._deviation",
        f"{_TRAINER}::test_early_stopping_restores_the_best_epoch_of_a_number",
    ),
    Mutation(
        "weights of images with a label for those without",
        "tasks/heads/dense/loss.py",
        "np.stack([len(truths) - positive, positive])",
        "np.stack([positive, len(truths) - positive])",
        f"{_TRAINER}::test_a_head_of_labels_or_of_a_number_is_what_keras_makes_of_it",
    ),
    Mutation(
        "a label on no image for one on all",
        "tasks/heads/one_vs_rest.py",
        "np.where(positive > 0, 1.0, -1.0)",
        "np.where(positive > 0, -1.0, 1.0)",
        "tests/tasks/heads/test_one_vs_rest.py::test_it_is_scikit_learns_classifier_of_each_label",
    ),
    Mutation(
        "stored labels of neighbors unchecked",
        "tasks/heads/neighbor_means.py",
        'if target == "labels" and not np.isin(values, (0, 1)).all():',
        "if False:",
        "tests/tasks/heads/test_neighbor_means.py::test_values_that_no_neighbor_can_have_are_refused",
    ),
    Mutation(
        "a guided search for the largest error",
        "tasks/training/planned_runs.py",
        "return None if value is None else figure.order(value)",
        "return value",
        f"{_PLANNED}::test_a_guided_search_looks_for_the_better_figure",
    ),
)
