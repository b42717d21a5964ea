#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Names every test that ctest skipped and the reason it gave: `skipped_tests.py JUNIT.xml`.

ctest itself shows the names alone, and a skip without its reason is a skip in silence.
"""
import re
import sys
import xml.etree.ElementTree

for case in xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
    if case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None:
        output = case.findtext("system-out") or ""
        # GoogleTest: "file:line: Skipped", then the message.
        reason = re.search(r": Skipped\n(.+)", output)
        print(f"SKIPPED {case.get('name')}: {reason[1].strip() if reason else 'no reason given'}")
