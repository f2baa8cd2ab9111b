"""MSAL for Python and for Node against the look-alike's token service."""

import msal_cases
from libraries import Node, Python


class TokensOfPython(msal_cases.Tokens):
    library_type = Python


class TokensOfNode(msal_cases.Tokens):
    library_type = Node


class RefusalsOfPython(msal_cases.Refusals):
    library_type = Python
    throws = False


class RefusalsOfNode(msal_cases.Refusals):
    library_type = Node
    throws = True
