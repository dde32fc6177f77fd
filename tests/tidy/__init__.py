"""House style as tests: `rules` and `house` say what is wrong, the tests say where."""
