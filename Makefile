# `make demo` shows the whole loop; `make test` is what CI runs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# threads that wait asleep: two cores are shared by everything the tests start
export OMP_WAIT_POLICY = PASSIVE
export GOMP_SPINCOUNT = 0
# trust what the machine trusts, as pip does
export UV_SYSTEM_CERTS = true

.PHONY: demo test test-full lint types layers unit lock install clean

install: .venv/.synced

.venv/.synced: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet "uv>=0.9,<1"
	$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: install
	$(BIN)/presage demo

test: install lint types layers unit

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

layers:
	$(BIN)/lint-imports --no-cache

# three processes for two cores: many a test waits for a service to come up
unit:
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# the same, with more seeds and examples, and no test may skip: for machines with every system package
test-full: install lint types layers
	PRESAGE_NO_SKIPS=1 PRESAGE_FULL=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lock:
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --all-extras --custom-compile-command "make lock" --quiet pyproject.toml -o requirements.lock

clean:
	rm -rf .venv build mutants *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis demo
