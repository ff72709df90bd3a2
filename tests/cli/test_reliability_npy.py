"""Cases 1 to 28: what comes in as .npy. Everything malformed is exit code 3, one line, nothing changed."""

import os
import re
import time

import numpy as np

import harness
from harness import BAD_INPUT, BN, BnTest, died_of, header_of, main, npy

STATE = {"mode": "train", "gamma": [1.0, 2.0, 3.0], "running_mean": [0.0, 0.5, 1.0],
         "running_var": [1.0, 1.0, 2.0], "num_batches_tracked": 3}


class NpyTest(BnTest):
    def setUp(self):
        super().setUp()
        self.x = self.random.normal(0, 1, (8, 3))
        self.save("x.npy", self.x)
        self.save("dy.npy", self.x)
        self.state(**STATE)
        self.want = self.y_of("x.npy")

    def y_of(self, name, *arguments, **more):
        self.silent("forward", name, "--state", "state.json", "-o", "y.npy", "--no-update", *arguments, **more)
        return self.read("y.npy")

    def refused(self, data, mentions=("bad.npy",), file_too=True):
        """As a file and through a pipe, in both modes."""
        self.write("bad.npy", data)
        message = self.fails(BAD_INPUT, "forward", "bad.npy", "--state", "state.json", "-o", "y.npy",
                             mentions=mentions)
        self.fails(BAD_INPUT, "forward", "-", "--state", "state.json", "-o", "y.npy", "--mode", "test", stdin=data,
                   mentions="standard input")
        return message

    def header(self, descr="'<f8'", fortran="False", shape="(8, 3)"):
        return "{'descr': %s, 'fortran_order': %s, 'shape': %s, }\n" % (descr, fortran, shape)

    def accepted(self, header, version=(1, 0), want=None):
        self.write("good.npy", npy(header, self.x.tobytes(), version))
        self.assertEqual(self.y_of("good.npy"), want or self.want, header)
        self.assertEqual(self.y_of("-", stdin=self.read("good.npy")), want or self.want, header)

    def measured(self, data):
        """(exit code, CPU seconds, peak memory in bytes) of forward on these bytes."""
        self.write("bad.npy", data)
        before = self.snapshot()
        process = os.posix_spawn(BN, [BN, "forward", self.path("bad.npy"), "--state", self.path("state.json"), "-o",
                                      self.path("y.npy")], os.environ,
                                 file_actions=[(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)])
        started = time.monotonic()
        _, status, usage = os.wait4(process, 0)
        elapsed = min(time.monotonic() - started, usage.ru_utime + usage.ru_stime)
        self.assertEqual(self.snapshot(), before)
        return os.waitstatus_to_exitcode(status), elapsed, usage.ru_maxrss * 1024

    def assert_cheap(self, data):
        code, seconds, memory = self.measured(data)
        self.assertEqual(code, BAD_INPUT)
        if not harness.SANITIZED:
            self.assertLess(seconds, 0.1)
            self.assertLess(memory, 50e6)

    def test_case_01_an_empty_file_is_refused(self):
        self.refused(b"")

    def test_case_02_a_wrong_magic_is_refused(self):
        good = self.read("x.npy")
        for data in (b"\x93NUMPZ" + good[6:], b"\x92NUMPY" + good[6:], b"PK\x03\x04" + good[4:], b"{" + good[1:],
                     b"1 2 3\n4 5 6\n", bytes(200)):
            self.refused(data)

    def test_case_03_a_valid_file_cut_at_every_byte_is_refused(self):
        good = self.read("x.npy")
        for size in range(len(good)):
            self.write("bad.npy", good[:size])
            self.fails(BAD_INPUT, "forward", "bad.npy", "--state", "state.json", "-o", "y.npy", mentions="bad.npy")

    def test_case_03_a_valid_stream_cut_at_every_byte_is_refused(self):
        good = self.read("x.npy")
        for size in range(0, len(good), 3):
            self.fails(BAD_INPUT, "forward", "-", "--state", "state.json", "-o", "y.npy", stdin=good[:size])

    def test_case_04_unknown_versions_are_refused_and_named(self):
        for version in ((0, 0), (4, 0), (1, 1), (2, 2), (255, 255)):
            message = self.refused(npy(self.header(), self.x.tobytes(), version))
            self.assertIn("%d.%d" % version, message)

    def test_case_05_the_same_array_as_version_1_2_and_3_gives_the_same_bits(self):
        for version in ((1, 0), (2, 0), (3, 0)):
            self.accepted(self.header(), version)

    def test_case_06_twelve_bytes_that_claim_a_header_of_4_gib_are_refused_at_once(self):
        self.assert_cheap(b"\x93NUMPY\x02\x00\xff\xff\xff\xff")
        self.refused(b"\x93NUMPY\x02\x00\xff\xff\xff\xff")

    def test_case_07_a_header_length_past_the_end_or_0_or_1_is_refused(self):
        for length in (0, 1, 60000):
            for version in ((1, 0), (2, 0)):
                self.refused(npy(self.header(), self.x.tobytes(), version, length))

    def test_case_08_a_header_length_that_is_not_a_multiple_of_16_is_accepted(self):
        for padding in range(17):
            self.accepted(self.header()[:-1] + " " * padding + "\n")

    def test_case_09_a_header_over_64_kib_is_refused_before_memory_is_taken(self):
        data = npy(self.header()[:-1] + " " * 70000 + "\n", self.x.tobytes(), (2, 0))
        self.refused(data)
        self.assert_cheap(data)
        self.accepted(self.header()[:-1] + " " * 60000 + "\n")

    def test_case_10_a_header_without_newline_is_accepted(self):
        self.accepted(self.header()[:-1])

    def test_case_11_control_bytes_in_the_header_are_refused(self):
        for byte in "\0\x01\x07\x0b\x1b\x7f":
            for where in (0, 1, 12, 40, len(self.header()) - 2):
                header = self.header()
                self.refused(npy(header[:where] + byte + header[where:], self.x.tobytes()))

    def test_case_12_other_key_orders_quotes_and_spacing_are_accepted(self):
        for header in ("{'shape': (8, 3), 'fortran_order': False, 'descr': '<f8'}\n",
                       '{"fortran_order": False, "descr": "<f8", "shape": (8, 3)}\n',
                       "{'descr':'<f8','fortran_order':False,'shape':(8,3)}\n",
                       "  {  'descr'  :  '<f8' , 'fortran_order' : False , 'shape' : ( 8 , 3 , ) , }  \n",
                       "{'descr': '<f8', \"fortran_order\": False, 'shape': (8,3,),}"):
            self.accepted(header)

    def test_case_13_missing_extra_and_twice_given_keys_are_refused(self):
        for header, mention in (("{'fortran_order': False, 'shape': (8, 3)}", "descr"),
                                ("{'descr': '<f8', 'shape': (8, 3)}", "fortran_order"),
                                ("{'descr': '<f8', 'fortran_order': False}", "shape"),
                                ("{'descr': '<f8', 'fortran_order': False, 'shape': (8, 3), 'extra': 1}", "extra"),
                                ("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (8, 3)}", "descr"),
                                ("{'shape': (8, 3), 'descr': '<f8', 'fortran_order': False, 'shape': (8, 3)}", "shape"),
                                ("{}", "bad.npy")):
            self.assertIn(mention, self.refused(npy(header + "\n", self.x.tobytes())))

    def test_case_14_text_after_the_closing_brace_is_refused(self):
        for text in ("x", "{}", ", ", "}", "\n#", " 1"):
            self.refused(npy(self.header()[:-1] + text + "\n", self.x.tobytes()))

    def test_case_15_a_shape_that_is_not_a_tuple_is_refused(self):
        for shape in ("[8, 3]", "24", "(24)", "'(8, 3)'", "None", "{8, 3}", "(8, 3", "8, 3", "((8, 3),)", "(8 3)",
                      "(8,, 3)", "(,)", "(8, '3')", "(8, None)", ""):
            self.refused(npy(self.header(shape=shape), self.x.tobytes()))

    def test_case_16_a_negative_dimension_is_refused(self):
        for shape in ("(-8, 3)", "(8, -3)", "(-8, -3)"):
            self.refused(npy(self.header(shape=shape), self.x.tobytes()))

    def test_case_17_dimensions_that_are_not_plain_integers_are_refused(self):
        for dimension in ("True", "8.0", "0x8", "8e0", "1e3", "0b1000", "08", "8_0", "+8", "8j", "'8'"):
            self.refused(npy(self.header(shape="(%s, 3)" % dimension), self.x.tobytes()))

    def test_case_18_a_dimension_over_2_to_the_63_is_refused(self):
        for dimension in (2 ** 63, 2 ** 63 + 8, 2 ** 64, 2 ** 64 + 8, 10 ** 30, "9" * 5000):
            self.refused(npy(self.header(shape="(%s, 3)" % dimension), self.x.tobytes()))

    def test_case_19_a_product_that_wraps_is_refused(self):
        for shape in ((2 ** 32, 2 ** 32), (2 ** 62, 4), (2 ** 61, 8, 3), (2 ** 61, 1), (2 ** 31, 2 ** 31, 4, 3),
                      (2 ** 61 + 3, 8), (0, 2 ** 63 - 1, 2 ** 63 - 1)):
            self.refused(npy(self.header(shape=str(shape)), self.x.tobytes()))

    def test_case_20_a_shape_of_8_eib_is_refused_before_memory_is_taken(self):
        for shape in ((2 ** 30, 2 ** 30), (2 ** 57, 8)):
            self.refused(npy(self.header(shape=str(shape)), self.x.tobytes()))
        for shape in ((2 ** 30, 2 ** 30), (2 ** 57, 8), (2 ** 40, 3), (10 ** 6, 10 ** 6)):
            self.assert_cheap(npy(self.header(shape=str(shape)), self.x.tobytes()))

    def test_case_21_data_one_byte_short_name_both_sizes(self):
        message = self.refused(npy(self.header(), self.x.tobytes()[:-1]))
        expected, got = map(int, re.search(r"expected (\d+) bytes, got (\d+)", message).groups())
        self.assertEqual(expected - got, 1)
        self.assertIn(expected, (192, len(self.read("bad.npy")) + 1))

    def test_case_22_bytes_after_the_data_are_refused(self):
        for more in (b"\0", b"x" * 8, self.read("x.npy")):
            self.refused(npy(self.header(), self.x.tobytes() + more))

    def test_case_23_rank_0_and_rank_1_are_refused(self):
        for shape, data in (("()", self.x[0, :1]), ("(3,)", self.x[0])):
            self.refused(npy(self.header(shape=shape), data.tobytes()), mentions=["bad.npy", shape])

    def test_case_24_fortran_order_is_read_and_kept(self):
        x = self.random.normal(0, 1, (4, 3, 5))
        self.save("c.npy", x)
        self.save("f.npy", np.asfortranarray(x))
        self.y_of("c.npy")
        want = self.load("y.npy")
        self.y_of("f.npy")
        self.assertTrue((self.load("y.npy") == want).all())
        self.assertTrue(self.load("y.npy").flags.f_contiguous)

    def test_case_25_big_endian_floats_are_read(self):
        for size in ("2", "4", "8"):
            x = self.x.astype("<f" + size)
            self.save("little.npy", x)
            self.save("big.npy", x.astype(">f" + size))
            self.assertIn(b"'>f" + size.encode(), self.read("big.npy"))
            self.assertEqual(self.y_of("big.npy"), self.y_of("little.npy"))

    def test_case_26_other_dtypes_are_refused_by_name_with_the_payload_unread(self):
        for name, dtype in (("complex64", "c8"), ("complex128", "c16"), ("datetime64", "M8[ns]"),
                            ("timedelta64", "m8[s]"), ("|S3", "S3"), ("<U3", "U3"), ("|V8", "V8"),
                            ("a", [("a", "<f4"), ("b", "<i4")]), ("object", "O")):
            with self.subTest(dtype=name):
                array = np.zeros((8, 3), dtype=dtype)
                descr = np.lib.format.dtype_to_descr(array.dtype)
                for payload in (b"", b"\x80\x04cos\nsystem\n"):
                    message = self.refused(npy(self.header(descr=repr(descr)), payload))
                    if isinstance(descr, str):
                        self.assertTrue(name in message or descr in message, message)
                    self.assertIn("float32", message)

    def test_case_26_long_doubles_are_refused_by_name(self):
        self.assertIn("f16", self.refused(npy(self.header(descr="'<f16'"), bytes(16 * 24))))

    def test_case_27_mangled_dtypes_are_refused(self):
        for descr in ("'<f'", "'<f4x'", "'<f99999999999'", "''", "'<'", "'<<f8'", "'<f08'", "'<f-8'", "'<i16'",
                      "'<f8", "<f8", "8", "None", "b'<f8'", "'<f8' '<f8'", "('<f8',)"):
            self.refused(npy(self.header(descr=descr), self.x.tobytes()))

    def test_case_27_fortran_order_has_to_be_true_or_false(self):
        for value in ("0", "1", "'False'", "None", "false", "Falsee", ""):
            self.refused(npy(self.header(fortran=value), self.x.tobytes()))

    def test_case_28_x_and_dy_of_other_shapes_are_refused(self):
        for shape in ((8, 4), (3, 8), (8, 3, 1), (7, 3), (24, 1)):
            self.save("dy.npy", np.zeros(shape))
            self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy",
                       mentions=["dy.npy", "x.npy", str(shape), "(8, 3)"])

    def test_no_malformed_file_crashes_the_program(self):
        """Every byte of a valid file changed, one after the other: refused, or read as another array."""
        good = self.read("x.npy")
        for at in range(140):
            for flip in (0x01, 0x80, 0xff):
                data = bytearray(good)
                data[at] ^= flip
                self.write("bad.npy", data)
                before = self.snapshot()
                run = self.bn("forward", "bad.npy", "--state", "state.json", "-o", "y.npy", "--mode", "test")
                self.assertIsNone(died_of(run.returncode))
                self.assertIn(run.returncode, (0, BAD_INPUT), run.stderr)
                if run.returncode:
                    self.check_failure(run, BAD_INPUT, before)

    def test_header_of_numpy_is_the_one_written_by_hand_here(self):
        self.assertIn(header_of(self.x).encode(), self.read("x.npy"))


if __name__ == "__main__":
    main()
