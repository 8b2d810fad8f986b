"""Runs pkilint's programs in one process: their start takes longer than their work.

Standard input: a JSON array of jobs, each [program, least severity, argument, ...]. Output: for each job the findings that the
program reported, as a JSON array of "SEVERITY code: message".
"""

import contextlib
import io
import json
import sys

from pkilint.bin import lint_cabf_serverauth_cert, lint_pkix_cert, lint_pkix_signer_signee_cert_chain

PROGRAMS = {
    "lint_cabf_serverauth_cert": lint_cabf_serverauth_cert.main,
    "lint_pkix_cert": lint_pkix_cert.main,
    "lint_pkix_signer_signee_cert_chain": lint_pkix_signer_signee_cert_chain.main,
}


def run(program, severity, *arguments):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        status = PROGRAMS[program](["lint", "-f", "JSON", "-s", severity, *arguments])
    found = []
    for result in json.loads(output.getvalue())["results"]:
        for one in result["finding_descriptions"]:
            found.append(f"{one['severity']} {one['code']}: {one.get('message') or ''}")
    if status != 0 and not found:
        found.append(f"FATAL status: the program ended with {status}")
    return found


print(json.dumps([run(*job) for job in json.load(sys.stdin)]))
