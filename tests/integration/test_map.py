"""fanmill map: what a user types first, and what comes out."""
import unittest

from harness import FanmillTest, measured, serial

FOUR_TUPLES = '[1,"1 Second"]\n[2,"2 Seconds"]\n[3,"3 Seconds"]\n[4,"4 Seconds"]\n'
FOUR_MESSAGES = "1 Second\n2 Seconds\n3 Seconds\n4 Seconds\n"


class Sleeps(FanmillTest):
    @serial
    @measured
    def test_four_on_four_slots_take_as_long_as_the_longest(self):
        run = self.run_fanmill("map", "-j", "4", "sleep", ":::", "1", "2", "3", "4")
        self.assertGreaterEqual(run.seconds, 4.0, run)
        self.assertLessEqual(run.seconds, 4.5, run)
        self.assertEqual(run.out(), "")

    @serial
    @measured
    def test_sleep_print_prints_exactly_the_four_messages(self):
        run = self.run_fanmill("map", "-j", "4", "sleep_print", "-", stdin=FOUR_TUPLES)
        self.assertEqual(run.out(), FOUR_MESSAGES)
        self.assertLessEqual(run.seconds, 4.5, run)

    def test_unordered_results_come_as_they_complete(self):
        run = self.run_fanmill("map", "-j", "2", "--unordered", "sleep_print", "-",
                               stdin='[0.8,"slow"]\n[0.05,"quick"]\n')
        self.assertEqual(run.out(), "quick\nslow\n")

    def test_ordered_results_wait_for_the_ones_before(self):
        run = self.run_fanmill("map", "-j", "2", "sleep_print", "-", stdin='[0.8,"slow"]\n[0.05,"quick"]\n')
        self.assertEqual(run.out(), "slow\nquick\n")


class Values(FanmillTest):
    def test_a_million_numbers_come_back_in_order(self):
        run = self.pipeline("seq 1000000 | fanmill map identity - | cmp - <(seq 1000000)", deadline=60)
        self.assertEqual(run.code, 0, run)

    def test_every_kind_of_json_value_comes_back_as_it_went(self):
        lines = ['true', '-9223372036854775808', '18446744073709551615', '0.1', '1e300', '"ü \\"quoted\\" \\n"',
                 '[[1,[2,[3]]]]', '[{"a":[1,2],"b":null}]']
        run = self.run_fanmill("map", "identity", "-", stdin="\n".join(lines) + "\n")
        expected = ['true', '-9223372036854775808', '18446744073709551615', '0.1', '1e+300', '"ü \\"quoted\\" \\n"',
                    '[1,[2,[3]]]', '{"a":[1,2],"b":null}']
        self.assertEqual(run.out().splitlines(), expected)

    def test_a_function_that_returns_nothing_prints_nothing(self):
        run = self.run_fanmill("map", "identity", "-", stdin="1\nnull\n2\n")
        self.assertEqual(run.out(), "1\n2\n")

    def test_empty_input_gives_nothing_and_succeeds(self):
        run = self.run_fanmill("map", "identity", "-", stdin=b"")
        self.assertEqual(run.out(), "")

    def test_the_last_line_needs_no_newline(self):
        run = self.run_fanmill("map", "identity", "-", stdin="1\n2")
        self.assertEqual(run.out(), "1\n2\n")

    def test_arguments_that_are_numbers_arrive_as_numbers_and_others_as_text(self):
        run = self.run_fanmill("map", "identity", ":::", "7", "007", "1.5", "seven")
        self.assertEqual(run.out(), '7\n"007"\n1.5\n"seven"\n')

    def test_several_sources_give_their_product_in_order(self):
        run = self.run_fanmill("map", "echo", ":::", "1", "2", ":::", "a", "b")
        self.assertEqual(run.out(), '[1,"a"]\n[1,"b"]\n[2,"a"]\n[2,"b"]\n')


class Composing(FanmillTest):
    def test_the_results_of_one_map_are_the_input_of_another(self):
        inputs = self.write("in.jsonl", "".join("%d\n" % i for i in range(500)))
        run = self.pipeline("fanmill map identity %s | fanmill map identity -" % inputs)
        self.assertEqual(run.out(), inputs.read_text())

    def test_a_failed_row_of_the_first_is_left_out_and_the_rest_goes_on(self):
        run = self.pipeline("""
            set -o pipefail
            fanmill exec ::: 1 2 3 4 -- sh -c '[ "$1" != 3 ] && echo "$1"' sh {1} | fanmill map identity -
            echo "${PIPESTATUS[@]}" """)
        self.assertEqual(run.out(), "1\n2\n4\n1 0\n", run)


if __name__ == "__main__":
    unittest.main()
