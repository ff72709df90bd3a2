"""bn verify: names the mistakes that NumPy code makes, passes what is right, and says so where it knows none."""

import collections
import json

import numpy as np

import mistakes
from harness import BnTest, DIFFERS, DONE, main

# name: shape, axis, dtype of x, dtype of the claims
SETUPS = {"rows": ((64, 5), 1, "float32", "float32"),
          "nchw": ((8, 6, 7, 7), 1, "float32", "float32"),
          "nhwc": ((8, 7, 7, 6), -1, "float32", "float32"),
          "volumes": ((4, 3, 2, 3, 2), 1, "float64", "float64"),
          "half rows": ((64, 5), 1, "float32", "float16"),
          "half nhwc": ((4, 3, 2, 6), -1, "float16", "float16"),
          "square": ((4, 6, 6, 6), 1, "float32", "float32"),  # every axis but the first has C values
          "sequences": ((6, 4, 9), 1, "float64", "float32"),
          "flat": ((3, 8, 4, 4), 1, "float64", "float64"),  # every other axis has fewer values
          "many channels": ((16, 300), 1, "float32", "float32"),
          "long": ((200_000, 3), 1, "float32", "float32"),
          "large": ((16, 8, 64, 64), 1, "float32", "float32")}
EVERY = ("rows", "nchw", "nhwc", "volumes", "half rows", "half nhwc")
SINGLE = ("rows", "nchw", "nhwc", "volumes")
SPATIAL = ("nchw", "nhwc", "volumes", "half nhwc")

QUANTITIES = ("y", "running_mean", "running_var", "num_batches_tracked", "dx", "dgamma", "dbeta")

# What explains a claim as well as the mistake that was made, whatever the data; and why.
AS_WELL = {
    "eps_missing": {"eps_other"},          # eps is 0
    "eps_twice": {"eps_other"},            # eps is twice as large
    "per_sample_statistics": {"group_statistics"},  # of one sample
    "never_updated": {"momentum_other"},   # the batch has weight 0
    "updated_twice": {"momentum_other"},   # 1 - momentum^2
    "momentum_other_side": {"momentum_other"},      # 1 - (1 - momentum)
    "momentum_cumulative": {"momentum_other"},      # 1/k
    "inv_std_squared": {"divided_by_var"},  # dgamma has one factor inv_std, so these are one
}


# Mistakes that somebody makes in this quantity; options: of the layer.
Case = collections.namedtuple("Case", "quantity names value where options")


def case(quantity, names, value=None, where=("nchw",), **options):
    return Case(quantity, (names,) if isinstance(names, str) else names, value, where, options)


ONE = [
    case("y", "eps_other", 1e-5, EVERY),
    case("y", "eps_other", 1e-7, ("nhwc",), eps=1e-5),
    case("y", "eps_other", 0.1, ("rows",)),
    case("y", "eps_outside_root", None, EVERY),
    case("y", "eps_outside_root", None, ("nchw", "rows"), eps=1e-5),
    case("y", "eps_maximum", None, EVERY),
    case("y", "eps_missing", None, EVERY),
    case("y", "eps_missing", None, ("nhwc",), train=False),
    case("y", "eps_twice", None, EVERY),
    case("y", "var_unbiased", None, SINGLE + ("half nhwc",)),  # a float16 of 64 values per channel hardly shows it
    case("y", "divided_by_var", None, EVERY),
    case("y", "running_statistics", None, EVERY),
    case("y", "batch_statistics", None, EVERY, train=False),
    case("y", "gamma_missing", None, EVERY),
    case("y", "beta_missing", None, EVERY),
    case("y", "beta_missing", None, ("rows", "half nhwc"), train=False),
    case("y", "gamma_twice", None, EVERY),
    case("y", "beta_twice", None, EVERY),
    case("y", "affine_twice", None, EVERY),
    case("y", "gamma_sign_lost", None, EVERY),
    case("y", "gamma_beta_swapped", None, EVERY),
    case("y", "mean_missing", None, EVERY),
    case("y", "other_axis", 0, ("rows", "nchw", "volumes")),
    case("y", "other_axis", 3, ("nchw",)),
    case("y", "other_axis", 2, ("square",)),
    case("y", "other_axis", 1, ("nhwc", "half nhwc")),
    case("y", "whole_array", None, EVERY),
    case("y", "memory_as_nhwc", None, ("nchw", "volumes")),
    case("y", "memory_as_nchw", None, ("nhwc", "half nhwc")),
    case("y", "channels_permuted_parameters", None, EVERY),
    case("y", "channels_permuted_statistics", None, EVERY),
    case("y", "per_sample_statistics", None, SPATIAL),
    case("y", "group_statistics", 2, ("nchw", "nhwc", "volumes")),
    case("y", "group_statistics", 4, ("nchw", "nhwc", "half rows")),
    case("y", "group_statistics", 32, ("rows",)),
    case("y", "low_precision_sums", 32, ("nchw", "rows"), smallest=0.5, largest=2, offset=(300, 1000)),
    case("y", "low_precision_sums", 32, ("nhwc",), smallest=0.01, largest=10, offset=(2000, 3000)),
    case("y", "low_precision_sums", 16, ("rows", "half rows"), smallest=0.3, largest=2, offset=(5, 15)),

    case("running_mean", "momentum_other_side", None, SINGLE),
    case("running_mean", "momentum_cumulative", None, ("rows",)),
    case("running_mean", "never_updated", None, SINGLE),
    case("running_mean", "updated_twice", None, ("rows", "nhwc")),
    case("running_mean", "momentum_other", 0.01, SINGLE),
    case("running_mean", "channels_permuted_statistics", None, ("rows", "nhwc")),
    case("running_var", "momentum_other_side", None, SINGLE),
    case("running_var", "momentum_cumulative", None, ("nchw",)),
    case("running_var", "never_updated", None, SINGLE),
    case("running_var", "updated_twice", None, ("rows", "nhwc")),
    case("running_var", "momentum_other", 0.01, SINGLE),
    case("running_var", "var_biased", None, SINGLE, unbiased=True),
    case("running_var", "var_unbiased", None, SINGLE),
    case("running_var", "eps_in_running_var", None, SINGLE),
    case("running_var", "deviation_for_variance", None, SINGLE),
    case("running_var", "shard_statistics", 2, ("nchw", "nhwc"), unbiased=True),
    case("running_var", "shard_statistics", 16, ("rows",)),
    case("running_var", "channels_permuted_statistics", None, ("rows", "nhwc")),
    case("running_var", "low_precision_sums", 32, ("nchw",), smallest=0.5, largest=2, offset=(300, 1000)),

    case("dx", "eps_other", 1e-5, ("nchw", "half rows")),
    case("dx", "running_statistics", None, ("rows",)),
    case("dx", "gamma_missing", None, EVERY),
    case("dx", "gamma_missing", None, ("nhwc",), train=False),
    case("dx", "gamma_sign_lost", None, ("nchw",)),
    case("dx", "mean_terms_missing", None, EVERY),
    case("dx", "mean_terms_added", None, EVERY, train=False),
    case("dx", "batch_statistics", None, ("nchw", "half rows"), train=False),
    case("dx", "divided_by_count", None, EVERY),
    case("dx", "not_divided_by_count", None, EVERY),
    case("dx", "inv_std_missing", None, EVERY),
    case("dx", "inv_std_squared", None, EVERY),
    case("dx", "channels_permuted_parameters", None, ("nhwc",)),
    case("dx", "per_sample_statistics", None, ("nchw",)),

    case("dgamma", "gradients_swapped", None, SINGLE),
    case("dgamma", "inv_std_missing", None, EVERY),
    case("dgamma", "inv_std_squared", None, EVERY),
    case("dgamma", "mean_for_sum", None, EVERY),
    case("dgamma", "x_for_x_hat", None, EVERY),
    case("dgamma", "eps_other", 1e-5, ("nhwc",)),
    case("dgamma", "running_statistics", None, ("rows",)),
    case("dbeta", "gradients_swapped", None, SINGLE),
    case("dbeta", "mean_for_sum", None, EVERY),
]

# Layers as they are made, before they have learned anything; and data of which not every value is looked at.
PLAIN = [case(quantity, name, value, where, plain=True) for quantity, name, value, where in (
    ("y", "eps_other", 1e-5, ("rows", "half nhwc")), ("y", "eps_outside_root", None, ("rows", "nhwc")),
    ("y", "var_unbiased", None, ("nchw",)), ("y", "divided_by_var", None, ("rows", "half rows")),
    ("y", "running_statistics", None, ("nhwc",)), ("y", "mean_missing", None, ("nchw",)),
    ("y", "other_axis", 3, ("nchw",)), ("y", "memory_as_nhwc", None, ("nchw",)),
    ("y", "per_sample_statistics", None, ("nhwc",)), ("y", "group_statistics", 4, ("nchw",)),
    ("y", "channels_permuted_statistics", None, ("rows",)), ("dx", "mean_terms_missing", None, ("nhwc",)),
    ("dx", "inv_std_missing", None, ("rows",)), ("dx", "divided_by_count", None, ("nchw",)))]
LARGE = [
    case("y", "eps_outside_root", None, ("many channels", "long", "large")),
    case("y", "gamma_missing", None, ("long", "many channels")),
    case("y", "channels_permuted_parameters", None, ("many channels", "large")),
    case("y", "channels_permuted_statistics", None, ("many channels",)),
    case("y", "per_sample_statistics", None, ("large",)),
    case("y", "group_statistics", 4, ("large",)),
    case("y", "memory_as_nhwc", None, ("large",)),
    case("dx", "mean_terms_missing", None, ("long", "large")),
    case("dgamma", "inv_std_missing", None, ("many channels",)),
    case("running_var", "shard_statistics", 2, ("many channels",), unbiased=True)]

TWO = [
    case("y", ("eps_outside_root", "gamma_missing"), None, ("nchw", "half rows")),
    case("y", ("beta_twice", "var_unbiased"), None, ("rows", "volumes")),
    case("y", ("beta_missing", "eps_other"), 1e-5, ("nhwc", "rows")),
    case("y", ("eps_missing", "gamma_sign_lost"), None, ("nchw",)),
    case("y", ("gamma_twice", "running_statistics"), None, ("nhwc",)),
    case("y", ("divided_by_var", "mean_missing"), None, ("rows",)),
    case("y", ("beta_missing", "per_sample_statistics"), None, ("nchw",)),
    case("dx", ("gamma_missing", "mean_terms_missing"), None, ("nchw", "half nhwc")),
    case("dx", ("eps_outside_root", "gamma_missing"), None, ("rows",)),
    case("dgamma", ("inv_std_missing", "mean_for_sum"), None, ("rows", "nhwc")),
    case("running_var", ("momentum_other_side", "var_unbiased"), None, ("rows", "nhwc")),
    case("running_var", ("momentum_other", "var_unbiased"), 0.01, ("nchw",)),
]


def rounded(array, dtype):
    return np.asarray(array).astype(dtype)


class VerifyTest(BnTest):
    def layer(self, setup, plain=False, **options):
        """A layer and data of this setup, the same ones for the same options. plain: gamma is 1 and beta 0."""
        shape, axis, x_dtype, _ = SETUPS[setup]
        random = np.random.default_rng([len(setup), *map(ord, setup)])
        layer = mistakes.some_layer(random, shape, axis, x_dtype, **options)
        if plain:
            return layer.part(layer.x, layer.dy, gamma=np.ones_like(layer.gamma), beta=np.zeros_like(layer.beta))
        return layer

    def verify(self, layer, claims, x_dtype="float64", axis=None, arguments=(), dtype="float32", **more):
        """Runs bn on {quantity: claimed array}; (exit code, report). dtype: of claimed running statistics."""
        self.save("x.npy", rounded(layer.x, x_dtype))
        self.state("before.json", **{**layer.state(axis), **more})
        command, after = ["verify", "x.npy", "--state", "before.json"], {}
        if set(claims) & {"dx", "dgamma", "dbeta"}:
            self.save("dy.npy", rounded(layer.dy, x_dtype))
            command += ["--dy", "dy.npy"]
        for quantity, claim in claims.items():
            if quantity in ("running_mean", "running_var", "num_batches_tracked"):
                after[quantity] = np.asarray(claim).tolist()
            else:
                self.save(quantity + ".npy", claim)
                command += ["--" + quantity, quantity + ".npy"]
        if after:
            self.state("after.json", **after)
            command += ["--state-after", "after.json", "--after-dtype", dtype]
        run = self.bn(*command, "--json", *arguments)
        self.assertIn(run.returncode, (DONE, DIFFERS), run.stderr)
        report = json.loads(run.stdout)
        self.assertEqual([c["claim"] for c in report["claims"]], [q for q in QUANTITIES if q in claims])
        self.assertEqual(report["holds"], all(c["holds"] for c in report["claims"]))
        self.assertEqual(run.returncode, DONE if report["holds"] else DIFFERS)
        return report

    def one_claim(self, setup, layer, quantity, claim, **more):
        """What is said of a single claim in the dtype of the setup."""
        _, axis, x_dtype, dtype = SETUPS[setup]
        report = self.verify(layer, {quantity: rounded(claim, dtype)}, x_dtype, axis, dtype=dtype, **more)
        return report["claims"][0]

    def assert_named(self, claim, names, value, what, limit=16):
        """The first explanation has these names, and the others explain it as well. limit: of the residual."""
        self.assertFalse(claim["holds"], (what, claim["tolerance"], claim["needed_tolerance"]))
        explanations = claim["diagnosis"]["explanations"]
        said = [sorted(e["mistakes"]) for e in explanations]
        self.assertTrue(said, (what, "no known mistake"))
        self.assertEqual(said[0], sorted(names), (what, said))
        as_well = {(other,) for name in names for other in AS_WELL.get(name, ())} if len(names) == 1 else {
            tuple(sorted(set(names) - {name} | {other})) for name in names for other in AS_WELL.get(name, ())}
        self.assertLessEqual({tuple(s) for s in said[1:]}, as_well, what)
        first = explanations[0]
        if "low_precision_sums" not in names:  # whose errors are those of one order of summation
            self.assertLessEqual(first["residual_ulp"], max(limit, claim["tolerance"]), what)
        self.assertGreater(first["error_ulp"], first["residual_ulp"], what)
        if value is not None:
            self.assertAlmostEqual(first["value"] / value if value else 1 + first["value"], 1, delta=0.05, msg=what)

    def run_case(self, each, setup, arithmetic="float64"):
        layer = self.layer(setup, **each.options)
        wrong = mistakes.made(layer.part(layer.x, layer.dy, dtype=arithmetic), each.quantity, each.names, each.value)
        claim = self.one_claim(setup, layer, each.quantity, wrong)
        what = (each.quantity, each.names, each.value, setup, arithmetic)
        self.assert_named(claim, each.names, each.value, what, 16 if arithmetic == "float64" else 500)


class MistakeTest(VerifyTest):
    def run_cases(self, cases, quantities=QUANTITIES, **more):
        for each in cases:
            for setup in each.where:
                if each.quantity in quantities:
                    with self.subTest(names=each.names, quantity=each.quantity, setup=setup, options=each.options):
                        self.run_case(each, setup, **more)

    def test_every_mistake_in_y_is_named(self):
        self.run_cases(ONE, ("y",))

    def test_every_mistake_in_the_running_statistics_is_named(self):
        self.run_cases(ONE, ("running_mean", "running_var"))

    def test_every_mistake_in_the_gradients_is_named(self):
        self.run_cases(ONE, ("dx", "dgamma", "dbeta"))

    def test_mistakes_are_named_where_gamma_is_one_and_beta_zero(self):
        self.run_cases(PLAIN)

    def test_mistakes_are_named_in_many_channels_and_in_large_arrays(self):
        self.run_cases(LARGE)

    def test_two_mistakes_are_named_as_two(self):
        self.run_cases(TWO)

    def test_mistakes_of_code_that_is_all_in_float32_are_named(self):
        """One of each: the rounding errors of every step are in the way."""
        self.run_cases([each._replace(where=each.where[:1]) for each in ONE + TWO
                        if SETUPS[each.where[0]][3] == "float32" and "low_precision_sums" not in each.names
                        and not each.options], arithmetic="float32")

    def test_parameters_along_the_wrong_axis_are_named_where_the_lengths_let_them(self):
        layer = self.layer("square")
        wrong = layer.part(layer.x, layer.dy, 2).y()
        claim = self.one_claim("square", layer, "y", wrong)
        self.assert_named(claim, ("other_axis",), 2, "parameters, too")

    def test_mean_terms_with_the_running_statistics_are_named(self):
        layer = self.layer("nhwc", train=False)
        claim = self.one_claim("nhwc", layer, "dx", layer.dx(terms=True))
        self.assert_named(claim, ("mean_terms_added",), None, "running statistics")

    def test_no_eps_and_the_larger_of_variance_and_eps_are_both_named_where_no_variance_is_below_eps(self):
        layer = self.layer("nhwc", eps=1e-5)
        claim = self.one_claim("nhwc", layer, "y", mistakes.made(layer, "y", ("eps_missing",)))
        said = [e["mistakes"] for e in claim["diagnosis"]["explanations"]]
        self.assertIn(["eps_missing"], said[:2])
        self.assertLessEqual({tuple(s) for s in said}, {("eps_missing",), ("eps_maximum",), ("eps_other",)})

    def test_a_counter_that_does_not_count_or_counts_twice_is_named(self):
        for counted, name in ((4, "not_counted"), (6, "counted_twice")):
            with self.subTest(name=name):
                claim = self.verify(self.layer("rows"), {"num_batches_tracked": counted}, axis=1)["claims"][0]
                self.assertEqual([e["mistakes"] for e in claim["diagnosis"]["explanations"]], [[name]])

    def test_unknown_counts_have_no_name(self):
        for counted in (0, 17):
            claim = self.verify(self.layer("rows"), {"num_batches_tracked": counted}, axis=1)["claims"][0]
            self.assertEqual((claim["holds"], claim["diagnosis"]["explanations"]), (False, []))

    def test_every_momentum_and_estimator_that_a_state_can_have_is_the_right_one(self):
        """The same mistakes where the state has the weight of the batch, or none."""
        layer = self.layer("rows")
        for keys, weight in (({"momentum": 0.1, "momentum_weights": "batch"}, 0.1), ({"momentum": None}, 0.2)):
            right = layer.after_mean(weight=weight)
            self.assertTrue(self.one_claim("rows", layer, "running_mean", right, **keys)["holds"], keys)
            claim = self.one_claim("rows", layer, "running_mean", layer.after_mean(weight=0.37), **keys)
            self.assert_named(claim, ("momentum_other",), 0.37, keys)

    def test_mistakes_in_one_channel_are_found_there(self):
        for setup in ("rows", "nchw", "nhwc", "half rows", "volumes"):
            for name in ("beta_missing", "beta_twice", "mean_missing", "gamma_sign_lost"):
                with self.subTest(setup=setup, name=name):
                    layer = self.layer(setup)
                    channel = int(np.argmin(layer.gamma))  # negative, as gamma_sign_lost needs
                    wrong = np.moveaxis(layer.y(), layer.axis, 0).copy()
                    wrong[channel] = np.moveaxis(mistakes.made(layer, "y", (name,)), layer.axis, 0)[channel]
                    claim = self.one_claim(setup, layer, "y", np.moveaxis(wrong, 0, layer.axis))
                    self.assertEqual(claim["diagnosis"]["channels"], [channel])
                    self.assertIn([name], [e["mistakes"] for e in claim["diagnosis"]["explanations"]])

    def test_the_first_explanation_of_one_channel_is_a_single_mistake(self):
        layer = self.layer("nhwc")
        wrong = layer.dgamma()
        wrong[2] = layer.dbeta()[2]
        claim = self.one_claim("nhwc", layer, "dgamma", wrong)
        self.assertEqual(claim["diagnosis"]["channels"], [2])
        self.assertIn(["gradients_swapped"], [e["mistakes"] for e in claim["diagnosis"]["explanations"]])


class UnknownTest(VerifyTest):
    """What no known mistake explains."""

    def noisy(self, right, by):
        """Not negative where it was not."""
        wrong = right + by * np.abs(right).max() * self.random.normal(0, 1, right.shape)
        return np.where(right >= 0, np.abs(wrong), wrong)

    def check_unknown(self, quantity, spoil, setups=("rows", "nhwc", "half rows")):
        for setup in setups:
            with self.subTest(quantity=quantity, setup=setup):
                layer = self.layer(setup)
                right = mistakes.RESULTS[quantity](layer)
                claim = self.one_claim(setup, layer, quantity, spoil(right, layer))
                self.assertFalse(claim["holds"])
                self.assertEqual(claim["diagnosis"]["explanations"], [])

    def test_noise_is_none(self):
        for quantity in mistakes.RESULTS:
            for by in (0.01, 1):
                self.check_unknown(quantity, lambda right, layer: self.noisy(right, by), ("rows", "nhwc"))

    def test_noise_in_proportion_to_the_values_is_none(self):
        for quantity in ("y", "dx"):
            self.check_unknown(quantity, lambda right, layer: right * (
                1 + 0.02 * self.random.normal(0, 1, right.shape)))

    def test_random_numbers_are_none(self):
        for quantity in mistakes.RESULTS:
            self.check_unknown(quantity, lambda right, layer: np.abs(self.random.normal(0, 1, right.shape)), ("nchw",))

    def test_one_wrong_element_is_none(self):
        def spoil(right, layer):
            wrong = right.copy()
            wrong.flat[right.size // 3] += 1 + np.abs(right).max()
            return wrong
        for quantity in ("y", "dx"):
            self.check_unknown(quantity, spoil)

    def test_one_wrong_number_of_a_channel_is_none(self):
        def spoil(right, layer):
            wrong = right.copy()
            wrong[-1] *= 0.7318512
            return wrong
        for quantity in ("running_mean", "running_var", "dgamma", "dbeta"):
            self.check_unknown(quantity, spoil, ("rows", "nchw", "nhwc", "volumes", "flat"))

    def test_one_channel_of_another_size_is_none(self):
        def spoil(right, layer):
            wrong = np.moveaxis(right, layer.axis, 0).copy()
            wrong[-2] *= 0.7318512
            return np.moveaxis(wrong, 0, layer.axis)
        for quantity in ("y", "dx"):
            self.check_unknown(quantity, spoil, ("rows", "nchw", "nhwc", "volumes"))

    def test_a_tail_that_was_not_computed_is_none(self):
        def spoil(right, layer):
            wrong = np.moveaxis(right, layer.axis, -1).copy()
            shape = wrong.shape
            wrong = wrong.reshape(-1, shape[-1])
            wrong[-layer.m // 8:] = 0
            return np.moveaxis(wrong.reshape(shape), -1, layer.axis)
        for quantity in ("y", "dx"):
            self.check_unknown(quantity, spoil)

    def test_not_a_number_is_none_and_counted(self):
        layer = self.layer("nchw")
        wrong = layer.y()
        wrong[2, 3, 1, 1] = np.nan
        claim = self.one_claim("nchw", layer, "y", wrong)
        self.assertEqual((claim["holds"], claim["nan"], claim["beyond"]), (False, 1, 1))
        self.assertEqual(claim["worst"]["index"], [2, 3, 1, 1])
        self.assertEqual(claim["diagnosis"]["channels"], [3])
        self.assertEqual(claim["diagnosis"]["explanations"], [])

    def test_all_that_was_tried_is_listed(self):
        layer = self.layer("nchw")
        claim = self.one_claim("nchw", layer, "y", self.noisy(layer.y(), 0.1), arguments=["--verbose"])
        tried = {name for t in claim["diagnosis"]["tried"] for name in t["mistakes"]}
        self.assertLessEqual({each.names[0] for each in ONE if each.quantity == "y"} - {
            "batch_statistics", "memory_as_nchw"}, tried)  # not of this mode, and not of this layout


class SeveralClaimsTest(VerifyTest):
    def test_exactly_the_wrong_ones_of_several_claims_do_not_hold(self):
        for wrong in ({"y": "gamma_missing"}, {"running_var": "var_unbiased"}, {"dx": "mean_terms_missing"},
                      {"dgamma": "inv_std_missing", "running_mean": "never_updated"},
                      {"y": "eps_outside_root", "dbeta": "mean_for_sum"}, {}):
            with self.subTest(wrong=wrong):
                layer = self.layer("nhwc")
                claims = {q: rounded(mistakes.made(layer, q, (wrong[q],) if q in wrong else ()), "float32")
                          for q in mistakes.RESULTS}
                claims["num_batches_tracked"] = layer.batches + 1
                report = self.verify(layer, claims, "float32", -1)
                self.assertEqual([c["claim"] for c in report["claims"] if not c["holds"]],
                                 [q for q in QUANTITIES if q in wrong])
                for claim in report["claims"]:
                    if claim["holds"]:
                        self.assertIsNone(claim["diagnosis"])
                    else:
                        self.assert_named(claim, (wrong[claim["claim"]],), None, wrong)

    def test_the_text_says_it_in_words(self):
        layer = self.layer("nchw")
        for claim, word in ((layer.y(), "y"), (mistakes.made(layer, "y", ("eps_outside_root",)), "eps"),
                            (layer.y() + self.random.normal(0, 1, layer.x.shape), "no known mistake explains it")):
            self.verify(layer, {"y": rounded(claim, "float32")}, "float32", 1)  # writes the files
            run = self.bn("verify", "x.npy", "--state", "before.json", "--y", "y.npy")
            self.assertIn(word, run.stdout.decode())


if __name__ == "__main__":
    main()
