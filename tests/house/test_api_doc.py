"""docs/api.md says who may call what, as the table of rights does."""

from pathlib import Path

from hub.api.rights import RIGHTS, ROLES

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_table_of_calls_is_the_table_of_rights() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE[PAGE.index("| call | roles |") :].splitlines()[2:]]
    printed = {cells[0].strip("`"): (cells[1].strip(), cells[2].strip(" `")) for cells in rows}
    assert printed == {
        f"{method} {path}": (
            "everybody" if right.everybody else ", ".join(role for role in ROLES if role in right.roles),
            right.scope or "",
        )
        for (method, path), right in RIGHTS.items()
    }
