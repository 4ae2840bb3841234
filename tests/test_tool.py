#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program grkan as its users meet it: help, exit status, messages, and the JSON documents.

Usage: test_tool.py PROGRAM [unittest's options]
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ""

GOOD, FAILED, BAD_USAGE, NO_DEVICE = 0, 1, 2, 3

COMMANDS = ("devices", "check", "bench", "compile", "fit")

# Small, on the device that is always there.
SMALL = ["bench", "--device", "cpu", "--outer", "16", "--channels", "24", "--groups", "3", "--repeats", "3"]

HEAD_KEYS = {"schema", "grkan", "command", "date", "machine"}
OPERATION_KEYS = {"outer", "channels", "inner", "groups", "numerator_groups", "denominator_groups",
                  "numerator_degree", "denominator_degree", "denominator"}
WHAT_KEYS = {"operation", "dtype", "output_dtype", "pass", "strategy", "determinism"}
MEASURED_KEYS = {"milliseconds", "bytes", "gb_per_s", "fraction_of_copy", "atomics", "launches"}
HOST_KEYS = {"host_microseconds", "plan_milliseconds", "is_compiled", "first_call_milliseconds",
             "first_result_milliseconds", "workspace_bytes"}
DEVICE_TYPES = {"device": str, "backend": str, "name": str, "driver": str, "architecture": str, "compute_units": int,
                "wave_width": int, "is_gpu": bool, "dtypes": list, "has_atomics": bool, "is_ieee": bool,
                "memory_bytes": int, "cache_bytes": int, "tuning": str, "tuning_note": str}


def run(*arguments, environment=None):
    """Run the program; its exit status, standard output and standard error."""
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
                          check=False, env=variables)
    return done.returncode, done.stdout, done.stderr


class ToolCase(unittest.TestCase):
    def check_head(self, document, schema, command):
        self.assertEqual(document["schema"], schema)
        self.assertEqual(set(document["grkan"]), {"version", "commit"})
        self.assertRegex(document["grkan"]["version"], r"^\d+\.\d+\.\d+$")
        self.assertTrue(document["grkan"]["commit"])
        self.assertEqual(document["command"], command)
        self.assertRegex(document["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(set(document["machine"]), {"cpu", "cores", "memory_bytes", "os", "kernel"})
        self.assertGreater(document["machine"]["cores"], 0)

    def command(self, *arguments):
        """What a report records: the call, with files named without their folders."""
        return " ".join([os.path.basename(PROGRAM), *(argument.split("/")[-1] for argument in arguments)])


class TestUsage(ToolCase):
    def test_help_lists_the_commands(self):
        status, out, _ = run("--help")
        self.assertEqual(status, GOOD)
        for command in COMMANDS:
            self.assertRegex(out, rf"(?m)^  {command} ")

    def test_help_of_every_command(self):
        for command in COMMANDS:
            status, out, err = run(command, "--help")
            self.assertEqual((status, err), (GOOD, ""), command)
            self.assertIn(self.command(command), out)

    def test_help_of_bench_names_every_option(self):
        _, out, _ = run("bench", "--help")
        for option in ("device", "preset", "batch", "outer", "channels", "inner", "groups", "dtype", "pass", "strategy",
                       "determinism", "degrees", "denominator", "prologue", "epsilon", "frozen", "repeats", "rounds",
                       "cpu-threads", "json"):
            self.assertIn(f"--{option}=", out)

    def test_version(self):
        status, out, _ = run("--version")
        self.assertEqual(status, GOOD)
        self.assertRegex(out, r"^grkan \d+\.\d+\.\d+ \(\S+\)\n$")
        self.assertEqual(run("bench", "--version"), (GOOD, out, ""))

    def test_no_command(self):
        status, out, err = run()
        self.assertEqual((status, out), (BAD_USAGE, ""))
        self.assertIn("Usage:", err)

    def test_unknown_command(self):
        status, _, err = run("mesure")
        self.assertEqual(status, BAD_USAGE)
        self.assertIn("unknown command 'mesure'; the commands are " + ", ".join(COMMANDS), err)

    def test_bad_values_say_what_was_expected(self):
        cases = [
            (["--dtype", "f31"], "--dtype: 'f31' is none of f32, f16, bf16, f64"),
            (["--pass", "sideways"], "--pass: 'sideways' is none of forward, backward"),
            (["--output-dtype", "f31"], "--output-dtype: 'f31' is none of f32, f16, bf16, f64"),
            (["--output-dtype", "f64"], "--output-dtype: f64 goes with --dtype f64, and that with no other"),
            (["--dtype", "f64", "--output-dtype", "f32"], "--output-dtype: f64 goes with --dtype f64"),
            (["--prologue", "norm"], "--prologue: 'norm' is none of none, bias, layer_norm, rms_norm"),
            (["--prologue", "rms_norm", "--epsilon", "-1"], "--epsilon: '-1' is not a finite number, 0 or more"),
            (["--prologue", "rms_norm", "--epsilon", "nan"], "--epsilon: 'nan' is not a finite number, 0 or more"),
            (["--prologue", "bias", "--epsilon", "1"], "--epsilon, --no-scale and --no-shift go with --prologue "),
            (["--no-scale"], "--epsilon, --no-scale and --no-shift go with --prologue layer_norm or rms_norm"),
            (["--frozen", "bias"], "--frozen: 'bias' is none of x, numerator, denominator"),
            (["--frozen", "x,,y"], "--frozen: '' is none of x, numerator, denominator"),
            (["--prologue", "layer_norm", "--no-scale", "--frozen", "scale"],
             "--frozen: 'scale' is none of x, numerator, denominator, shift"),
            (["--strategy", "heap"], "--strategy: 'heap' is none of auto, element, block, tree"),
            (["--determinism", "some"], "--determinism: 'some' is none of run_to_run, none, device_to_device"),
            (["--form", "abs"],
             "--form: 'abs' is none of abs_terms, abs_sum, abs_sum_offset, plain, square"),
            (["--preset", "kat-x"], "--preset: 'kat-x' is none of kat-t, kat-s, kat-b"),
            (["--degrees", "5"], "--degrees: '5' is not two whole numbers from 0 to 15"),
            (["--degrees", "5,16"], "--degrees: '5,16' is not two whole numbers from 0 to 15"),
            (["--outer", "0"], "--outer: '0' is not a whole number from 1 to "),
            (["--channels", "12x"], "--channels: '12x' is not a whole number from 1 to "),
            (["--cpu-threads", "2000"], "--cpu-threads: '2000' is not a whole number from 1 to 1024"),
            (["--preset", "kat-t", "--channels", "8"], "--preset gives the shape"),
            (["--batch", "2", "--outer", "8"], "--batch and --outer both give the rows"),
            (["extra"], "'extra' is not an option"),
        ]
        for arguments, expected in cases:
            status, out, err = run("bench", *arguments)
            self.assertEqual((status, out), (BAD_USAGE, ""), arguments)
            self.assertIn(expected, err)

    def test_unknown_option(self):
        for command in COMMANDS:
            status, _, err = run(command, "--colour")
            self.assertEqual(status, BAD_USAGE, command)
            self.assertIn("--colour", err)

    def test_options_as_getopt_long_has_them(self):
        """Long options may be cut short, letters stand together, and options may follow operands."""
        listed = run("check", "--list", "--quick")
        self.assertEqual(listed[0], GOOD)
        for same in (["--li", "--qui"], ["-q", "--list"], ["--quick", "--seed", "1", "--list"],
                     ["-q", "--see=1", "--list"]):
            self.assertEqual(run("check", *same), listed, same)
        for help_text in (["-?"], ["extra", "--help"], ["-q?"]):
            self.assertEqual(run("check", *help_text), run("check", "--help"), help_text)

    def test_misused_options(self):
        for arguments, expected in [
                (["check", "--quick=3"], "option '--quick' doesn't allow an argument"),
                (["check", "--dev"], "option '--device' requires an argument"),
                (["check", "-qd"], "option requires an argument -- 'd'"),
                (["check", "-qx"], "invalid option -- 'x'"),
                (["check", "--seed=3", "-xq"], "invalid option -- 'x'"),
                (["check", "--", "--list"], 'unexpected argument "--list"'),
                (["bench", "--de=3"], "option '--de=3' is ambiguous; possibilities: '--device' '--determinism' "
                                      "'--degrees' '--denominator'"),
                (["fit", "gelu", "--no=3"], "unrecognized option '--no=3'"),
                (["fit", "gelu"], "'gelu' is not an option; fit takes options only")]:
            who = f"grkan {arguments[0]}"
            hint = f"Try `{who} --help' or `{who} --usage' for more information."
            self.assertEqual(run(*arguments), (BAD_USAGE, "", f"{who}: {expected}\n{hint}\n"), arguments)

    def test_help_that_cannot_be_written(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = subprocess.run([PROGRAM, "fit", "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual((result.returncode, result.stderr), (FAILED, b"grkan: cannot write to the standard output\n"))

    def test_more_groups_than_channels(self):
        status, _, err = run("bench", "--device", "cpu", "--channels", "4", "--groups", "5", "--repeats", "1")
        self.assertEqual(status, BAD_USAGE)
        self.assertIn("groups", err)

    def test_no_such_device(self):
        for selector in ("cuda:99", "nonsense"):
            status, out, err = run("bench", "--device", selector)
            self.assertEqual((status, out), (NO_DEVICE, ""), selector)
            self.assertRegex(err, rf"^{self.command('bench')}: {selector}: .+")

    def test_no_such_device_in_the_environment(self):
        status, _, err = run("bench", environment={"GRKAN_DEVICE": "cuda:99"})
        self.assertEqual(status, NO_DEVICE)
        self.assertIn("default device", err)


class TestDevices(ToolCase):
    def test_json(self):
        status, out, err = run("devices", "--json")
        self.assertEqual((status, err), (GOOD, ""))
        document = json.loads(out)
        self.assertEqual(set(document), HEAD_KEYS | {"backends"})
        self.check_head(document, "grkan-devices/1", self.command("devices", "--json"))
        self.assertEqual([backend["backend"] for backend in document["backends"]], ["cuda", "hip", "opencl", "cpu"])
        for backend in document["backends"]:
            self.assertEqual("error" in backend, not backend["devices"], backend)
            self.assertNotEqual(backend.get("error"), "")
            for device in backend["devices"]:
                self.check_device(device, backend["backend"])

    def check_device(self, device, backend):
        if "error" in device:
            self.assertTrue(device["error"])
            return
        tunings = {} if device["tuning"] == "none" else {"tunings": dict}
        self.assertEqual({name: type(value) for name, value in device.items()}, DEVICE_TYPES | tunings)
        self.assertEqual(device["tuning"] == "none", backend == "cpu")
        self.assertEqual(device["backend"], backend)
        self.assertEqual(device["device"].split(":")[0], backend)
        self.assertIn("f32", device["dtypes"])

    def test_the_cpu_is_always_there(self):
        _, out, _ = run("devices", "--json")
        cpu = json.loads(out)["backends"][-1]["devices"]
        self.assertEqual([device.get("device") for device in cpu], ["cpu"])
        self.assertFalse(cpu[0]["is_gpu"])

    def test_table_has_every_backend(self):
        status, out, _ = run("devices")
        self.assertEqual(status, GOOD)
        lines = out.splitlines()
        self.assertRegex(lines[0], r"^device +name +architecture ")
        for backend in ("cuda", "hip", "opencl", "cpu"):
            self.assertTrue(any(re.match(rf"{backend}(:[\d:]+)? +\S", line) for line in lines[1:]), backend)


class TestLocale(ToolCase):
    """Where numbers have a decimal comma."""

    SOURCE = 'LC_NUMERIC\ndecimal_point ","\nthousands_sep ""\ngrouping -1\nEND LC_NUMERIC\n'

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        source = os.path.join(folder.name, "comma.txt")
        with open(source, "w", encoding="ascii") as file:
            file.write(self.SOURCE)
        try:  # it warns of the categories that this locale does without
            subprocess.run(["localedef", "-c", "-i", source, os.path.join(folder.name, "comma")], capture_output=True,
                           check=False)
        except FileNotFoundError:
            self.skipTest("no localedef")
        self.environment = {"LOCPATH": folder.name, "LC_ALL": "", "LC_NUMERIC": "comma"}
        shown = subprocess.run(["bash", "-c", "printf %.1f 0"], capture_output=True, text=True, check=False,
                               env={**os.environ, **self.environment})
        if shown.stdout != "0,0":
            self.skipTest("localedef makes no locale here")

    def test_numbers_have_points(self):
        status, out, err = run("fit", "--function", "tanh", "--range=-1.5,1.5", "--json", "-",
                               environment=self.environment)
        self.assertEqual(status, GOOD, err)
        self.assertEqual(json.loads(out)["range"], [-1.5, 1.5])
        self.assertIn("tanh on [-1.5, 1.5]", err)


class TestParts(ToolCase):
    def passed(self, *arguments):
        status, out, err = run("check", "--quick", "--device", "cpu", *arguments)
        self.assertEqual((status, err), (GOOD, ""))
        return int(re.search(r"(\d+) passed, 0 failed", out)[1])

    def test_parts_make_a_whole(self):
        parts = [self.passed(f"--part={part}/3") for part in (1, 2, 3)]
        self.assertTrue(all(parts))
        self.assertEqual(sum(parts), self.passed())

    def test_bad_parts(self):
        for part in ("0/2", "3/2", "1", "1/2x", "1/0"):
            status, out, err = run("check", "--part", part)
            self.assertEqual((status, out), (BAD_USAGE, ""), part)
            self.assertIn(f'--part: K/N with 1 <= K <= N <= 9999 was expected, not "{part}"', err)


class TestLargeChecks(ToolCase):
    """The way through, with few elements: machines that run the tests have no room for more."""

    def test_every_case_passes(self):
        status, out, err = run("check", "--device", "cpu", "--large=20000")
        self.assertEqual((status, err), (GOOD, ""))
        names = ["KAT-B", "rows of 768", "one row", "rows of 1", "groups of 1"]
        self.assertEqual(len(out.splitlines()), len(names))
        for name, line in zip(names, out.splitlines()):
            self.assertRegex(line, rf"^cpu, {name} \(\d+ x \d+ x \d+ \w+\): passed; worst error of y and dx "
                                   r"0\.\d\d of its bound; relative error of da \S+, of db \S+ \(median of [15], ")

    def test_bad_sizes(self):
        status, out, err = run("check", "--large=many")
        self.assertEqual((status, out), (BAD_USAGE, ""))
        self.assertIn("--large: 'many' is not a whole number from 1000 to 1099511627776", err)


class TestBench(ToolCase):
    def bench(self, *arguments):
        """Run the small case with --json FILE; the document and the table."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "result.json")
            status, out, err = run(*SMALL, *arguments, "--json", path)
            self.assertEqual((status, err), (GOOD, ""))
            self.assertEqual(os.listdir(folder), ["result.json"])
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
            self.check_head(document, "grkan-bench/1", self.command(*SMALL, *arguments, "--json", path))
        return document, out

    def check_measured(self, case, copy_gb_per_s):
        self.assertEqual(set(case), WHAT_KEYS | MEASURED_KEYS)
        self.assertEqual(set(case["operation"]), OPERATION_KEYS)
        times = case["milliseconds"]
        self.assertEqual(set(times), {"min", "median", "max"})
        self.assertGreater(times["min"], 0)
        self.assertLessEqual(times["min"], times["median"])
        self.assertLessEqual(times["median"], times["max"])
        gb_per_s = case["bytes"] / times["median"] / 1e6
        self.assertAlmostEqual(case["gb_per_s"] / gb_per_s, 1, places=3)
        self.assertAlmostEqual(case["fraction_of_copy"] * copy_gb_per_s / gb_per_s, 1, places=3)
        self.assertGreaterEqual(case["launches"], 1)

    def test_predictions_on_request(self):
        document, out = self.bench("--dtype", "f32", "--predict")
        (device,) = document["devices"]
        self.assertEqual([case["pass"] for case in device["cases"]], ["forward", "backward"])
        for case in device["cases"]:
            self.assertEqual(set(case), WHAT_KEYS | MEASURED_KEYS | {"predicted_milliseconds"})
            self.assertGreater(case["predicted_milliseconds"], 0)
        self.assertRegex(out, "(?m)^outer .* predicted ms$")

    def test_json_follows_the_schema(self):
        document, out = self.bench("--dtype", "f32", "--dtype", "bf16")
        self.assertEqual(set(document), HEAD_KEYS | {"devices"})
        (device,) = document["devices"]
        self.assertEqual(set(device),
                         {"device", "backend", "name", "driver", "architecture", "copy_gb_per_s", "cases"})
        self.assertEqual((device["device"], device["backend"]), ("cpu", "cpu"))
        self.assertGreater(device["copy_gb_per_s"], 0)
        found = [(case["dtype"], case["pass"], case["bytes"]) for case in device["cases"]]
        elements = 16 * 24
        self.assertEqual(found, [("f32", "forward", 2 * 4 * elements), ("f32", "backward", 3 * 4 * elements),
                                 ("bf16", "forward", 2 * 2 * elements), ("bf16", "backward", 3 * 2 * elements)])
        for case in device["cases"]:
            self.check_measured(case, device["copy_gb_per_s"])
            self.assertEqual((case["strategy"], case["determinism"]), ("tree", "run_to_run"))
        self.check_table(out, device)

    def test_two_types(self):
        document, out = self.bench("--dtype", "f32", "--output-dtype", "bf16")
        cases = document["devices"][0]["cases"]
        self.assertEqual([(case["dtype"], case["output_dtype"]) for case in cases], 2 * [("f32", "bf16")])
        self.assertEqual([case["bytes"] for case in cases], [(4 + 2) * 16 * 24, (2 * 4 + 2) * 16 * 24])
        self.assertIn(" f32,bf16 ", out)

    def test_prologue(self):
        document, out = self.bench("--prologue", "layer_norm", "--no-shift", "--epsilon", "0.5", "--frozen",
                                   "x,scale", "--writes-y")
        forward, backward = document["devices"][0]["cases"]
        for case in forward, backward:
            self.assertEqual({key: case["operation"][key] for key in ("prologue", "epsilon", "has_scale", "has_shift")},
                             {"prologue": "layer_norm", "epsilon": 0.5, "has_scale": True, "has_shift": False})
        self.assertEqual((forward.get("frozen"), forward.get("writes_y")), (None, None))
        self.assertEqual((backward["frozen"], backward["writes_y"]), (["x", "scale"], True))
        rows, elements = 16, 16 * 24
        self.assertEqual([case["bytes"] for case in (forward, backward)],
                         [2 * 4 * elements + 2 * 4 * rows, 3 * 4 * elements + 2 * 4 * rows])
        self.assertRegex(out, r" layer_norm, no shift +f32 +backward .* x,scale +yes ")

    def check_table(self, out, device):
        """A head line, the copy, the headings, and one aligned row a case."""
        lines = out.splitlines()
        self.assertEqual(len(lines), 3 + len(device["cases"]))
        self.assertTrue(lines[0].startswith("cpu: "))
        self.assertEqual(lines[1], f"copy: {device['copy_gb_per_s']:.1f} GB/s")
        self.assertEqual({len(line) for line in lines[2:]}, {len(lines[2])})
        for line, case in zip(lines[3:], device["cases"]):
            cells = line.split()
            self.assertEqual(cells[:4], ["16", "24", "1", "3"])
            self.assertEqual(cells[6:8], [case["dtype"], case["pass"]])

    def test_operation(self):
        document, _ = self.bench("--degrees", "3,2", "--form", "abs_sum_offset", "--inner", "4", "--pass",
                                 "forward", "--cpu-threads", "1")
        (case,) = document["devices"][0]["cases"]
        self.assertEqual(case["operation"], {"outer": 16, "channels": 24, "inner": 4, "groups": 3,
                                             "numerator_groups": 1, "denominator_groups": 3, "numerator_degree": 3,
                                             "denominator_degree": 2, "denominator": "abs_sum_offset"})

    def test_no_denominator(self):
        document, _ = self.bench("--degrees", "2,0", "--dtype", "f64")
        cases = document["devices"][0]["cases"]
        self.assertEqual([case["bytes"] for case in cases], [2 * 8 * 16 * 24, 3 * 8 * 16 * 24])

    def test_what_a_plan_refuses_is_a_row(self):
        document, out = self.bench("--pass", "backward", "--strategy", "element", "--strategy", "tree",
                                   "--determinism", "device_to_device")
        refused, measured = document["devices"][0]["cases"]
        self.assertEqual(set(refused), WHAT_KEYS | {"unsupported"})
        self.assertEqual((refused["strategy"], refused["determinism"]), ("element", "device_to_device"))
        self.assertIn(refused["unsupported"], out)
        self.assertTrue(refused["unsupported"])
        self.check_measured(measured, document["devices"][0]["copy_gb_per_s"])

    def test_preset_has_both_layers(self):
        status, out, err = run("bench", "--device", "cpu", "--preset", "kat-t", "--batch", "1", "--pass", "forward",
                               "--repeats", "1", "--json", "-")
        self.assertEqual(status, GOOD)
        (device,) = json.loads(out)["devices"]
        shapes = [(case["operation"]["outer"], case["operation"]["channels"], case["operation"]["groups"])
                  for case in device["cases"]]
        self.assertEqual(shapes, [(197, 192, 8), (197, 768, 8)])
        self.assertIn("median ms", err)

    def test_rounds_are_taken_together(self):
        def spread(*options):
            document, _ = self.bench("--pass", "backward", "--repeats", "1", "--strategy", "tree", "--strategy",
                                     "element", "--determinism", "device_to_device", *options)
            refused, measured = document["devices"][0]["cases"]
            self.assertIn("unsupported", refused)
            return measured["milliseconds"]["max"] - measured["milliseconds"]["min"]

        self.assertEqual(spread(), 0)
        self.assertGreater(spread("--rounds", "4"), 0)
        status, _, err = run("bench", "--host-time", "--rounds", "2", "--device", "cpu")
        self.assertEqual(status, BAD_USAGE)
        self.assertIn("--rounds are of the device", err)

    def test_two_devices(self):
        document, _ = self.bench("--device", "cpu", "--pass", "forward")
        self.assertEqual([device["device"] for device in document["devices"]], ["cpu", "cpu"])

    def host_time(self, device, environment=None):
        """The cases of forward and backward, measured on the host."""
        shape = ["--outer", "16", "--channels", "24", "--groups", "3", "--repeats", "3"]
        status, out, err = run("bench", "--host-time", "--device", device, *shape, "--json", "-",
                               environment=environment)
        self.assertEqual(status, GOOD, err)
        document = json.loads(out)
        self.assertEqual(document["schema"], "grkan-host-time/1")
        (device,) = document["devices"]
        (opened,) = re.findall(r"(?m)^open: (\d+\.\d\d) ms$", err)
        self.assertAlmostEqual(float(opened), device["open_milliseconds"], delta=0.011)  # each is rounded its own way
        for case in device["cases"]:
            self.assertEqual(set(case), WHAT_KEYS | HOST_KEYS)
            self.assertLessEqual(case["host_microseconds"]["min"], case["host_microseconds"]["median"])
            parts = device["open_milliseconds"] + case["plan_milliseconds"] + case["first_call_milliseconds"]
            self.assertAlmostEqual(case["first_result_milliseconds"] / parts, 1, places=3)
        return device["cases"]

    def test_host_time_of_the_cpu(self):
        cases = self.host_time("cpu")
        self.assertEqual([(case["pass"], case["is_compiled"]) for case in cases],
                         [("forward", False), ("backward", False)])

    def test_a_second_process_compiles_nothing(self):
        opencl = next(backend for backend in json.loads(run("devices", "--json")[1])["backends"]
                      if backend["backend"] == "opencl")
        if "error" in opencl:
            self.skipTest(opencl["error"])
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o700)
            compiled = [[case["is_compiled"] for case in self.host_time("opencl", {"GRKAN_CACHE_DIR": folder})]
                        for _ in range(2)]
        self.assertEqual(compiled, [[True, False], [False, False]])

    def test_json_that_cannot_be_written(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "missing", "result.json")
            status, out, err = run(*SMALL, "--json", path)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(f"--json: cannot write '{path}'", err)

    def test_a_failed_run_leaves_no_file(self):
        with tempfile.TemporaryDirectory() as folder:
            status, _, _ = run("bench", "--device", "cpu", "--channels", "4", "--groups", "5", "--repeats", "1",
                               "--json", os.path.join(folder, "result.json"))
            self.assertEqual(status, BAD_USAGE)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    PROGRAM = sys.argv.pop(1)
    unittest.main()
