# Lectern needs Python 3.11+ and pip. Everything else is fetched into .venv by serve/install.py.
#
#   make up               install, index, start everything, ask one question; Ctrl-C stops it all
#   make up DETACH=1      the same, and it goes on when this terminal is closed
#   make down             stop everything
#   make ask CORPUS=maintenance Q="What does fault SC-A04 mean?"
#   make test | bench | soak | lint | clean

PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(if $(shell command -v $(p) 2>/dev/null),$(p))))
BIN := .venv/bin
CORPUS ?= maintenance
override Q := $(value Q)
export Q CORPUS

.PHONY: help up down ask test bench soak lint clean

help:
	@sed -n 's/^#   //p' Makefile

up:
	@$(PYTHON) -I serve/install.py
	@$(BIN)/python -m serve up $(if $(DETACH),--detach)

down:
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m serve down; else echo "Nothing is installed, so nothing is up."; fi

# Q goes by the environment, so that quotes and dollars in a question reach Lectern as they were typed.
ask:
	@if [ -z "$$Q" ]; then echo 'Ask something: make ask CORPUS=maintenance Q="What does fault SC-A04 mean?"' >&2; exit 2; fi
	@if [ ! -x $(BIN)/python ]; then echo "Nothing is installed yet. First: make up" >&2; exit 2; fi
	@$(BIN)/python -m serve ask "$$CORPUS" "$$Q"

test:
	@$(PYTHON) -I serve/install.py test
	@$(BIN)/python -m pytest $(ARGS)

bench:
	@$(PYTHON) -I serve/install.py test bench
	@$(BIN)/python -m tests.bench $(ARGS)

soak:
	@$(PYTHON) -I serve/install.py test
	@$(BIN)/python -m tests.soak $(ARGS)

lint:
	@$(PYTHON) -I serve/install.py test dev
	@$(BIN)/ruff check .
	@$(BIN)/mypy

clean:
	@rm -rf build dist *.egg-info .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
	@echo "Your data (data/) and .venv are kept."
