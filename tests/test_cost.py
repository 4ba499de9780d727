from types import SimpleNamespace

from tests.cost import Cost


def test_costs_are_added_up_by_part_check_and_file():
    cost, lines = Cost(), []
    for test, seconds, slow in (
        (
            "tests/test_conformance.py::test_conformance[losses-Ramp-degenerate_input-float16]",
            1.0,
            False,
        ),
        ("tests/losses/test_ramp.py::test_reference[-1]", 0.5, False),
        ("tests/test_cli.py::test_list", 0.25, True),
    ):
        properties = [("cost", seconds), ("slow", slow)]
        report = SimpleNamespace(nodeid=test, when="teardown", user_properties=properties)
        cost.pytest_runtest_logreport(report)
    terminal = SimpleNamespace(section=lines.append, write_line=lines.append)
    cost.pytest_terminal_summary(terminal)
    words = " ".join(" ".join(lines).split())
    assert "1.5 losses-Ramp" in words
    assert "1.0 degenerate_input-float16" in words
    assert "0.2 tests/test_cli.py" in words
    assert "1 parts, 1.5 each" in words
    assert "1.5 2 tests that are not marked slow" in words
