# SPDX-License-Identifier: Apache-2.0
"""scripts/embed.py: what of the kernels is in the text that is compiled, and in the hashes.

    test_embed.py COMPILER HEADER...    the C compiler, and the headers in the hash that library and modules compare
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMPILER, *HASHED = sys.argv[1:]

sys.path.insert(0, str(ROOT / "scripts"))
import embed

SOURCE = """/* What this is:
   two lines of comment. */
#include "other.h"

#define LONG(a) /* of one */ \\
    (a) + \\
    1
static int twice(int x) { return 2 * x; } // really

static const char text[] = "// no /* comment */ \\" \\\\";
static const char quote = '"'; /* a lone " */
"""


class Embed(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def file(self, text, name="kernel.h"):
        path = os.path.join(self.folder.name, name)
        pathlib.Path(path).write_text(text, encoding="utf-8")
        return path

    def hash_of(self, *replacement):
        self.assertTrue(not replacement or replacement[0] in SOURCE)
        return embed.hash_of([self.file(SOURCE.replace(*replacement) if replacement else SOURCE)])

    def test_comments_are_not_in_the_text(self):
        lines = [line for line in embed.text_of([self.file(SOURCE)]) if not line.startswith("#line")]
        self.assertEqual(lines, ["#define LONG(a)   \\", "    (a) + \\", "    1",
                                 "static int twice(int x) { return 2 * x; }",
                                 'static const char text[] = "// no /* comment */ \\" \\\\";',
                                 "static const char quote = '\"';"])

    def test_a_comment_changes_no_hash(self):
        for replacement in (("two lines", "many lines"), ("What this is:\n", "What this is:\n\n\n"), ("// really", ""),
                            ("/* a lone \" */", "/* a '\"' */"), ('#include "other.h"\n', "")):
            with self.subTest(replacement):
                self.assertEqual(self.hash_of(*replacement), self.hash_of())

    def test_code_changes_the_hash(self):
        for replacement in (("2 * x", "3 * x"), ("// no", "// yes"), ("    1\n", "    2\n")):
            with self.subTest(replacement):
                self.assertNotEqual(self.hash_of(*replacement), self.hash_of())

    def test_a_compiler_names_the_line_that_was_written(self):
        fault = SOURCE.replace("2 * x", "2 * y")
        line = fault[:fault.index("2 * y")].count("\n") + 1
        # What is compiled lies elsewhere, behind another file.
        paths = [self.file("int before; /* 1\n2 */\n", "before.h"), self.file(fault)]
        text = self.file("\n".join(embed.text_of(paths)) + "\n", "embedded.c")
        done = subprocess.run([COMPILER, "-fsyntax-only", text], capture_output=True, text=True, check=False,
                              env={"LC_ALL": "C"} | os.environ)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, rf"kernel\.h:{line}:.*error: .*y")

    def test_every_kernel_has_its_lines(self):
        paths = sorted(map(str, (ROOT / "backends/kernels").glob("*.h")))
        self.assertGreater(len(paths), 5)
        for path in paths:
            written = pathlib.Path(path).read_text(encoding="utf-8").split("\n")
            name, number = None, 0
            for line in embed.text_of([path]):
                if mark := re.fullmatch(r'#line (\d+) "(.*)"', line):
                    number, name = int(mark[1]), mark[2]
                    self.assertTrue((ROOT / name).samefile(path))
                else:
                    self.assertIn(line.split()[0] if line.strip() else "", written[number - 1])
                    number += 1

    def test_all_that_library_and_modules_share_is_hashed(self):
        hashed = {pathlib.Path(path).resolve() for path in HASHED}
        done = subprocess.run([COMPILER, "-MM", "-I", ROOT / "include", ROOT / "backends/backend.h"],
                              capture_output=True, text=True, check=True)
        included = {pathlib.Path(word).resolve() for word in re.findall(r"\S+\.h", done.stdout)}
        self.assertGreater(len(included), 2)
        self.assertEqual(included - hashed, set())
        self.assertIn(ROOT / "backends/kernels/launch.h", hashed)


unittest.main(argv=sys.argv[:1])
