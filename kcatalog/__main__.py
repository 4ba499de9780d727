"""`python -m kcatalog`: the command line, where the script `kcatalog` is not on the path."""

from kcatalog.cli import main

if __name__ == "__main__":
    main()
