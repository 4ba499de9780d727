"""A package of somebody else, with a layer and a loss for the catalog."""
