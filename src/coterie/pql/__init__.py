"""PQL, the language of audiences. Pure: no I/O."""

from coterie.pql.ast import Expr
from coterie.pql.checker import Checked, check
from coterie.pql.json_form import to_json
from coterie.pql.json_reader import from_json
from coterie.pql.parser import parse
from coterie.pql.printer import to_text
from coterie.pql.problems import PqlError, Problem

__all__ = ["Checked", "Expr", "PqlError", "Problem", "check", "from_json", "parse", "to_json", "to_text"]
