"""Asks badkeys about files, with our own list of known keys in place of the one that it would download.

Arguments: a list in badkeys' binary form, then the files. Output: for each file what badkeys calls it, as a JSON object
of its kind of key and the names of the checks that found something.
"""

import json
import sys

from badkeys import detectandcheck
from badkeys.allkeys import block, loadextrabl
from badkeys.checks import defaultchecks

block._blmeta = {7: {"name": "ours"}}
block._bldata = b"\xff" * 16
loadextrabl(sys.argv[1])

answers = []
for path in sys.argv[2:]:
    with open(path, errors="replace") as file:
        found = detectandcheck(file.read(), checks=list(defaultchecks))
    answers.append({"type": found["type"], "found": sorted(found["results"])})
print(json.dumps(answers))
