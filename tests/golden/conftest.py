"""The generating scripts need other environments: pytest leaves them alone."""

collect_ignore_glob = ["make_*.py"]
