"""`python -m producer.cli`: the command line where no script is installed."""

from producer.cli import main

if __name__ == "__main__":
    main()
