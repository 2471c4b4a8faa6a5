"""One target under atheris, in a process of its own: `python -m fuzz.one <target> <flags and folders of libFuzzer>`."""

import sys

import atheris

# Before anything else imports them: only what is imported in here is watched for new paths.
with atheris.instrument_imports(include=["keys", "registry", "app"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Does not return: libFuzzer ends the process."""
    program, name, *flags = sys.argv
    target = TARGETS[name]

    def once(data: bytes) -> None:
        target.takes(data)

    # What is made at first use (keys, the policy) is made before the time that an input takes is measured.
    once(b"")
    atheris.Setup([program, *flags], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
