"""Values of the report: from the journal and the arrays of the comparison, without any drawing.

Modules here, in ``figures``, ``tables`` and ``sections`` that are about the same subject have the
same name.
"""
