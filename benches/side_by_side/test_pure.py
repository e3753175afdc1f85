"""Tests of the parts that measure nothing: python3 -m unittest discover -s benches/side_by_side"""
import dataclasses
import datetime as dt
import tempfile
import unittest
from pathlib import Path

import divan
import rows
import table
import workloads
from workloads import Workload

MAIN = Workload(4096, 73)


def row(case: str, seconds: float = 1.0, *, of: Workload = MAIN, number: int = 1, **changes) -> rows.Row:
    """A row of a run that ended well."""
    made = rows.Row("2026-01-01T00:00:00Z", "s", "a machine", "0.10", "abc", "GDAL", case, of.size, of.dates, of.block,
                    of.cloudy, 4, number, seconds, seconds * 2, 100 * 1024, 0, 0, None)
    return dataclasses.replace(made, **changes)


def line(told: list[table.Line], begins: str) -> table.Line:
    """The first line of the table that begins so."""
    return next(t for t in told if t.what.startswith(begins))


class Ratios(unittest.TestCase):
    def test_are_taken_within_a_round_and_a_session(self) -> None:
        runs = table.Runs([row("decode", 10, number=1), row("whole", 5, number=1),
                           row("decode", 20, number=2), row("whole", 18, number=2),
                           row("decode", 100, number=1, session="t"), row("whole", 60, number=1, session="t")])
        ratios = runs.ratios(MAIN, "whole", "decode", table.seconds_of)
        self.assertEqual(ratios, [0.5, 0.9, 0.6])
        self.assertEqual(table.Spread.of(ratios), table.Spread(0.6, 0.5, 0.9))

    def test_leave_out_rounds_that_were_cut_off_and_runs_that_failed(self) -> None:
        runs = table.Runs([row("decode", 10), row("whole", 5), row("decode", 10, number=2),
                           row("decode", 10, number=3), row("whole", 1, number=3, exit=1)])
        self.assertEqual(runs.ratios(MAIN, "whole", "decode", table.seconds_of), [0.5])

    def test_are_not_taken_between_workloads(self) -> None:
        runs = table.Runs([row("decode", 10, of=Workload(4096, 36)), row("whole", 5)])
        self.assertEqual(runs.ratios(MAIN, "whole", "decode", table.seconds_of), [])


class Fits(unittest.TestCase):
    def test_a_line_is_found_again(self) -> None:
        found = table.fit([1, 2, 4], [5, 7, 11])
        self.assertAlmostEqual(found.slope, 2)
        self.assertAlmostEqual(found.intercept, 3)
        self.assertAlmostEqual(found.r2, 1)

    def test_r2_tells_how_far_the_points_lie_from_it(self) -> None:
        found = table.fit([0, 1, 2], [0, 1, 0])
        self.assertAlmostEqual(found.slope, 0)
        self.assertAlmostEqual(found.r2, 0)

    def test_what_does_not_change_is_fitted(self) -> None:
        self.assertEqual(table.fit([1, 2], [3, 3]), table.Fit(0, 3, 1.0))

    def test_growth_is_told_along_each_axis(self) -> None:
        points = [(4096, 73, 4), (4096, 24, 4), (4096, 146, 4), (1024, 73, 4), (2048, 73, 4), (4096, 73, 1),
                  (4096, 73, 10)]
        told = table.lines([row("growth", s * s / 1e6 * d * b / 100, of=Workload(s, d), bands=b)
                            for s, d, b in points])
        dates = line(told, "growth of time: 24, 73, 146 dates")
        self.assertEqual(dates.result, "0.671 s per date")
        self.assertIn("r2 1.000", dates.spread)
        self.assertEqual(dates.seconds, "16.1 / 49.0 / 98.0")
        self.assertEqual(line(told, "growth of time: 1024, 2048, 4096 px").result, "2.920 s per Mpx")
        self.assertEqual(line(told, "growth of time: 1, 4, 10 bands").result, "12.247 s per band")
        self.assertEqual(line(told, "growth of peak memory: 1, 4").result, "0.0 MiB per band")


class Table(unittest.TestCase):
    def test_targets_are_judged(self) -> None:
        told = table.lines([row("decode", 10), row("whole", 7.9), row("s2m2", 17.6), row("sliced", 10.8),
                            row("thirteenth", 0.9), row("again", 2.5), row("help", 0.010), row("plan", 0.6),
                            row("512MiB", 8, rss_kib=600 * 1024), row("decode-1", 20), row("one-worker", 15)])
        self.assertEqual([t.met for t in told[:5]], ["yes", "NO", "yes", "yes", "NO"])
        whole = line(told, "whole run, 73 dates")
        self.assertEqual((whole.result, whole.target, whole.rival), ("0.79x decode", "<= 0.80x",
                                                                     "1.76x s2mosaic's kernel"))
        self.assertEqual((whole.seconds, whole.cpu, whole.peak, whole.runs), ("7.90", "15.8", "100", "1"))
        self.assertEqual(line(told, "peak with --memory 512MiB").met, "NO")
        self.assertEqual(line(told, "gain of the second core (1.90) over decode's (2.00)").met, "NO")
        self.assertEqual(line(told, "clearmosaic --help").met, "yes")
        self.assertEqual(line(told, "clearmosaic plan").met, "NO")

    def test_a_second_run_that_reads_misses_its_target(self) -> None:
        told = table.lines([row("sliced"), row("again", 0.1, bytes_read=1)])
        self.assertEqual(line(told, "second run").met, "NO")

    def test_kernels_are_compared_at_their_worst_depth(self) -> None:
        def kernel(name: str, depth: int, rate: float) -> rows.Row:
            return row(f"kernel-{name}-clouds", of=Workload(0, depth, 0), rate=rate)

        theirs = [kernel("s2mosaic", 24, 0.16e9), kernel("s2mosaic", 146, 0.1e9), kernel("numpy", 24, 0.03e9)]
        told = table.lines(theirs)
        self.assertEqual(line(told, "kernel, one core, 24 deep, clouds").result, "not measured")
        told = table.lines([*theirs, kernel("clearmosaic", 24, 1.6e9), kernel("clearmosaic", 146, 0.9e9)])
        self.assertEqual(line(told, "kernel, one core, 24 deep, clouds").met, "yes")
        self.assertEqual(line(told, "kernel, one core, 146 deep, clouds").met, "NO")
        self.assertEqual(line(told, "kernel over s2mosaic's").result, "9.0x")
        self.assertEqual(line(told, "kernel over numpy.nanmedian").met, "yes")

    def test_columns_line_up(self) -> None:
        text = table.rendered(table.lines([row("decode", 10), row("whole", 8)]))
        self.assertEqual(len({len(t) for t in text.splitlines()}), 1)

    def test_the_document_names_what_failed(self) -> None:
        differs = row("equal-whole-s2m2", exit=1, number=3, block=512)
        text = table.document([row("decode", 10), row("whole", 8), differs])
        self.assertIn("FAILED, and left out: equal-whole-s2m2 (73 dates, 512 blocks, round 3)", text)
        self.assertNotIn("NOT the targets' size", text)
        self.assertIn("NOT the targets' size", table.document([row("whole", of=Workload(512, 6))]))


class Rows(unittest.TestCase):
    def test_come_back_as_they_were(self) -> None:
        written = [row("decode", 1.5), dataclasses.replace(row("equal-whole", exit=1), seconds=None, cpu=None,
                                                            rss_kib=None, bytes_read=None)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results" / "rows.csv"
            for each in written:
                rows.append(path, each)
            self.assertEqual(rows.read(path), written)


ITEM = {
    "id": "S2A_36RUU_20240131_6_L2A",
    "properties": {
        "datetime": "2024-01-31T08:31:15Z", "eo:cloud_cover": 20240131, "grid:code": "MGRS-36RUU",
        "s2:datatake_id": "GS2A_20240131T083115_040006_N05.10",
        "s2:datastrip_id": "S2A_OPER_MSI_L2A_DS_2APS_20240131T235959_S20240131T083122_N05.10",
        "s2:product_uri": "S2A_MSIL2A_20240131T083115_N0510_R064_T36RUU_20240131T235959.SAFE"},
    "assets": {"blue": {"href": "scenes/S2A_36RUU_20240131_6_L2A/B02.tif"}}}


class Months(unittest.TestCase):
    def test_a_scene_moves_to_another_month(self) -> None:
        moved = workloads.redated(ITEM, dt.date(2025, 2, 1))
        self.assertEqual(moved["id"], "S2A_36RUU_20250228_6_L2A")
        self.assertEqual(moved["properties"], {
            "datetime": "2025-02-28T08:31:15Z", "eo:cloud_cover": 20240131, "grid:code": "MGRS-36RUU",
            "s2:datatake_id": "GS2A_20250228T083115_040006_N05.10",
            "s2:datastrip_id": "S2A_OPER_MSI_L2A_DS_2APS_20250228T235959_S20250228T083122_N05.10",
            "s2:product_uri": "S2A_MSIL2A_20250228T083115_N0510_R064_T36RUU_20250228T235959.SAFE"})
        self.assertEqual(moved["assets"], ITEM["assets"])
        self.assertEqual(ITEM["id"], "S2A_36RUU_20240131_6_L2A")
        self.assertEqual(workloads.system_index(moved), "20250228T083115_20250228T083122_T36RUU")

    def test_the_thirteenth_month_is_the_first_again(self) -> None:
        june = {**ITEM, "properties": {**ITEM["properties"], "datetime": "2024-06-01T08:31:15Z"}}
        added = workloads.thirteenth([ITEM, june], dt.date(2024, 1, 1), dt.date(2025, 1, 1))
        self.assertEqual([(new["properties"]["datetime"], old) for new, old in added],
                         [("2025-01-31T08:31:15Z", ITEM)])

    def test_the_month_after_december_is_january(self) -> None:
        self.assertEqual(workloads.month_later(dt.date(2024, 12, 1)), dt.date(2025, 1, 1))
        self.assertEqual(workloads.month_later(dt.date(2025, 1, 1)), dt.date(2025, 2, 1))


REQUEST = """version: 1
name: workload
period: {start: 2024-01-01, end: 2025-01-01}
bands: [B02, B03, B04, B08]
scenes: {items: items.json}
scores: {template: "scores/{system_index}.tif", threshold: 0.60}
output: out/
"""


class Requests(unittest.TestCase):
    def test_only_what_is_asked_for_changes(self) -> None:
        text = workloads.request_for(REQUEST, Path("/w"), Path("/o"), end=dt.date(2025, 2, 1), every="P1M",
                                     bands=["B04"])
        self.assertEqual(sorted(text.splitlines()), sorted([
            "version: 1", "name: workload", "period: {start: 2024-01-01, end: 2025-02-01}", "slice: P1M",
            "bands: [B04]", 'scenes: {items: "/w/items.json"}',
            'scores: {template: "/w/scores/{system_index}.tif", threshold: 0.60}', 'output: "/o"']))


class Workloads(unittest.TestCase):
    def test_a_name_tells_the_parameters(self) -> None:
        self.assertEqual(Workload(4096, 73, 512, 0.5).name, "4096px-73dates-512block-0.5cloudy")

    def test_variants_hold_links_that_lead_to_the_files(self) -> None:
        item = {**ITEM, "assets": {key: {"href": f"scenes/{ITEM['id']}/{band}.tif"} for key, band in
                                   (("blue", "B02"), ("green", "B03"), ("red", "B04"), ("nir", "B08"))}}
        with tempfile.TemporaryDirectory() as folder:
            base = Path(folder) / "base"
            for asset in item["assets"].values():
                (base / asset["href"]).parent.mkdir(parents=True, exist_ok=True)
                (base / asset["href"]).write_text(asset["href"])
            (base / "scores").mkdir()
            (base / "scores" / f"{workloads.system_index(item)}.tif").write_text("score")
            (base / "request.yaml").write_text(REQUEST)
            workloads.write_items(base, [item])
            longer = workloads.with_thirteenth(base)
            moved = "20250131T083115_20250131T083122_T36RUU.tif"
            self.assertEqual((longer / "scores" / moved).read_text(), "score")
            self.assertTrue((longer / "scores" / moved).is_symlink())
            ten = workloads.with_ten_bands(base)
            self.assertEqual(len(list((ten / "scenes" / ITEM["id"]).iterdir())), 10)
            self.assertEqual((ten / "scenes" / ITEM["id"] / "B12.tif").read_text(), item["assets"]["green"]["href"])


PRINTED = """\
Timer precision: 20 ns
kernel                 fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ middle_at_random                  │               │               │               │         │
│  ├─ 24               3.1 ms        │ 4.1 ms        │ 3.3 ms        │ 3.4 ms        │ 100     │ 100
│  │                   1.7 Gitem/s   │ 1.2 Gitem/s   │ 1.6 Gitem/s   │ 1.5 Gitem/s   │         │
│  ╰─ 146              30 ms         │ 41 ms         │ 33 ms         │ 34 ms         │ 100     │ 100
│                      990 Mitem/s   │ 800 Mitem/s   │ 950.5 Mitem/s │ 900 Mitem/s   │         │
├─ middle_in_clouds                  │               │               │               │         │
│  ╰─ 24               3.1 ms        │ 4.1 ms        │ 3.3 ms        │ 3.4 ms        │ 100     │ 100
│                      4.7 Gitem/s   │ 1.2 Gitem/s   │ 3.6 Gitem/s   │ 3.5 Gitem/s   │         │
╰─ sort_in_clouds                    │               │               │               │         │
   ╰─ 24               3.1 ms        │ 4.1 ms        │ 3.3 ms        │ 3.4 ms        │ 100     │ 100
                       9 Gitem/s     │ 9 Gitem/s     │ 9 Gitem/s     │ 9 Gitem/s     │         │
"""


class Divan(unittest.TestCase):
    def test_rates_are_read_from_the_tree(self) -> None:
        found = divan.rates(PRINTED)
        self.assertEqual(found["kernel", "middle_at_random", "146"], 950.5e6)
        self.assertEqual(found["kernel", "sort_in_clouds", "24"], 9e9)

    def test_the_kernels_are_found_by_depth_and_masks(self) -> None:
        self.assertEqual(divan.kernel(PRINTED),
                         {(24, "random"): 1.6e9, (146, "random"): 950.5e6, (24, "clouds"): 3.6e9})

    def test_what_tells_of_no_kernel_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "no rate"):
            divan.kernel("")


if __name__ == "__main__":
    unittest.main()
