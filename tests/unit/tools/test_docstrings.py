"""Docstrings in the three forms give the same."""

from __future__ import annotations

import pytest

from graphagent.tools.docstrings import Docstring, read_docstring

GOOGLE = """Find orders
    of a customer.

    More that no model needs: not an argument.

    Args:
        customer: Who bought,
            by name.
        limit (int): At most so many.
        *rest: Ignored.

    Returns:
        other: Not a parameter.
    """
NUMPY = """Find orders
    of a customer.

    Parameters
    ----------
    customer : str
        Who bought,
        by name.
    limit
        At most so many.

    Returns
    -------
    other
        Not a parameter.
    """
SPHINX = """Find orders
    of a customer.

    :param customer: Who bought,
        by name.
    :param int limit: At most so many.
    :returns: other
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_every_form_gives_summary_and_parameters(text: str) -> None:
    found = read_docstring(text)
    assert found.summary == "Find orders of a customer."
    assert found.parameters["customer"] == "Who bought, by name."
    assert found.parameters["limit"] == "At most so many."
    assert "other" not in found.parameters


@pytest.mark.parametrize("text", [None, "", "   \n "])
def test_nothing_is_nothing(text: str | None) -> None:
    assert read_docstring(text) == Docstring()
