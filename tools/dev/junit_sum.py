"""Adds up ctest's JUnit files and prints one line: N passed, N failed, N skipped.

A test that could not be started counts as failed, and so does a run of no test at all.
"""
import sys
import xml.etree.ElementTree as ET

counts = {"passed": 0, "failed": 0, "skipped": 0}
for path in sys.argv[1:]:
    for case in ET.parse(path).getroot().iter("testcase"):
        status = case.get("status")
        skip = case.find("skipped")
        said = skip.get("message", "") if skip is not None else ""
        if status == "run":
            counts["passed"] += 1
        elif status == "disabled" or (status == "notrun" and said.startswith("SKIP_")):
            counts["skipped"] += 1
        else:
            counts["failed"] += 1
            print("failed:", case.get("name"), said, file=sys.stderr)
print(", ".join(f"{number} {word}" for word, number in counts.items()))
sys.exit(counts["failed"] > 0 or counts["passed"] == 0)
