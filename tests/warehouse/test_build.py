"""What `charthouse build` prints."""

from bench import UNTESTED, Bench


def test_a_build_prints_what_a_person_reads(bench: Bench) -> None:
    done = bench.charthouse("build", "--vars", "{min_age: 60}", *UNTESTED)
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("Other settings than those") and "min_age 60 (was 18)" in first
    assert "in the cohort" in done.stdout and last.startswith("  with vitals")
    for word in ("START", "PASS", "\x1b"):
        assert word not in done.stdout


def test_it_prints_what_dbt_does_where_that_is_asked_for(bench: Bench) -> None:
    words = ("--log-level", "info", "--select", "resource_type:seed", *UNTESTED)
    assert "START seed file seeds.arms" in bench.charthouse("build", *words).stdout


def test_a_build_that_is_asked_to_be_silent_is(bench: Bench) -> None:
    words = ("--log-level", "none", "--select", "resource_type:seed", *UNTESTED)
    done = bench.charthouse("build", *words)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
