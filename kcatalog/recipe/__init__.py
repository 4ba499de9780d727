"""The engine that turns parts into trained, tuned, monitored and exported models.

Read in this order:

    recipe, tuning, warmup            what a recipe script says, and says it with
    options, commands, terminal       its command line
    start, steps                      which run this is, and what is done in it, step by step
    data/, batches, pipeline, waiting     samples, and how they reach the model
    tasks, neighbours, forecasts      what is asked of the model, and how it is judged
    devices, mirroring, sharding, hosts   where it computes
    hyperparameters, search/          what is tried before it is trained
    training, checkpoint              how it is trained
    evaluation, baselines             how good it is, and what it has to beat
    monitoring/                       what TensorBoard shows
    exporting, export/, parts         what it becomes
    prediction, serve/                what can be asked of that
    rundir, disk, keras_file, shared, stopping, errors    files and faults
"""

from kcatalog.recipe.recipe import Recipe

__all__ = ["Recipe"]
