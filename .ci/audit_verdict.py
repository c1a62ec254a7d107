"""What pip-audit found, in lines for people; exit code 1 for a known vulnerability, and for nothing else."""

import json
import sys
from pathlib import Path


def verdict(found: str, said: str) -> tuple[int, list[str]]:
    """`found`: pip-audit's JSON, or what is there of it; `said`: its standard error."""
    try:
        packages = json.loads(found)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (said.strip().splitlines() or ["no word"])[-1][:200]
        return 0, [f"audit: the advisory service cannot be asked: nothing was audited ({last})"]
    audited = [package for package in packages if "vulns" in package]
    lines = [f"audit: {len(audited)} of {len(packages)} locked packages audited"]
    if len(audited) < len(packages):
        lines.append("audit: the advisory service does not know the others")
    bad = [
        f"audit: {package['name']} {package['version']}: {vulnerability['id']}, mended in "
        f"{', '.join(vulnerability.get('fix_versions', ())) or 'no version yet'}"
        for package in audited
        for vulnerability in package["vulns"]
    ]
    return (1 if bad else 0), lines + bad


if __name__ == "__main__":
    code, lines = verdict(*(Path(name).read_text("utf-8", "replace") for name in sys.argv[1:3]))
    print("\n".join(lines))
    sys.exit(code)
