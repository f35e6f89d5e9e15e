# Each target does all its own set-up. Python 3.11 or later is needed, and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-server test-bench check faults bench server deploy worker clean

demo: $(READY)  ## the whole pipeline on the embedded sample
	$(BIN)/python -m flows.pipeline

# In the order of their names the longest files come first: faults, flows. Three at once, for tests
# wait a third of their time for servers and other processes: so two cores are kept busy.
test: $(READY)  ## the tests, a tenth of the fault injection; seven minutes
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m 'not server and not bench'

test-server: $(READY)  ## deployments, Dask, S3 and long flows on real servers, large networks; thirteen minutes
	$(BIN)/python -m pytest -m server

test-bench: $(READY)  ## each group of benchmarks, at a scale at which its figures mean nothing; five minutes
	$(BIN)/python -m pytest -m bench

check: $(READY)  ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

faults: $(READY)  ## all of the fault injection; half an hour
	GARGALO_FAULTS=full $(BIN)/python -m pytest tests/faults

bench: $(READY)  ## all figures, into benchmarks/RESULTS.md; an hour, on a machine left alone
	$(BIN)/python -m benchmarks

server: $(READY)  ## a Prefect server that makes every run start in a third of the time
	@echo 'in other terminals: export PREFECT_API_URL=http://127.0.0.1:4200/api'
	$(BIN)/python -m flows.server

# For these two a server has to be there. IMAGES=FOLDER says what the scheduled runs are about.
deploy worker: export PREFECT_API_URL ?= http://127.0.0.1:4200/api
deploy: $(READY)  ## all flows as deployments on that server, with schedules to switch on
	$(if $(IMAGES),GARGALO_IMAGES='$(IMAGES)') $(BIN)/python -m deployments.deploy

worker: $(READY)  ## what runs them
	$(BIN)/python -m deployments.worker

clean:  ## the environment; never a feature store
	rm -rf $(VENV)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] < (3, 14) else "gargalo needs Python 3.11 to 3.13: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench,test,check]'
	touch $(READY)
