"""The model's status and metadata in the form of TensorFlow Serving's REST API."""

from __future__ import annotations

from kcatalog.recipe.export.loading import Exported


def status(version: str) -> dict:
    """Return the status of the version that is served."""
    fine = {"error_code": "OK", "error_message": ""}
    return {"model_version_status": [{"version": version, "state": "AVAILABLE", "status": fine}]}


def describe(exported: Exported) -> dict:
    """Return the inputs and outputs of the signature, and the description of the data."""
    answer = exported.answer
    signature = {
        "inputs": {answer.input.name: _tensor(answer.input)},
        "outputs": {name: _tensor(spec) for name, spec in answer.outputs.items()},
        "method_name": "tensorflow/serving/predict",
    }
    name, version = exported.recipe.name, exported.folder.name
    return {
        "model_spec": {"name": name, "signature_name": "", "version": version},
        "metadata": {
            "signature_def": {"signature_def": {"serving_default": signature}},
            "data": exported.info.to_record(),
        },
    }


def _tensor(spec) -> dict:
    """Return a tensor's type and shape; the size of an open axis is -1."""
    import tensorflow as tf

    types = tf.compat.v1.AttrValue.DESCRIPTOR.fields_by_name["type"].enum_type
    sizes = [-1 if size is None else size for size in spec.shape.as_list()]
    return {
        "dtype": types.values_by_number[spec.dtype.as_datatype_enum].name,
        "tensor_shape": {
            "dim": [{"size": str(size), "name": ""} for size in sizes],
            "unknown_rank": False,
        },
        "name": spec.name,
    }
