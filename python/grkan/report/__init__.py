# SPDX-License-Identifier: Apache-2.0
"""A page for a person from the JSON files of `grkan bench --json`: python3 -m grkan.report A.json B.json -o report.html

Needs matplotlib and jsonschema, and not the compiled library.
"""
