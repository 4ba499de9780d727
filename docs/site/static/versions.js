// All versions that were published beside this one. `python -m docs.site.publish` writes the list anew.
const VERSIONS = [];
