"""What data pipelines need of bn: inputs in number and kind, cases 92 to 106 where they are about that."""

import numpy as np

from harness import BnTest, main


class PipelinesTest(BnTest):
    def test_case_104_stats_without_an_output_writes_to_standard_output(self):
        self.save("x.npy", self.random.normal(1, 1, (40, 5)))
        self.silent("stats", "x.npy", "-o", "part.json")
        before = self.snapshot()
        self.assertEqual(self.silent("stats", "x.npy").stdout, self.read("part.json"))
        self.assertEqual(self.snapshot(), before)


if __name__ == "__main__":
    main()
