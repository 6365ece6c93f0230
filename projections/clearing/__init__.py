"""States clearings (清算表): who owes whom, over which legs, for which claims; as tables, CSV, JSON and workbooks."""
