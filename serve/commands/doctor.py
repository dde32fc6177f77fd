"""`phalanx doctor`: what this machine has, what is missing and how to get it."""

from dataclasses import dataclass

from serve.flags import JsonFlags


@dataclass(frozen=True, kw_only=True)
class DoctorFlags(JsonFlags):
    """What `phalanx doctor` takes."""


def doctor(flags: DoctorFlags) -> int:
    """Show what this machine has and lacks.

    Exit code 1: something that is needed is missing; the last lines say how to get it.
    """
    from serve.checks import all_checks
    from serve.output import print_json, print_table

    checks = all_checks()
    missing = [check for check in checks if check.is_needed and not check.is_there]
    if flags.json:
        print_json(
            {
                "ready": not missing,
                "checks": [
                    {
                        "name": check.name,
                        "there": check.is_there,
                        "needed": check.is_needed,
                        "found": check.found,
                        "remedy": check.remedy,
                    }
                    for check in checks
                ],
            }
        )
        return 1 if missing else 0
    print_table(
        ["", "what", "found"], [[check.verdict, check.name, check.found] for check in checks]
    )
    for check in checks:
        if not check.is_there:
            print(f"{check.name}: {check.remedy}")
    lacking = ", ".join(check.name for check in missing)
    print(f"missing: {lacking}" if missing else "ready: everything needed is there")
    return 1 if missing else 0
