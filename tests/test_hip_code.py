#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The code objects that `grkan compile --backend hip --keep` leaves for AMD's GPUs, looked at without a GPU.

hipRTC compiles for the architectures that every ROCm from 5.2 on knows, a clang of the system for newer ones, and for
gfx90a too. What is asked of the kernels is read from their metadata, their descriptors and their instructions.

Usage: test_hip_code.py PROGRAM [all] [unittest's options]; exit status 77 when the hip backend is not built,
or the tools are not there. Without `all`, one architecture of each kind and compiler, fewer types, a third of the time.
"""

import concurrent.futures
import functools
import glob
import json
import os
import re
import shutil
import sys
import tempfile
import unittest

from hip_code import ADDITION, OBJDUMP, READELF, WIDE_LOAD, WIDE_STORE, Program, output_of, run

PROGRAM = ""

BY_HIPRTC = ("gfx90a", "gfx1030")
BY_CLANG = ("gfx942", "gfx1201")
BY_BOTH = ()
TREE_DTYPES = ("f32", "f16")
FAST_DTYPES = ("f32",)  # run_to_run
ELEMENT_DTYPES = ("f64",)
OTHER_FORMS = ("abs_sum",)
PROLOGUES = [("layer_norm", ["gfx942"], ["--output-dtype", "bf16"]), ("bias", ["gfx1201"], [])]
if sys.argv[2:3] == ["all"]:
    del sys.argv[2]
    BY_HIPRTC += ("gfx906", "gfx908")
    BY_CLANG += ("gfx1100",)
    BY_BOTH += ("gfx90a",)
    TREE_DTYPES += ("bf16",)
    FAST_DTYPES += ("bf16",)
    ELEMENT_DTYPES += ("f32",)
    OTHER_FORMS += ("abs_sum_offset", "plain")
    PROLOGUES = [(prologue, ["gfx90a", *BY_CLANG], more) for prologue, more in (
        ("layer_norm", ["--output-dtype", "bf16"]), ("rms_norm", []), ("bias", ["--writes-y"]))]
CLANG, LINKER = "clang-19", "ld.lld-19"

PACKED = ("gfx90a", "gfx942")  # multiply and add two floats at once, which no compiler contracts
FMA = r"v_(dual_|pk_)?fma(c|mk|ak)?_f32.*"

# Instructions with their operands.
BARRIER = r"s_barrier(_signal)?\b"
LOAD, STORE, ATOMIC = r"global_load_", r"global_store_", r"global_atomic_"
NONE = r"(?!)"
LOADS_ARRIVED = r"s_waitcnt .*\bvmcnt\(|s_waitcnt_vmcnt |s_wait_loadcnt"

# Most vector instructions of an element of a row, forward and backward, run_to_run, by the system's clang
# (docs/amd.md).
MOST_INSTRUCTIONS = {"f32": {"gfx90a": (13, 30), "gfx942": (13, 30), "gfx1100": (17, 40), "gfx1201": (17, 40)},
                     "bf16": {"gfx90a": (14, 31), "gfx942": (14, 31), "gfx1100": (17, 43), "gfx1201": (17, 43)}}

KERNELS = {"tree": {"grkan_forward", "grkan_backward"},
           "block": {"grkan_forward", "grkan_backward", "grkan_clear"},
           "element": {"grkan_forward", "grkan_backward", "grkan_clear"}}


def is_rdna(architecture):
    return architecture.startswith("gfx1")


def wave_width(architecture):
    return 32 if is_rdna(architecture) else 64


def stores_arrived(architecture):
    """What waits until the device sees a wave's stores."""
    if architecture.startswith("gfx12"):
        return r"s_wait_storecnt(_dscnt)? 0x0\b"
    return r"s_waitcnt_vscnt null, 0x0\b" if is_rdna(architecture) else r"s_waitcnt .*\bvmcnt\(0\)"


def write_back(architecture):
    """What a release by a wave has in front of that, where the device has caches that are not coherent."""
    return {"gfx942": r"buffer_wbl2 sc1\b", "gfx1201": r"global_wb scope:SCOPE_DEV"}.get(architecture, NONE)


def invalidation(architecture):
    """What an acquisition has."""
    of_others = {"gfx942": r"buffer_inv sc1\b", "gfx1201": r"global_inv scope:SCOPE_DEV"}
    return of_others.get(architecture, r"buffer_gl1_inv\b" if is_rdna(architecture) else r"buffer_wbinvl1_vol\b")


def compile_into(folder, architectures, strategy, determinism, dtypes, compiler=None, more=()):
    """Compile; the JSON documents of the programs."""
    os.makedirs(folder)
    arguments = ["compile", "--backend", "hip", "--strategy", strategy, "--determinism", determinism, "--keep", folder]
    for architecture in architectures:
        arguments += ["--arch", architecture]
    for dtype in dtypes:
        arguments += ["--dtype", dtype]
    output_of(PROGRAM, *arguments, *(["--compiler", compiler] if compiler else []), *more)
    return [Program(path, compiler) for path in sorted(glob.glob(os.path.join(folder, "*.json")))]


def compile_all(folder):
    """Everything that the tests look at. Two processes at a time."""
    jobs = []
    trees = (("tree", "device_to_device", TREE_DTYPES), ("tree", "run_to_run", FAST_DTYPES))
    others = (("block", "none", ("f32",)), ("element", "none", ELEMENT_DTYPES))
    for architectures, compiler, kinds in ((BY_HIPRTC, None, trees + others), (BY_CLANG, CLANG, trees + others),
                                           (BY_BOTH, CLANG, trees)):
        for strategy, determinism, dtypes in kinds if architectures else ():
            jobs.append((os.path.join(folder, str(len(jobs))), architectures, strategy, determinism, dtypes, compiler))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return [program for programs in pool.map(lambda job: compile_into(*job), jobs) for program in programs]


def for_each(**wanted):
    """A test of every program with these attributes, of which there must be some."""
    def wrap(check):
        @functools.wraps(check)
        def test(self):
            chosen = [p for p in self.programs if all(getattr(p, name) == value for name, value in wanted.items())]
            self.assertTrue(chosen)
            for program in chosen:
                with self.subTest(program.label, compiler=program.compiler):
                    check(self, program)
        return test
    return wrap


class TestCode(unittest.TestCase):
    scratch: str
    programs: list[Program]

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        os.environ["GRKAN_CACHE"] = "off"
        cls.scratch = scratch.name
        cls.programs = compile_all(os.path.join(scratch.name, "programs"))

    def test_every_architecture_was_compiled(self):
        self.assertEqual({p.architecture for p in self.programs}, {*BY_HIPRTC, *BY_CLANG})

    @for_each()
    def test_the_kernels_are_there(self, program):
        self.assertEqual({kernel.name for kernel in program.kernels}, KERNELS[program.strategy])
        self.assertEqual(set(program.resources()), KERNELS[program.strategy])

    @for_each()
    def test_no_kernel_has_scratch_memory(self, program):
        for name, kernel in program.resources().items():
            self.assertEqual((name, kernel["stack_bytes"], kernel["spill_bytes"]), (name, 0, 0))
        for kernel in program.kernels:
            self.assertEqual(kernel.count(r"scratch_.*|buffer_(load|store)_.*|flat_.*"), 0, kernel.name)

    @for_each(strategy="tree")
    def test_chunks_are_accessed_by_16_bytes(self, program):
        for kernel in program.kernels:
            self.assertGreater(kernel.count(r"global_load_(dwordx4|b128)"), 0, kernel.name)
            self.assertGreater(kernel.count(r"global_store_(dwordx4|b128)"), 0, kernel.name)

    @for_each(strategy="tree")
    def test_a_row_is_computed_while_the_next_is_on_its_way(self, program):
        """No wait stands between the request of a row and the store of the one before it."""
        for kernel in program.kernels:
            *row, _ = kernel.row_loop()
            requests = [i for i, place in enumerate(row) if re.match(WIDE_LOAD, kernel.texts[place])]
            end = next(i for i, place in enumerate(row) if re.match(WIDE_STORE, kernel.texts[place]))
            self.assertEqual(len(requests), 2 if kernel.name == "grkan_backward" else 1)
            self.assertLess(requests[-1], end)
            meanwhile = [kernel.texts[place] for place in row[:end]]
            self.assertGreater(sum(re.match(FMA, text) is not None for text in meanwhile), 16, kernel.name)
            self.assertEqual([text for text in meanwhile if re.match(LOADS_ARRIVED, text)], [], kernel.name)
            self.assertTrue(any(re.match(LOADS_ARRIVED, kernel.texts[place]) for place in row[end:]), kernel.name)

    @for_each(strategy="tree", is_ieee=False, compiler=CLANG)
    def test_rows_take_few_vector_instructions(self, program):
        for kernel in program.kernels:
            forward, backward = MOST_INSTRUCTIONS[program.dtype][program.architecture]
            vector = sum(kernel.instructions[place][0].startswith("v_") for place in kernel.row_loop())
            elements = {"f32": 4, "bf16": 8}[program.dtype]
            most = forward if kernel.name == "grkan_forward" else backward
            self.assertLessEqual(vector / elements, most, kernel.name)

    @for_each()
    def test_waves_have_the_width_of_the_device(self, program):
        width = wave_width(program.architecture)
        self.assertEqual({kernel["wave_width"] for kernel in program.resources().values()}, {width})
        for kernel in program.kernels:
            self.assertGreater(kernel.count(rf"s_and_saveexec_b{width}|v_cmpx_.*"), 0, kernel.name)
            self.assertEqual(kernel.count(rf"s_\w+_saveexec_b{96 - width}"), 0, kernel.name)

    @for_each()
    def test_lanes_exchange_nothing(self, program):
        """Such an exchange would have to know the width of a wave; threads meet in shared memory instead."""
        for kernel in program.kernels:
            self.assertEqual(kernel.count(r"ds_b?permute_.*|ds_swizzle_.*|v_permlane.*|.*_dpp\d*"), 0, kernel.name)

    def test_prologues(self):
        """No scratch memory, accesses of 16 bytes, and exchanges of lanes by what waves of any width have."""
        for prologue, architectures, more in PROLOGUES:
            options = ["--prologue", prologue, *more]
            for program in compile_into(os.path.join(self.scratch, prologue), architectures, "tree", "device_to_device",
                                        ["f32"], CLANG, options):
                with self.subTest(prologue, program=program.label):
                    for name, kernel in program.resources().items():
                        self.assertEqual((name, kernel["stack_bytes"], kernel["spill_bytes"]), (name, 0, 0))
                    for kernel in program.kernels:
                        exchanges = kernel.count(r"ds_bpermute_.*")
                        self.assertEqual(kernel.mode, 0xF0, kernel.name)
                        others = kernel.count(r"ds_permute_.*|ds_swizzle_.*|v_permlane.*|.*_dpp\d*")
                        self.assertEqual(others, 0, kernel.name)
                        if kernel.name != "grkan_reduce":
                            self.assertEqual(exchanges > 0, prologue != "bias", kernel.name)
                            self.assertTrue(kernel.places(WIDE_LOAD) and kernel.places(r"global_store_"), kernel.name)

    @for_each()
    def test_threads_meet_at_barriers(self, program):
        if program.strategy == "element":
            self.assertEqual(program.backward().count("s_barrier.*"), 0)
        elif program.architecture.startswith("gfx12"):
            signals, waits = (program.backward().count(f"s_barrier_{half}") for half in ("signal", "wait"))
            self.assertGreater(signals, 1)
            self.assertEqual(signals, waits)
        else:
            self.assertGreater(program.backward().count("s_barrier"), 1)

    @for_each(strategy="tree")
    def test_the_last_block_sees_what_others_wrote(self, program):
        """Each wave waits for its stores of parts before the barrier in front of the ticket: neither that barrier nor a
        fence of the wave that draws the ticket waits for those of other waves. Who reads parts drops what is cached."""
        backward, architecture = program.backward(), program.architecture
        ticket, = backward.places(ATOMIC)
        self.assertRegex(backward.texts[ticket], r"global_atomic_add(_u32)? ")
        barrier, = (place for place in backward.places(BARRIER) if ticket in backward.reached(place, BARRIER))

        def comes_to_barrier(place, *ends):
            return barrier in backward.reached(place, BARRIER, *ends)

        stores = [store for store in backward.places(STORE) if comes_to_barrier(store)]
        waited = [store for store in stores if not comes_to_barrier(store, stores_arrived(architecture))]
        self.assertTrue(waited)
        # The others need not be: sums that are the whole gradient, and may be added to what it holds.
        olds = [load for load in backward.places(LOAD) if comes_to_barrier(load)]
        added = set().union(*(backward.reached(load, BARRIER, STORE) for load in olds))
        self.assertEqual([backward.texts[store] for store in stores if store not in waited and store not in added], [])
        written_back = backward.places(write_back(architecture))
        for place in written_back:
            self.assertFalse(comes_to_barrier(place, stores_arrived(architecture)))
        if written_back:
            self.assertTrue(any(not comes_to_barrier(store, write_back(architecture)) for store in waited))
        fresh = backward.reached(ticket, invalidation(architecture))
        self.assertEqual([backward.texts[load] for load in backward.places(LOAD) if load in fresh], [])

    @for_each()
    def test_a_ticket_has_one_pair_of_fences(self, program):
        """Each writes a whole cache back, or empties it."""
        for kernel in program.kernels:
            pairs = int(program.strategy == "tree" and kernel.name == "grkan_backward")
            for fence in write_back(program.architecture), invalidation(program.architecture):
                self.assertEqual(len(kernel.places(fence)), 0 if fence == NONE else pairs, (kernel.name, fence))

    @for_each(dtype="f16")
    def test_halves_are_made_by_conversion_alone(self, program):
        """A product and its conversion in one instruction, v_fma_mixlo_f16, adds +0 and so loses the sign of -0."""
        self.assert_halves_are_converted(program)

    def test_halves_of_other_forms(self):
        """abs_sum's polynomial in the denominator has the constant 0, which fma adds on every device."""
        for form in OTHER_FORMS:
            function = ["--form", form, "--degrees", "7,6"]
            for program in compile_into(os.path.join(self.scratch, form), BY_CLANG, "tree",
                                        "device_to_device", ["f16"], CLANG, function):
                with self.subTest(form, program=program.label):
                    self.assert_halves_are_converted(program, may_add_zero=form == "abs_sum")

    def assert_halves_are_converted(self, program, may_add_zero=False):
        exact = r"cvt_f32_f16|pack_b32|cmpx?_|(pk_)?(max|min)"
        for kernel in program.kernels:
            self.assertGreater(kernel.count(r"v_cvt_f16_f32.*"), 0, kernel.name)
            self.assertEqual(kernel.count(rf"v_(?!cvt_f16_f32|{exact}).*_b?f16.*"), 0, kernel.name)
            if not may_add_zero:
                self.assertEqual(kernel.places(r"v_(fma|mad)_mix\w* .*, 0( |$)"), [], kernel.name)

    @for_each()
    def test_floats_are_added_right_in_every_memory(self, program):
        """By exchanges, unless the device's own addition does for memory that it shares with the host."""
        if program.strategy == "tree":
            return
        width = "(_x2|_b64)" if program.dtype == "f64" else "(_b32)?"
        wanted = rf"global_atomic_cmpswap{width}"
        if program.architecture == "gfx942":
            wanted = rf"global_atomic_add_{program.dtype}"
        backward = program.backward()
        self.assertGreater(backward.count(wanted), 0)
        self.assertEqual(backward.count(wanted), backward.count("global_atomic_.*"))

    @for_each()
    def test_subnormals_are_kept_and_rounding_is_to_nearest_even(self, program):
        for kernel in program.kernels:
            self.assertEqual(kernel.mode, 0xF0, kernel.name)  # denormals 3 and 3, rounding 0 and 0
            self.assertEqual(kernel.count(r"s_denorm_mode|s_round_mode|s_setreg_.*"), 0, kernel.name)
            # v_mad flushes subnormals; each division of 64-bit integers takes a v_trunc_f32 and two of them.
            self.assertLessEqual(kernel.count(r"v_(mad|mac|madmk|madak)_f32.*"), 2 * kernel.count(r"[sv]_trunc_f32.*"))
            self.assertEqual(kernel.count(r"v_cvt_pkrtz.*|v_mad_(mix|legacy).*"), 0, kernel.name)

    @for_each(strategy="tree", dtype="f32", is_ieee=True)
    def test_device_to_device_divides_correctly_rounded(self, program):
        fast = next(p for p in self.programs if (p.architecture, p.compiler, p.strategy, p.is_ieee)
                    == (program.architecture, program.compiler, "tree", False))
        for kernel, approximate in zip(program.kernels, fast.kernels):
            divisions = kernel.count(r"v_div_fixup_f32.*")
            self.assertEqual(kernel.name, approximate.name)
            self.assertGreaterEqual(divisions, approximate.count(r"v_div_fixup_f32.*") + 4)  # elements of a chunk
            self.assertEqual(kernel.count(r"v_div_fmas_f32.*"), divisions)
            self.assertEqual(kernel.count(r"v_div_scale_f32.*"), 2 * divisions)

    def test_products_are_not_contracted_into_fmas(self):
        """Of a constant over a constant: each element's w = dy / Q is added to a sum, in two roundings."""
        constant = ["--degrees", "0,0", "--form", "abs_sum_offset"]
        folder = os.path.join(self.scratch, "constant")
        for name, architectures, compiler in (("hiprtc", BY_HIPRTC, None), ("clang", BY_CLANG, CLANG)):
            unpacked = [a for a in architectures if a not in PACKED]
            for program in compile_into(os.path.join(folder, name), unpacked, "tree", "device_to_device", ["f32"],
                                        compiler, constant):
                self.assertGreaterEqual(program.backward().added_products(), 4, program.label)  # elements of a chunk
        contracted, = compile_into(os.path.join(folder, "contracted"), ["gfx1201"], "tree", "device_to_device", ["f32"],
                                   self.contracting_compiler(), constant)
        self.assertLess(contracted.backward().added_products(), 4)

    def test_contraction_would_be_seen(self):
        """Kernels whose products are contracted against grkan's wish have more fmas and fewer additions."""
        for program in compile_into(os.path.join(self.scratch, "contracted"), BY_CLANG, "tree", "device_to_device",
                                    ["f32"], self.contracting_compiler()):
            own = next(p for p in self.programs if p.label == program.label).backward()
            self.assertLess(own.count(FMA), program.backward().count(FMA), program.label)
            self.assertGreater(own.count(ADDITION), program.backward().count(ADDITION), program.label)

    def contracting_compiler(self):
        wrapper = os.path.join(self.scratch, "contracting")
        with open(wrapper, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {CLANG} "$@" -ffp-contract=fast\n')
        os.chmod(wrapper, 0o755)
        return wrapper

    @for_each()
    def test_arguments_are_as_the_document_says(self, program):
        self.assertNotIn("hidden_", program.notes)
        parts = re.split(r"^  - (?=\.\w)", program.notes, flags=re.M)[1:]
        arguments = {re.search(r"\.name: +(\w+)", part)[1]: [*zip(re.findall(r"\.offset: +(\d+)", part),
                                                                 re.findall(r"\.size: +(\d+)", part))]
                     for part in parts}
        launches = [launch for launches in program.document["launches"].values() for launch in launches]
        self.assertEqual({launch["kernel"] for launch in launches}, set(arguments))
        for launch in launches:
            self.assertEqual([(str(a["offset"]), str(a["bytes"])) for a in launch["arguments"]],
                             arguments[launch["kernel"]])


class TestRefusals(unittest.TestCase):
    def test_architectures_that_hiprtc_does_not_know(self):
        for architecture in ("gfx9999", "gfx90a:bogus+", "gfx1030:xnack-", "sm_90"):
            status, out, err = run(PROGRAM, "compile", "--backend", "hip", "--arch", architecture)
            self.assertEqual((status, out), (1, ""), err)
            self.assertIn(f'does not compile for architecture "{architecture}"; expected one that it knows', err)

    def test_compilers_that_do_not_compile(self):
        for compiler, text in (("/nowhere/clang", 'compiler "/nowhere/clang" does not run: No such file or directory'),
                               ("false", 'compiler "false" failed (1)'), ("true", 'compiler "true" left nothing')):
            status, out, err = run(PROGRAM, "compile", "--backend", "hip", "--arch", "gfx942", "--compiler", compiler)
            self.assertEqual((status, out), (1, ""), err)
            self.assertIn(text, err)

    def test_no_device_in_the_words_of_hip(self):
        if os.path.exists("/dev/kfd"):
            self.skipTest("there is a device")
        error = hip().get("error", "")
        self.assertRegex(error, r"(?i)^no device: hipGetDeviceCount says .*no.*device.* \(100\)$")


def hip():
    """What `grkan devices` says of the backend."""
    backends = json.loads(run(PROGRAM, "devices", "--json")[1])["backends"]
    return next(backend for backend in backends if backend["backend"] == "hip")


def reason_without_hip():
    """Why the hip backend cannot compile; None if it can."""
    if not hip()["libraries"]:
        return hip()["error"]
    return next((line for line in hip()["libraries"] if line.startswith("hipRTC: none")), None)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    if reason_without_hip() is not None:
        print(f"SKIP: {reason_without_hip()}")
        sys.exit(77)
    missing = [tool for tool in (CLANG, LINKER, OBJDUMP, READELF) if not shutil.which(tool)]
    if missing:
        print(f"SKIP: not installed: {' '.join(missing)}")
        sys.exit(77)
    unittest.main()
