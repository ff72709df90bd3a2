"""Each error message once: the file, what was found, what was expected, and a remedy where there is one."""


import numpy as np

from harness import BAD_INPUT, BnTest, SYSTEM, USAGE, main

STATE = {"mode": "train", "gamma": [1.0, 2.0, 3.0], "beta": [0.0, 0.0, 0.0], "running_mean": [0.0, 0.5, 1.0],
         "running_var": [1.0, 1.0, 1.0], "num_batches_tracked": 3}


class MessagesTest(BnTest):
    def setUp(self):
        super().setUp()
        self.save("x.npy", self.random.normal(0, 1, (10, 3)))
        self.save("dy.npy", self.random.normal(0, 1, (10, 3)))
        self.state(**STATE)

    def forward_fails(self, code, *arguments, mentions=(), x="x.npy", **more):
        return self.fails(code, "forward", x, "--state", "state.json", "-o", "y.npy", *arguments,
                          mentions=mentions, **more)


class UsageTest(MessagesTest):
    def test_a_misspelt_subcommand_says_what_was_meant(self):
        for wrong, meant in (("forwrad", "forward"), ("bakward", "backward"), ("stat", "stats"),
                             ("calibarte", "calibrate"), ("inti", "init"), ("comapre", "compare"),
                             ("verfy", "verify")):
            self.fails(USAGE, wrong, "x.npy", mentions=[wrong, meant])

    def test_a_misspelt_flag_says_what_was_meant(self):
        for wrong, meant in (("--momentun", "--momentum"), ("--sate-out", "--state-out"), ("--treads", "--threads"),
                             ("--axs", "--axis"), ("--no-updat", "--no-update"), ("--cahe", "--cache")):
            self.forward_fails(USAGE, wrong, "1", mentions=[wrong, meant])

    def test_a_flag_is_never_taken_by_its_first_letters(self):
        self.forward_fails(USAGE, "--moment", "0.5", mentions="--momentum")

    def test_a_flag_of_another_command_is_unknown(self):
        self.forward_fails(USAGE, "--average-batches", mentions="--average-batches")

    def test_a_missing_value_is_named(self):
        self.forward_fails(USAGE, "--eps", mentions="--eps")

    def test_missing_required_flags_are_named(self):
        self.fails(USAGE, "forward", "x.npy", "-o", "y.npy", mentions="--state")
        self.fails(USAGE, "forward", "x.npy", "--state", "state.json", mentions="-o")
        self.fails(USAGE, "backward", "dy.npy", "--state", "state.json", "--dx", "dx.npy", mentions="--x")
        self.fails(USAGE, "forward", "--state", "state.json", "-o", "y.npy")
        self.fails(USAGE, "stats", "-o", "part.json")
        self.fails(USAGE, "calibrate", "x.npy", mentions="--state")
        self.fails(USAGE, "compare", "x.npy", mentions="B")
        self.fails(USAGE, "verify", "x.npy", "--y", "x.npy", mentions="--state")
        self.fails(USAGE, "verify", "--state", "state.json", "--y", "x.npy", mentions="X")

    def test_an_argument_too_many_is_named(self):
        self.forward_fails(USAGE, "another.npy", mentions="another.npy")

    def test_eps_has_to_be_a_positive_finite_number(self):
        for value in ("0", "-1", "nan", "inf", "1e999", "abc", "", "0x1p-3", "1e-5x", "1,5"):
            self.forward_fails(USAGE, "--eps=" + value, mentions="--eps")

    def test_momentum_has_to_lie_between_0_and_1(self):
        for value in ("-0.1", "1.1", "nan", "inf", "abc", ""):
            self.forward_fails(USAGE, "--momentum=" + value, mentions="--momentum")

    def test_mode_is_train_or_test(self):
        self.forward_fails(USAGE, "--mode", "trian", mentions=["trian", "train", "test"])

    def test_axis_has_to_be_an_integer(self):
        for value in ("1.5", "one", "0x1", "99999999999999999999", ""):
            self.forward_fails(USAGE, "--axis=" + value, mentions="--axis")

    def test_numbers_are_decimal_with_or_without_leading_zeros(self):
        self.ok("forward", "x.npy", "--state", "state.json", "-o", "y.npy", "--no-update", "--axis", "001")
        self.ok("init", "--channels", "010", "-o", "ten.json")
        self.assertEqual(len(self.json("ten.json")["gamma"]), 10)

    def test_dtype_is_a_float_type(self):
        for value in ("int32", "float", "double", "f4", "complex64"):
            message = self.forward_fails(USAGE, "--dtype=" + value, mentions="--dtype")
            self.assertIn("float32", message)

    def test_channels_have_to_be_a_sensible_number(self):
        for value in ("-1", "1.5", "nan", "99999999999999999999", "many"):
            self.fails(USAGE, "init", "--channels=" + value, "-o", "new.json", mentions="--channels")

    def test_lock_timeout_has_to_be_a_number_of_seconds(self):
        for value in ("-1", "nan", "soon"):
            self.forward_fails(USAGE, "--lock-timeout=" + value, mentions="--lock-timeout")

    def test_init_values_have_to_be_numbers_or_arrays(self):
        for flag in ("--gamma", "--beta", "--running-mean", "--running-var"):
            for value in ("nan", "inf"):
                self.fails(USAGE, "init", "--channels", 2, "%s=%s" % (flag, value), "-o", "new.json",
                           mentions=flag)
        self.fails(USAGE, "init", "--channels", 2, "--running-var=-1", "-o", "new.json", mentions="--running-var")
        self.fails(SYSTEM, "init", "--gamma", "missing.npy", "-o", "new.json", mentions="missing.npy")

    def test_a_flag_given_twice_is_refused(self):
        self.forward_fails(USAGE, "--eps", "1e-3", "--eps", "1e-4", mentions="--eps")


class ArraysTest(MessagesTest):
    def test_gamma_of_another_length_than_the_channels_names_both_files(self):
        self.save("x.npy", self.random.normal(0, 1, (2, 3, 4, 5)))
        for key in ("gamma", "beta", "running_mean", "running_var"):
            self.state(mode="train", **{key: [1.0] * 4})
            message = self.forward_fails(BAD_INPUT, mentions=["state.json: ", "x.npy"])
            self.assertIn("%s has 4 values" % key, message)
            self.assertIn("3 channels (axis 1 of (2, 3, 4, 5))", message)

    def test_an_axis_out_of_range_names_the_shape(self):
        for axis in (2, -3, 63):
            message = self.forward_fails(BAD_INPUT, "--axis", axis, mentions="x.npy")
            self.assertIn(str(axis), message)
            self.assertIn("(10, 3)", message)

    def test_an_axis_of_the_state_out_of_range_is_refused_too(self):
        self.state(**dict(STATE, axis=5))
        self.forward_fails(BAD_INPUT, mentions=["5", "(10, 3)"])

    def test_a_nan_names_its_index(self):
        x = self.random.normal(0, 1, (4, 3, 5))
        x[1, 2, 3] = np.nan
        x[3, 0, 0] = np.inf
        self.save("x.npy", x)
        self.forward_fails(BAD_INPUT, mentions=["x.npy", "NaN", "(1, 2, 3)"])
        self.save("x.npy", np.asfortranarray(x))
        self.forward_fails(BAD_INPUT, mentions="x.npy")
        x[1, 2, 3] = 0
        self.save("x.npy", x)
        self.forward_fails(BAD_INPUT, mentions=["x.npy", "inf", "(3, 0, 0)"])

    def test_a_nan_in_dy_names_its_file_and_index(self):
        dy = self.random.normal(0, 1, (10, 3))
        dy[7, 1] = -np.inf
        self.save("dy.npy", dy)
        self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy",
                   mentions=["dy.npy", "-inf", "(7, 1)"])

    def test_shapes_of_x_and_dy_that_differ_are_both_named(self):
        self.save("dy.npy", self.random.normal(0, 1, (10, 4)))
        self.fails(BAD_INPUT, "backward", "dy.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy",
                   mentions=["dy.npy", "x.npy", "(10, 4)", "(10, 3)"])

    def test_standard_input_is_named_so(self):
        self.forward_fails(BAD_INPUT, x="-", stdin=b"no array", mentions="standard input")

    def test_a_missing_file_is_named(self):
        self.forward_fails(SYSTEM, x="missing.npy", mentions=["missing.npy", "No such file"])
        self.fails(SYSTEM, "backward", "missing.npy", "--x", "x.npy", "--state", "state.json", "--dx", "dx.npy",
                   mentions="missing.npy")
        self.fails(SYSTEM, "forward", "x.npy", "--state", "missing.json", "-o", "y.npy", mentions="missing.json")
        self.fails(SYSTEM, "backward", "dy.npy", "--x", "x.npy", "--cache", "missing.json", "--dx", "dx.npy",
                   mentions="missing.json")
        self.fails(SYSTEM, "stats", "missing.npy", "-o", "part.json", mentions="missing.npy")
        self.fails(SYSTEM, "calibrate", "--state", "state.json", "missing.npy", mentions="missing.npy")
        self.fails(SYSTEM, "compare", "missing.npy", "x.npy", mentions="missing.npy")
        self.fails(SYSTEM, "compare", "x.npy", "missing.npy", mentions="missing.npy")
        verify = ["verify", "x.npy", "--state", "state.json", "--dy", "dy.npy", "--dgamma", "missing.npy"]
        for missing in (verify, [*verify, "--y", "missing.npy"], [*verify, "--state-after", "missing.json"]):
            self.fails(SYSTEM, *missing, mentions="missing.")

    def test_a_missing_array_of_the_state_is_named(self):
        self.state(**dict(STATE, gamma="missing.npy"))
        self.forward_fails(BAD_INPUT, mentions="state.json: gamma: missing.npy: No such file")

    def test_an_array_of_the_state_that_is_not_finite_is_named(self):
        self.save("gamma.npy", np.array([1.0, np.nan, 1.0]))
        self.state(**dict(STATE, gamma="gamma.npy"))
        self.forward_fails(BAD_INPUT, mentions="gamma.npy")

    def test_an_array_of_the_state_of_another_length_is_named(self):
        self.save("gamma.npy", np.ones(4))
        self.state(**dict(STATE, gamma="gamma.npy"))
        self.forward_fails(BAD_INPUT, mentions=["state.json", "gamma", "4", "3"])

    def test_a_file_name_with_control_characters_is_still_one_line(self):
        self.forward_fails(SYSTEM, x="no\nsuch\x1bfile\t.npy", mentions="file")


class StateTest(MessagesTest):
    def test_arrays_of_different_lengths_in_one_state_are_refused(self):
        self.state(**dict(STATE, beta=[0.0] * 4))
        self.forward_fails(BAD_INPUT, mentions=["state.json", "beta", "4", "3"])

    def test_a_misspelt_key_says_what_was_meant(self):
        for wrong, meant in (("momentun", "momentum"), ("gama", "gamma"), ("running_men", "running_mean"),
                             ("epsilon", "eps"), ("num_batch_tracked", "num_batches_tracked"),
                             ("momentum_weight", "momentum_weights")):
            self.state(**dict(STATE, **{wrong: 0.5}))
            self.forward_fails(BAD_INPUT, mentions=["state.json: ", wrong, meant])

    def test_a_syntax_error_says_where(self):
        self.write("state.json", '{"mode": "train",\n "eps": 1e-5,,}')
        message = self.forward_fails(BAD_INPUT, mentions="state.json")
        self.assertIn("line 2", message)


if __name__ == "__main__":
    main()
