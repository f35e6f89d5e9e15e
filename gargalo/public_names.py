"""The public names, and where they are: looked at without importing what they stand for."""

CLASSES = {
    "ExtractionError": "tasks.errors",
    "FeatureStore": "stores.features.store",
    "HeadClassifier": "tasks.heads.sklearn_estimator",
    "InputError": "tasks.errors",
    "Manifest": "stores.manifest",
    "RunStore": "stores.runs.store",
    "StoreError": "stores.errors",
    "feature_dataset": "tasks.features.tf_dataset",
}
# Each is a flow, `flows.NAME`.
COMMANDS = {
    "ingest": "Read a folder of images as a data set with splits.",
    "extract": "Compute the features that the store does not have.",
    "train": "Train heads on stored features.",
    "pipeline": "Ingest, extract, train, test and report in one command.",
    "sweep": "Train many heads on stored features and choose one.",
    "finetune": "Train the last layers of the backbone too.",
    "advise": "Recommend a layer and a method for a data set.",
    "predict": "Predict the classes of images.",
    "runs": "List, show, compare and export runs.",
    "export": "Write a run as a model that needs no gargalo.",
    "maintain": "Check, tidy and merge stores.",
    "server": "Run a Prefect server that stays.",
}
# All but the server are functions too.
FUNCTIONS = sorted(COMMANDS.keys() - {"server"})
EXAMPLES = {
    "advise": ['advice = gargalo.advise("photos")', "advice.method"],
    "export": ['gargalo.export(result.run, "model", format="keras").folder'],
    "extract": ['gargalo.extract("photos", backbone="mobilenet_v2", image_size=160).computed'],
    "finetune": [
        'tuned = gargalo.finetune(result.run, unfreeze="block5c_add", epochs=3)',
        "tuned.chosen.validation_accuracy",
    ],
    "ingest": ['gargalo.ingest("photos", test_split=0.1).counts'],
    "maintain": ['gargalo.maintain("verify", store="feature-store").verify'],
    "pipeline": [
        'result = gargalo.pipeline("photos", image_size=160)',
        "result.train.test_accuracy",
    ],
    "predict": ['gargalo.predict(result.run, ["new/1.jpg", "new/2.jpg"]).predictions'],
    "runs": ['gargalo.runs("list", dataset="photos").runs'],
    "sweep": ['gargalo.sweep("photos", head="ridge", grid={"penalty": [1, 10, 100]}).run'],
    "train": ['result = gargalo.train("photos", head=["dense", "svm"])', "result.run"],
}
