"""What every test shares: how Hypothesis draws its examples."""

from hypothesis import settings

# The suite gives the same verdict every time: examples follow from the test's own source. A first
# call may compile a kernel, so no single example has a deadline. `make long` explores afresh.
settings.register_profile("suite", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile("suite")
