# Everything runs in .venv, on the versions of requirements.lock. `make` alone lists the targets.

PYTHON ?= python3
PYTEST_ARGS ?= -n 2
FUZZ ?= 4
LOCK_ARGS ?=
SOAK_SEED ?=
SOAK_FAULTS ?= 200

UV := .venv/bin/uv
INSTALLED := .venv/.installed
EXAMPLE := build/example
DIST := build/dist
ALONE = env -u PYTHONPATH OMP_NUM_THREADS=1 PATH="$(CURDIR)/$(1)/venv/bin:$$PATH"
SITE := import sysconfig; print(sysconfig.get_path("purelib"))
export SITE

# A venv in the folder $(1) with the wheels that lie there. What they depend on is shared with .venv, whose
# editable robench is not seen from there.
define apart
$(UV) venv --quiet --python .venv/bin/python $(1)/venv
$(UV) pip install --quiet --offline --no-deps --python $(1)/venv/bin/python $(1)/*.whl
.venv/bin/python -c "$$SITE" > $$($(1)/venv/bin/python -c "$$SITE")/dependencies.pth
endef

define CHECK_PYTHON
import sys
version = sys.version_info[:2]
if not (3, 11) <= version <= (3, 13):
    sys.exit("robench needs Python 3.11 to 3.13, but %s is %d.%d: name another, as in "
             "`make install PYTHON=python3.12`" % ((sys.executable,) + version))
try:
    import pip
except ImportError:
    sys.exit("%s has no pip: install it (Debian: apt install python3-pip)" % sys.executable)
endef
export CHECK_PYTHON

.PHONY: help install demo test docs example dist fuzz soak check lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## make .venv: the locked versions, and robench itself, editable

demo: $(INSTALLED) ## train, match, attack and report four defenses on an embedded data set
	.venv/bin/robench demo

test: $(INSTALLED) ## run the tests; PYTEST_ARGS="-k pgn" passes arguments on
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest $(PYTEST_ARGS)

docs: $(INSTALLED) ## build the documentation: build/docs/index.html
	.venv/bin/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env --conf-dir docs/making \
		--doctree-dir build/doctrees . build/docs

example: $(INSTALLED) ## build examples/robench-jitter, install it beside robench in a clean venv, use it
	rm -rf $(EXAMPLE)
	.venv/bin/python -m hatchling build --target wheel --directory $(EXAMPLE)
	cd examples/robench-jitter && $(CURDIR)/.venv/bin/python -m hatchling build --target wheel --directory $(CURDIR)/$(EXAMPLE)
	$(call apart,$(EXAMPLE))
	cd $(EXAMPLE) && $(call ALONE,$(EXAMPLE)) robench check jitter
	cd $(EXAMPLE) && $(call ALONE,$(EXAMPLE)) robench train --defense jitter --set sigma=0.1 --dataset digits --width 0.1 \
		--epochs 3 --batch-size 32 --ema 0.9 --lr 0.003
	cd $(EXAMPLE) && $(call ALONE,$(EXAMPLE)) robench eval --matched-accuracy 0.5 --tolerance 0.3 --images 20 --attack fgm --no-audit
	cd $(EXAMPLE) && $(call ALONE,$(EXAMPLE)) python -m pytest -p no:cacheprovider $(CURDIR)/examples/robench-jitter

dist: $(INSTALLED) ## build the wheel and the sdist, check them, and run the demo from the wheel in a clean venv
	rm -rf $(DIST)
	.venv/bin/python -m hatchling build --directory $(DIST)
	.venv/bin/twine check --strict $(DIST)/*
	$(call apart,$(DIST))
	cd $(DIST) && $(call ALONE,$(DIST)) robench demo

fuzz: $(INSTALLED) ## try some 13,000 cases of hostile input, drawn anew; FUZZ=40 tries 130,000
	OMP_NUM_THREADS=1 ROBENCH_FUZZ=$(FUZZ) .venv/bin/python -m pytest tests/test_hostile_*.py

soak: $(INSTALLED) ## 200 faults while digits are trained, attacked, reported; SOAK_SEED=1 SOAK_FAULTS=50
	PYTHONPATH=tests .venv/bin/python -m soak --faults $(SOAK_FAULTS) $(addprefix --seed ,$(SOAK_SEED))

check: $(INSTALLED) ## lint, formatting and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

lock: $(UV) ## rewrite requirements.lock; LOCK_ARGS=--upgrade takes the newest versions
	$(UV) pip compile pyproject.toml --group dev --group docs --group browser --group cluster --group store --extra html \
		--universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --quiet \
		--custom-compile-command "make lock" $(LOCK_ARGS) --output-file requirements.lock

clean: ## remove .venv, builds and caches; runs and data stay
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache

$(INSTALLED): requirements.lock pyproject.toml | $(UV)
	$(UV) pip install --python .venv/bin/python --no-build --compile-bytecode --require-hashes -r requirements.lock
	$(UV) pip install --python .venv/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

# pip --target needs neither ensurepip nor the venv module, which Debian leaves out.
$(UV):
	@$(PYTHON) -c "$$CHECK_PYTHON"
	@mkdir -p .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt
	PIP_USER=0 PIP_ROOT_USER_ACTION=ignore $(PYTHON) -m pip install --quiet --no-deps --require-hashes --upgrade \
		--target .venv/bootstrap -r .venv/uv.txt
	.venv/bootstrap/bin/uv venv --quiet --allow-existing \
		--python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .venv
	.venv/bootstrap/bin/uv pip install --quiet --python .venv/bin/python --require-hashes \
		-r .venv/uv.txt
	@rm -r .venv/bootstrap .venv/uv.txt
